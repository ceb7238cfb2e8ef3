"""What is taken off a scan, and what stays as it was."""

import numpy as np
import pytest

from coronary.calcium_extent import BORDER_PROBABILITY
from coronary.calcium_inpainting.removal import remove_calcium
from coronary.contract import CalciumEstimate
from coronary.ct_volume import CtVolume

AFFINE = np.diag([0.4, 0.4, 0.5, 1.0])
SCORED, BORDER, BEYOND, ELSEWHERE = (2, 3, 4), (2, 3, 5), (2, 3, 6), (7, 7, 7)


@pytest.fixture
def volume():
    return CtVolume(np.random.default_rng(3).normal(400, 20, (10, 10, 10)).astype(np.int16), AFFINE)


@pytest.fixture
def estimate():
    return CalciumEstimate(
        index_zyx=np.array([SCORED, BORDER, BEYOND, ELSEWHERE]),
        probability=np.array([0.99, BORDER_PROBABILITY, 0.5 * BORDER_PROBABILITY, 0.99]),
        excess_hu=np.array([250.4, 60.0, 30.0, 300.0]),
    )


def only(*places):
    mask = np.zeros((10, 10, 10), bool)
    for place in places:
        mask[place] = True
    return mask


def test_the_excess_of_scored_calcium_and_its_border_is_taken_off(volume, estimate):
    removed = remove_calcium(volume, estimate, only(SCORED))
    assert removed.volume.voxels_hu[SCORED] == round(volume.voxels_hu[SCORED] - 250.4)
    assert removed.volume.voxels_hu[BORDER] == volume.voxels_hu[BORDER] - 60
    assert np.array_equal(removed.is_altered, only(SCORED, BORDER))


def test_every_other_voxel_stays_bit_for_bit(volume, estimate):
    removed = remove_calcium(volume, estimate, only(SCORED))
    unaltered = ~removed.is_altered
    assert removed.volume.voxels_hu.dtype == volume.voxels_hu.dtype
    assert np.array_equal(removed.volume.voxels_hu[unaltered], volume.voxels_hu[unaltered])
    assert removed.volume.affine_lps is volume.affine_lps


def test_the_source_is_not_written_to(volume, estimate):
    before = volume.voxels_hu.copy()
    remove_calcium(volume, estimate, only(SCORED, ELSEWHERE))
    assert np.array_equal(volume.voxels_hu, before)


def test_without_scored_calcium_nothing_changes(volume, estimate):
    removed = remove_calcium(volume, estimate, only())
    assert not removed.is_altered.any()
    assert np.array_equal(removed.volume.voxels_hu, volume.voxels_hu)


def test_an_excess_below_zero_adds_nothing(volume, estimate):
    below = CalciumEstimate(estimate.index_zyx, estimate.probability, -estimate.excess_hu)
    assert np.array_equal(remove_calcium(volume, below, only(SCORED)).volume.voxels_hu, volume.voxels_hu)


def test_attenuation_stays_within_what_a_voxel_can_hold(volume, estimate):
    huge = CalciumEstimate(estimate.index_zyx, estimate.probability, np.full(4, 1e6))
    assert remove_calcium(volume, huge, only(SCORED)).volume.voxels_hu[SCORED] == np.iinfo(np.int16).min


def test_scored_voxels_of_another_shape_are_refused(volume, estimate):
    with pytest.raises(ValueError, match=r"\(2, 2, 2\), the volume \(10, 10, 10\)"):
        remove_calcium(volume, estimate, np.zeros((2, 2, 2), bool))
