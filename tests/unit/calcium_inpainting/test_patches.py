"""What an inpainting network is shown: where a patch lies, and what of it is hidden."""

import numpy as np
import pytest

from coronary.calcium_inpainting.patches import (
    PATCH_MM,
    PATCH_VOXELS,
    RANGE_HU,
    cut_patch,
    hidden_cube,
    network_input,
    patch_places,
    to_hu,
    to_unit,
)
from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import AIR_HU

SIZE = PATCH_VOXELS


def ramp_volume(affine):
    """Attenuation grows by 10 HU per mm to the patient's left, 5 to the back, 2 to the head."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in (70, 60, 60)), indexing="ij")
    place = np.stack([x, y, z], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    return CtVolume(np.round(place @ (10.0, 5.0, 2.0)).astype(np.int16), affine)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_a_patch_has_its_own_voxel_size_and_lies_around_its_middle(direction):
    affine = np.diag([0.4, 0.45, 0.6 * direction, 1.0])
    volume = ramp_volume(affine)
    middle = volume.to_lps_mm(np.array([35.0, 30.0, 30.0]))
    patch = cut_patch(volume, middle)
    assert patch.shape == (SIZE, SIZE, SIZE)
    assert patch.mean() == pytest.approx(middle @ (10.0, 5.0, 2.0), abs=0.5)
    steps = [np.diff(patch, axis=axis).mean() / PATCH_MM for axis in (2, 1, 0)]
    assert steps == pytest.approx([10.0, 5.0, 2.0 * direction], abs=0.1)


def test_places_are_one_voxel_apart_and_symmetric():
    middle = np.array([3.0, -4.0, 5.0])
    places = patch_places(middle, np.diag([0.4, 0.4, -0.6, 1.0]))
    assert np.allclose(places.mean(axis=(0, 1, 2)), middle)
    assert np.allclose(places[1, 0, 0] - places[0, 0, 0], (0.0, 0.0, -PATCH_MM))


def test_what_lies_outside_the_scan_is_air():
    volume = ramp_volume(np.diag([0.4, 0.45, 0.6, 1.0]))
    patch = cut_patch(volume, volume.to_lps_mm(np.array([0.0, 30.0, 30.0])))
    assert (patch[0] == AIR_HU).all()
    assert (patch[-1] > AIR_HU).all()


@pytest.mark.parametrize("side", [16, 8])
def test_the_hidden_cube_lies_in_the_middle(side):
    hidden = hidden_cube(side)
    assert hidden.sum() == side**3
    assert np.array_equal(hidden, np.flip(hidden))
    assert hidden[SIZE // 2, SIZE // 2, SIZE // 2]


def test_a_network_does_not_see_what_is_hidden():
    patches = np.random.default_rng(1).uniform(-200, 900, size=(2, SIZE, SIZE, SIZE)).astype(np.float32)
    other = patches.copy()
    hidden = hidden_cube(16)
    other[:, hidden] = 3000.0
    shown = network_input(patches, hidden)
    assert shown.shape == (2, 2, SIZE, SIZE, SIZE)
    assert np.array_equal(shown, network_input(other, hidden))
    assert np.array_equal(shown[:, 1] > 0, np.broadcast_to(hidden, patches.shape))


def test_attenuation_survives_the_way_to_the_network_and_back():
    hu = np.linspace(*RANGE_HU, 7, dtype=np.float32)
    assert to_hu(to_unit(hu)) == pytest.approx(hu, abs=0.01)
    assert to_unit(np.float32([-1000.0, 3000.0])).tolist() == [0.0, 1.0]
