"""What holds for every volume: additive, independent of orientation, of labels and of how arrays lie in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from coronary.calcium import CalciumScore, MassCalibration, Vessel, lesion_label_map, score_calcium

SPACING = (2.5, 0.6, 0.6)
CALIBRATION = MassCalibration(0.8, "phantom of the test")
AFFINE = np.array([[0.6, 0, 0, -31.0], [0, 0.6, 0, 12.0], [0, 0, 2.5, -80.0], [0, 0, 0, 1.0]])

HU = st.sampled_from([0, 100, 129, 130, 150, 199, 200, 299, 300, 399, 400, 900])


def volumes(labels_up_to: int = 4) -> st.SearchStrategy[tuple[NDArray[np.int16], NDArray[np.uint8]]]:
    shapes = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)
    return shapes.flatmap(
        lambda shape: st.tuples(
            hnp.arrays(np.int16, shape, elements=HU),
            hnp.arrays(np.uint8, shape, elements=st.integers(0, labels_up_to)),
        )
    )


def score(hu: NDArray[np.int16], labels: NDArray[np.uint8], affine: NDArray[np.float64] = AFFINE) -> CalciumScore:
    return score_calcium(hu, labels, SPACING, affine, mass_calibration=CALIBRATION)


@settings(deadline=None, max_examples=60)
@given(volumes(), volumes())
def test_score_is_additive_over_separate_lesions(
    first: tuple[NDArray[np.int16], NDArray[np.uint8]], second: tuple[NDArray[np.int16], NDArray[np.uint8]]
) -> None:
    side = 6
    hu = np.zeros((2 * side + 1, side, side), dtype=np.int16)
    labels = np.zeros(hu.shape, dtype=np.uint8)
    for start, (part_hu, part_labels) in ((0, first), (side + 1, second)):
        z, y, x = part_hu.shape
        hu[start : start + z, :y, :x] = part_hu
        labels[start : start + z, :y, :x] = part_labels
    together, one, other = score(hu, labels), score(*first), score(*second)
    assert len(together.lesions) == len(one.lesions) + len(other.lesions)
    for name in ("agatston", "agatston_paper", "volume_mm3", "mass_mg"):
        for key, value in getattr(together, name).as_dict().items():
            parts = getattr(one, name).as_dict()[key] + getattr(other, name).as_dict()[key]
            assert value == pytest.approx(parts, rel=1e-12)


@settings(deadline=None, max_examples=60)
@given(volumes(), st.sets(st.sampled_from([0, 1, 2])))
def test_a_flip_that_the_affine_follows_changes_nothing(
    drawn: tuple[NDArray[np.int16], NDArray[np.uint8]], axes: set[int]
) -> None:
    hu, labels = drawn
    affine = AFFINE.copy()
    for axis in axes:
        column = 2 - axis
        affine[:3, 3] += affine[:3, column] * (hu.shape[axis] - 1)
        affine[:3, column] *= -1
    flipped = score(np.flip(hu, tuple(axes)), np.flip(labels, tuple(axes)), affine)
    original = score(hu, labels)
    for name in ("agatston", "agatston_paper", "volume_mm3", "mass_mg", "risk_category", "cac_drs"):
        assert getattr(flipped, name) == getattr(original, name)

    def measured(result: CalciumScore) -> list[tuple[object, ...]]:
        return sorted((lesion.vessel, lesion.weighted_pixels, lesion.peak_hu) for lesion in result.lesions)

    def summed_centers(result: CalciumScore) -> list[float]:
        centers = np.array([lesion.center_lps_mm for lesion in result.lesions])
        return [float(total) for total in centers.reshape(-1, 3).sum(axis=0)]

    assert measured(flipped) == measured(original)
    np.testing.assert_allclose(summed_centers(flipped), summed_centers(original), atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(volumes(), st.randoms(use_true_random=False))
def test_the_total_does_not_depend_on_how_vessels_are_labelled(
    drawn: tuple[NDArray[np.int16], NDArray[np.uint8]], rng: object
) -> None:
    hu, labels = drawn
    shuffle = np.random.default_rng(rng.getrandbits(32))  # type: ignore[attr-defined]
    relabelled = np.where(labels > 0, shuffle.integers(1, 5, size=labels.shape), 0).astype(np.uint8)
    before, after = score(hu, labels), score(hu, relabelled)
    assert before.agatston.total == after.agatston.total
    assert before.agatston_paper.total == after.agatston_paper.total
    assert before.volume_mm3.total == after.volume_mm3.total
    assert before.mass_mg is not None
    assert after.mass_mg is not None
    assert before.mass_mg.total == after.mass_mg.total
    assert np.array_equal(lesion_label_map(hu, labels, SPACING) > 0, lesion_label_map(hu, relabelled, SPACING) > 0)


@settings(deadline=None, max_examples=60)
@given(volumes())
def test_whole_pixels_of_lesions_add_up_to_every_reported_number(
    drawn: tuple[NDArray[np.int16], NDArray[np.uint8]],
) -> None:
    result = score(*drawn)
    unit = SPACING[1] * SPACING[2] * (SPACING[0] / 3.0)
    assert result.agatston.total == sum(lesion.weighted_pixels for lesion in result.lesions) * unit
    for vessel in Vessel:
        own = [lesion for lesion in result.lesions if lesion.vessel is vessel]
        assert result.agatston.of(vessel) == sum(lesion.weighted_pixels for lesion in own) * unit
        assert (result.agatston.of(vessel) > 0) == (vessel in result.calcified_vessels)


@pytest.mark.parametrize(
    "lay_out", [np.asfortranarray, lambda a: a[:, :, ::-1][:, :, ::-1], lambda a: a.astype(np.int32)]
)
def test_memory_layout_and_integer_width_do_not_matter(
    lay_out: Callable[[NDArray[Any]], NDArray[Any]],
) -> None:
    rng = np.random.default_rng(1)
    hu = rng.choice([40, 150, 250, 450], size=(4, 9, 9)).astype(np.int16)
    labels = rng.integers(0, 5, size=hu.shape).astype(np.uint8)
    assert score(lay_out(hu), lay_out(labels)) == score(hu, labels)
    assert score(hu.astype(np.float32), labels) == score(hu, labels)
