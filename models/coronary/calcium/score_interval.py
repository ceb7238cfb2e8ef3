"""How sure a calcium score is: a 90 % interval and the probability of every risk class.

Decides how doubt becomes limits. Two scores enclose the reported one: what is left when everything doubtful is left
out, and what there is when it is counted. How far the truth strays between and beyond them was measured on patients
whose truth is known (split conformal prediction: Lei et al., J Am Stat Assoc 2018;113:1094-1111), on the scale of
square roots, on which scores spread evenly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from coronary.calcium.score_scales import HIGHEST_SCORES, RISK_CATEGORIES, RiskCategory

#: Share of the patients whose true score lies within the limits.
INTERVAL_CONFIDENCE: Final = 0.90

#: Half the interval in standard deviations of a normal distribution.
_HALF_WIDTH_SD: Final = NormalDist().inv_cdf(0.5 + INTERVAL_CONFIDENCE / 2)


@dataclass(frozen=True, slots=True)
class ScoreRange:
    """Agatston score when everything doubtful is left out, and when all of it is counted."""

    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class IntervalCalibration:
    """How far true scores strayed from reported ones, on the scale of square roots.

    Parameters
    ----------
    lower_offset, lower_share
        The lower limit lies ``lower_offset + lower_share x (score - lowest)`` below the score, in roots.
    upper_offset, upper_share
        The upper limit likewise above it, with ``highest - score``.
    missed_share, missed_share_doubtful
        Share of the zeros whose truth is above zero: where nothing was doubtful, and where something was.
    data
        What they were measured on.
    """

    lower_offset: float
    lower_share: float
    upper_offset: float
    upper_share: float
    missed_share: float
    missed_share_doubtful: float
    data: str


@dataclass(frozen=True, slots=True)
class ScoreInterval:
    """Limits of the total Agatston score, and the probability of each risk class (adding up to 1).

    ``data`` names what the limits were measured on.
    """

    low: float
    high: float
    class_probability: Mapping[RiskCategory, float]
    data: str

    def as_dict(self) -> dict[str, object]:
        """As in a result document: values that JSON keeps."""
        return {
            "confidence": INTERVAL_CONFIDENCE,
            "low": self.low,
            "high": self.high,
            "class_probability": dict(self.class_probability),
            "data": self.data,
        }


def score_interval(agatston: float, around: ScoreRange, calibration: IntervalCalibration) -> ScoreInterval:
    """Interval of a reported total score.

    The probabilities are those of a normal distribution on the scale of roots, as wide to each side as the limits. Of a
    reported zero, the probability of class "0" is the share of zeros that were right.

    Raises
    ------
    ValueError
        If the score does not lie within `around`.
    """
    if not 0 <= around.lowest <= agatston <= around.highest:
        raise ValueError(f"score {agatston} lies outside {around.lowest} to {around.highest}")
    root, lowest, highest = (math.sqrt(value) for value in (agatston, around.lowest, around.highest))
    below = calibration.lower_offset + calibration.lower_share * (root - lowest)
    above = calibration.upper_offset + calibration.upper_share * (highest - root)
    missed = calibration.missed_share_doubtful if highest > 0 else calibration.missed_share
    up_to = _right_zero(above, missed) if root == 0.0 else _spread(root, below, above)
    borders = [0.0, *up_to, 1.0]
    return ScoreInterval(
        low=max(0.0, root - below) ** 2,
        high=(root + above) ** 2,
        class_probability={name: borders[n + 1] - borders[n] for n, name in enumerate(RISK_CATEGORIES)},
        data=calibration.data,
    )


def _spread(root: float, below: float, above: float) -> list[float]:
    """Probability that the truth is at most the highest score of each risk class but the last."""
    lower, upper = (NormalDist(root, max(each / _HALF_WIDTH_SD, 1e-9)) for each in (below, above))
    highest = [math.sqrt(score) for score in HIGHEST_SCORES]
    return [(lower if each < root else upper).cdf(each) for each in highest]


def _right_zero(above: float, missed: float) -> list[float]:
    """The same of a reported zero: what was missed lies above zero, in the upper half of the distribution."""
    upper = NormalDist(0.0, max(above / _HALF_WIDTH_SD, 1e-9))
    return [1.0 - missed + missed * (2.0 * upper.cdf(math.sqrt(score)) - 1.0) for score in HIGHEST_SCORES]
