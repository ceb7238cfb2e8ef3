"""Dice and intersection over union."""

from __future__ import annotations

import numpy as np
import pytest

from coronary.evaluation import MaskOverlap, mask_overlap


def test_overlap_by_hand() -> None:
    reference = np.array([[1, 1, 1, 0], [0, 0, 0, 0]])
    predicted = np.array([[0, 1, 1, 1], [1, 0, 0, 0]])
    overlap = mask_overlap(reference, predicted)
    assert (overlap.dice, overlap.iou) == (4 / 7, 2 / 5)


def test_two_empty_masks_have_no_overlap_value() -> None:
    empty = mask_overlap(np.zeros(4), np.zeros(4))
    assert (empty.dice, empty.iou) == (None, None)
    assert mask_overlap(np.zeros(4), np.ones(4)).dice == 0.0


def test_counts_of_cases_add_up_to_a_pooled_overlap() -> None:
    pooled = MaskOverlap(10, 10, 10) + MaskOverlap(10, 0, 0)
    assert pooled.dice == 20 / 30


def test_masks_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the same"):
        mask_overlap(np.zeros(3), np.zeros(4))
