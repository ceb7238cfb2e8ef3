"""Which places of the training cases are drawn.

Places with and without coronary calcium come 1:1 (Hong 2022, section 2.4). Among the first the vessel is drawn before
the slice, because LM and LCX are rare; among the others the kind of look-alike, because stents and clips are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coronary.csct_scoring.training.cases import NO_TARGET, TrainingCase

#: Case, slice, row and column of a calcium-like pixel that the crop will show.
Place = tuple[int, int, int, int]

VESSELS = (1, 2, 3, 4)


class PlaceSampler:
    """Draws places from `cases`.

    Parameters
    ----------
    sampling
        The table of that name in ``config.toml``.
    kinds
        Kinds of look-alike in the order of their labels.
    """

    def __init__(
        self, cases: Sequence[TrainingCase], sampling: Mapping[str, Any], kinds: Sequence[str], rng: np.random.Generator
    ) -> None:
        self.cases = cases
        self.rng = rng
        self.look_alike_share = float(sampling["look_alike_share"])
        self.of_vessel: list[list[tuple[int, int]]] = [[] for _ in VESSELS]
        self.of_kind: list[list[tuple[int, int]]] = [[] for _ in kinds]
        self.without: list[tuple[int, int]] = []
        for number, case in enumerate(cases):
            for z in range(case.target.shape[0]):
                vessels = set(np.unique(case.target[z]).tolist()) & set(VESSELS)
                for vessel in vessels:
                    self.of_vessel[vessel - 1].append((number, z))
                for label in set(np.unique(case.look_alike[z]).tolist()) - {0}:
                    self.of_kind[label - 1].append((number, z))
                if not vessels and (case.target[z] != NO_TARGET).any():
                    self.without.append((number, z))
        self.vessel_draw = _shares(sampling["vessel_draw"], self.of_vessel)
        self.kind_draw = _shares([sampling["kind_draw"].get(kind, 1.0) for kind in kinds], self.of_kind)

    def draw(self, batch: int) -> list[Place]:
        """Half of the batch at coronary calcium, half not; of these `look_alike_share` at something that looks so."""
        return [self._with_calcium() if position % 2 == 0 else self._without() for position in range(batch)]

    def _with_calcium(self) -> Place:
        vessel = int(self.rng.choice(len(VESSELS), p=self.vessel_draw))
        number, z = self._one_of(self.of_vessel[vessel])
        return number, z, *self._pixel(self.cases[number].target[z] == VESSELS[vessel])

    def _without(self) -> Place:
        if self.rng.random() < self.look_alike_share:
            kind = int(self.rng.choice(len(self.of_kind), p=self.kind_draw))
            number, z = self._one_of(self.of_kind[kind])
            return number, z, *self._pixel(self.cases[number].look_alike[z] == kind + 1)
        number, z = self._one_of(self.without)
        return number, z, *self._pixel(self.cases[number].target[z] != NO_TARGET)

    def _one_of(self, slices: Sequence[tuple[int, int]]) -> tuple[int, int]:
        return slices[int(self.rng.integers(len(slices)))]

    def _pixel(self, wanted: NDArray[np.bool_]) -> tuple[int, int]:
        rows, columns = np.nonzero(wanted)
        chosen = int(self.rng.integers(len(rows)))
        return int(rows[chosen]), int(columns[chosen])


def _shares(weights: Sequence[float], places: Sequence[Sequence[object]]) -> NDArray[np.float64]:
    shares = np.array([weight if found else 0.0 for weight, found in zip(weights, places, strict=True)])
    return shares / shares.sum()
