"""Overlap of two masks: Dice and intersection over union.

Decides that two empty masks have no overlap value (None), neither 0 nor 1: averages over cases must leave them out
and say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MaskOverlap:
    """Voxel counts of a reference and a predicted mask; add counts of cases to get a pooled overlap."""

    n_reference: int
    n_predicted: int
    n_both: int

    @property
    def dice(self) -> float | None:
        """2|A∩B| / (|A| + |B|) (Dice, Ecology 1945;26:297–302); None when both masks are empty."""
        total = self.n_reference + self.n_predicted
        return 2 * self.n_both / total if total else None

    @property
    def iou(self) -> float | None:
        """|A∩B| / |A∪B| (Jaccard, New Phytol 1912;11:37–50); None when both masks are empty."""
        union = self.n_reference + self.n_predicted - self.n_both
        return self.n_both / union if union else None

    def __add__(self, other: MaskOverlap) -> MaskOverlap:
        return MaskOverlap(
            self.n_reference + other.n_reference, self.n_predicted + other.n_predicted, self.n_both + other.n_both
        )


def mask_overlap(reference: NDArray[Any], predicted: NDArray[Any]) -> MaskOverlap:
    """Count the voxels of two masks of one shape (non-zero is inside); ValueError if the shapes differ."""
    if reference.shape != predicted.shape:
        raise ValueError(f"masks have shapes {reference.shape} and {predicted.shape}, expected the same")
    a, b = reference.astype(np.bool_), predicted.astype(np.bool_)
    return MaskOverlap(int(a.sum()), int(b.sum()), int((a & b).sum()))
