"""The heart is found, and its blood measured, whatever the field of view; without a heart both say so."""

import numpy as np
import pytest

from builders.thorax_volume import HEART_LPS_MM, thorax_volume
from coronary.ct_volume import CtVolume
from coronary.imaging.blood_pool import measure_blood_pool
from coronary.imaging.heart_region import find_heart_region


@pytest.mark.parametrize(
    ("field_mm", "centre_mm"),
    [(400.0, (0.0, 0.0)), (260.0, HEART_LPS_MM), (220.0, (10.0, -5.0)), (180.0, HEART_LPS_MM)],
)
def test_heart_is_found_in_every_usual_field_of_view(field_mm, centre_mm):
    volume = thorax_volume(field_mm=field_mm, field_centre_mm=centre_mm)
    region = find_heart_region(volume)
    assert region.is_found
    # The crop is 153.6 mm wide and a heart about 120 mm: 15 mm to either side still holds it.
    assert region.center_lps_mm[:2] == pytest.approx(HEART_LPS_MM, abs=15)


def test_heart_is_the_same_in_every_slice_order():
    volume = thorax_volume()
    flipped = volume.affine_lps.copy()
    flipped[:3, 3] += flipped[:3, 2] * (volume.voxels_hu.shape[0] - 1)
    flipped[:3, 2] *= -1
    upside_down = CtVolume(volume.voxels_hu[::-1], flipped)
    ours, theirs = find_heart_region(volume).center_lps_mm, find_heart_region(upside_down).center_lps_mm
    assert theirs == pytest.approx(ours, abs=1.0)


@pytest.mark.parametrize("hu", [-1024, 40], ids=["air", "water"])
def test_without_lungs_the_middle_of_the_image_is_returned(hu):
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    volume = CtVolume(np.full((20, 100, 120), hu, np.int16), affine)
    region = find_heart_region(volume)
    assert not region.is_found
    assert region.center_lps_mm == pytest.approx((59.5, 49.5, 28.5))


@pytest.mark.parametrize("slices", [1, 2])
def test_very_few_slices_are_no_error(slices):
    volume = thorax_volume(slices=slices)
    assert not find_heart_region(volume).is_found
    measure_blood_pool(volume)


@pytest.mark.parametrize("blood_hu", [30.0, 45.0, 60.0, 130.0, 250.0, 450.0, 700.0])
@pytest.mark.parametrize("field_mm", [360.0, 200.0])
def test_blood_is_measured_through_noise(blood_hu, field_mm):
    centre = (0.0, 0.0) if field_mm > 300 else HEART_LPS_MM
    pool = measure_blood_pool(thorax_volume(blood_hu, field_mm=field_mm, field_centre_mm=centre))
    assert pool is not None
    # The brightest quarter of what is homogeneous: never darker than muscle, at most a noise quantile above the blood.
    assert pool.median_hu == pytest.approx(max(blood_hu, 45.0), abs=15)


def test_calcium_bone_and_metal_do_not_pass_for_blood():
    plain = thorax_volume(45.0)
    voxels = plain.voxels_hu.copy()
    row, column = (round(float(v)) for v in plain.to_index_zyx(np.array([*HEART_LPS_MM, 0.0]))[1:])
    voxels[5:20, row - 6 : row + 6, column - 6 : column + 6] = 900
    voxels[10:14, row + 10 : row + 12, :] = 3000
    pool = measure_blood_pool(CtVolume(voxels, plain.affine_lps))
    assert pool is not None
    assert pool.median_hu < 80


def test_air_has_no_blood_pool():
    assert measure_blood_pool(CtVolume(np.full((20, 64, 64), -1000, np.int16), np.diag([3.0, 3.0, 3.0, 1.0]))) is None
