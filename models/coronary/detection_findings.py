"""What the detection of calcium hands out: whether there is any, slice by slice, and whether it is little or much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from coronary.reasons import QualityNote

#: No calcium; an Agatston score below HIGH_FROM; of HIGH_FROM and more (Lee 2021).
CalciumPresence = Literal["none", "low", "high"]

#: The classes in ascending order.
PRESENCES: Final[tuple[CalciumPresence, ...]] = get_args(CalciumPresence)

#: Agatston score from which calcium is much (Lee 2021).
HIGH_FROM: Final = 20.0


#: From this probability on there is calcium, in a slice and in the patient.
DECISION_PROBABILITY: Final = 0.5


def presence_text(presence: CalciumPresence) -> str:
    """The class in words."""
    return {
        "none": "no calcium seen",
        "low": f"little calcium seen (score below {HIGH_FROM:g} expected)",
        "high": f"calcium seen (score of {HIGH_FROM:g} or more expected)",
    }[presence]


@dataclass(frozen=True, slots=True, eq=False)
class DetectionFindings:
    """What was detected in one volume.

    Parameters
    ----------
    presence
        Of coronary calcium in the patient.
    probability
        That there is any, 0 to 1.
    slice_probability
        Shape (slices,): the same of each slice; NaN where no heart is seen.
    quality, parameters
        As in :class:`coronary.contract.CalciumFindings`.
    """

    presence: CalciumPresence
    probability: float
    slice_probability: NDArray[np.float64]
    quality: tuple[QualityNote, ...]
    parameters: Mapping[str, str]

    @property
    def positive_slices(self) -> tuple[int, ...]:
        """Indices of the slices in which calcium is likelier than not, ascending."""
        return tuple(np.flatnonzero(np.nan_to_num(self.slice_probability) >= DECISION_PROBABILITY).tolist())

    @property
    def likeliest_slice(self) -> int | None:
        """Index of the slice in which calcium is likeliest; None where no heart is seen or nothing is bright enough."""
        if not np.nanmax(np.append(self.slice_probability, 0.0)) > 0:
            return None
        return int(np.nanargmax(self.slice_probability))


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What a detection means for a score of zero.

    Parameters
    ----------
    verdict
        Whether it confirms the zero, contradicts it or could not be given, and why, in one sentence.
    probability
        Of calcium; None where no opinion could be given.
    """

    verdict: QualityNote
    probability: float | None
