"""What is taken off a scan, and what stays as it was."""

import numpy as np
import pytest

from coronary.calcium_inpainting.patches import FINE_RANGE, PATCH_MM, PATCH_VOXELS, WALL_HU
from coronary.calcium_inpainting.removal import (
    BATCH,
    BORDER_MM,
    LEAST_EXCESS,
    remove_calcium,
    within_reach,
)
from coronary.ct_volume import CtVolume

BLOOD_HU = 460.0
CONTRAST_HU = BLOOD_HU - WALL_HU
#: Turned about the long axis and with slices towards the feet, as a scanner may store it.
AFFINE = np.array([[0.36, -0.27, 0.0, 5.0], [0.27, 0.36, 0.0, -8.0], [0.0, 0.0, -0.6, 30.0], [0.0, 0.0, 0.0, 1.0]])


class Network:
    """Says that calcium adds what lies above blood."""

    def __init__(self):
        self.calls = []

    def run(self, inputs):
        image = inputs["image"]
        assert image.shape[1:] == (2, PATCH_VOXELS, PATCH_VOXELS, PATCH_VOXELS)
        assert image.dtype == np.float32
        self.calls.append(len(image))
        return [np.minimum(12.0 * image[:, 1] + np.minimum(image[:, 0], 0.0), 1.0)]


@pytest.fixture
def volume():
    """Blood everywhere, with a plaque longer than any patch."""
    voxels = np.full((50, 50, 50), BLOOD_HU, np.int16)
    voxels[5:45, 20:24, 25:28] = 1260
    return CtVolume(voxels, AFFINE)


@pytest.fixture
def is_scored(volume):
    return volume.voxels_hu > BLOOD_HU


def test_what_the_network_says_is_taken_off(volume, is_scored):
    network = Network()
    removed = remove_calcium(network, volume, is_scored, BLOOD_HU)
    inside = np.zeros_like(is_scored)
    inside[6:44, 21:23, 26] = True  # beside the surface a voxel is interpolated from blood as well
    assert removed.volume.voxels_hu[inside] == pytest.approx(BLOOD_HU, abs=60)
    assert 40 * 0.6 / (16 * PATCH_MM) < sum(network.calls) <= 20
    assert max(network.calls) <= BATCH


def test_every_other_voxel_stays_bit_for_bit_and_the_source_is_not_written_to(volume, is_scored):
    before = volume.voxels_hu.copy()
    removed = remove_calcium(Network(), volume, is_scored, BLOOD_HU)
    assert removed.volume.voxels_hu.dtype == before.dtype
    assert np.array_equal(removed.volume.voxels_hu[~removed.is_altered], before[~removed.is_altered])
    assert removed.volume.affine_lps is volume.affine_lps
    assert np.array_equal(volume.voxels_hu, before)


def test_only_calcium_and_its_border_are_altered_and_only_where_something_is_added(volume, is_scored):
    elsewhere = volume.voxels_hu.copy()
    elsewhere[30:32, 40:42, 5:8] = 1260
    removed = remove_calcium(Network(), CtVolume(elsewhere, AFFINE), is_scored, BLOOD_HU)
    near = np.zeros_like(is_scored)
    near[tuple(within_reach(is_scored, volume.spacing_zyx_mm, BORDER_MM).T)] = True
    assert not removed.is_altered[~near].any()
    assert (removed.is_altered & is_scored).any()
    assert 0 < removed.is_altered.sum() < near.sum()
    taken_hu = elsewhere.astype(int) - removed.volume.voxels_hu
    assert taken_hu[removed.is_altered].min() >= np.floor(LEAST_EXCESS * CONTRAST_HU)


def test_blood_is_one_and_wall_is_zero_at_the_network(volume, is_scored):
    seen = []

    class Looking(Network):
        def run(self, inputs):
            seen.append(inputs["image"])
            return super().run(inputs)

    wall = CtVolume(np.where(volume.voxels_hu > BLOOD_HU, volume.voxels_hu, WALL_HU).astype(np.int16), AFFINE)
    remove_calcium(Looking(), wall, is_scored, BLOOD_HU)
    fine, coarse = seen[0][0]
    assert np.median(fine) == 0.0
    assert fine.max() == FINE_RANGE[1]
    assert 12.0 * coarse.max() == pytest.approx(1200 / CONTRAST_HU, rel=1e-3)


def test_without_calcium_nothing_is_asked_and_nothing_changes(volume):
    network = Network()
    removed = remove_calcium(network, volume, np.zeros(volume.voxels_hu.shape, bool), BLOOD_HU)
    assert not network.calls
    assert not removed.is_altered.any()
    assert np.array_equal(removed.volume.voxels_hu, volume.voxels_hu)


def test_scored_voxels_of_another_shape_are_refused(volume):
    with pytest.raises(ValueError, match="shape"):
        remove_calcium(Network(), volume, np.zeros((2, 2, 2), bool), BLOOD_HU)


def test_reach_is_measured_in_millimetres():
    scored = np.zeros((9, 9, 9), bool)
    scored[4, 4, 4] = True
    near = within_reach(scored, (0.6, 0.45, 0.45), 1.0)
    offsets = (near - 4) * (0.6, 0.45, 0.45)
    assert (np.linalg.norm(offsets, axis=1) <= 1.0).all()
    assert len(near) == 27 + 4  # the corners of the cube lie 0.87 mm away, two steps along rows or columns 0.9 mm
