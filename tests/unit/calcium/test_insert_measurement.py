"""Phantom inserts: measured without vessels, and by a mass that no threshold changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium import MassCalibration, integrated_mass, measure_lesions, surrounding_shell

SPACING = (1.0, 0.5, 0.5)
AFFINE = np.diag([0.5, 0.5, 1.0, 1.0])
CALIBRATION = MassCalibration(0.8, "phantom of the test")


def cylinder(diameter_mm: float, length_mm: float, hu: float, background_hu: float) -> NDArray[np.float64]:
    """A cylinder along z in the middle of a 24 x 32 x 32 mm box, edges averaged over 8 sub-pixels."""
    fine = (np.arange(64 * 8) + 0.5) / 16 - 16
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= (diameter_mm / 2) ** 2).astype(np.float64)
    disc = inside.reshape(64, 8, 64, 8).mean(axis=(1, 3))
    volume = np.full((24, 64, 64), background_hu)
    first = 12 - int(length_mm) // 2
    volume[first : first + int(length_mm)] += disc * (hu - background_hu)
    return volume


def test_an_insert_is_measured_like_a_lesion_without_a_vessel() -> None:
    voxels = np.full((3, 8, 8), 40, dtype=np.int16)
    voxels[1, 2:4, 2:4] = 310
    voxels[1, 2, 2] = 190
    (insert,) = measure_lesions(voxels, np.ones(voxels.shape, bool), SPACING, AFFINE, mass_calibration=CALIBRATION)
    assert insert.agatston == 4 * 3 * 0.25 * (1.0 / 3.0)
    assert insert.agatston_paper == 4 * 3 * 0.25
    assert (insert.volume_mm3, insert.peak_hu, insert.mean_hu, insert.slices) == (1.0, 310, 280, (1,))
    assert insert.mass_mg == pytest.approx(0.8 * 280 * 1.0 / 1000)
    assert insert.center_lps_mm == (1.25, 1.25, 1.0)


def test_the_mask_limits_where_objects_are_looked_for() -> None:
    voxels = np.full((1, 8, 20), 40, dtype=np.int16)
    voxels[0, 2:5, 2:5] = voxels[0, 2:5, 12:15] = 500
    mask = np.zeros(voxels.shape, bool)
    mask[:, :, 10:] = True
    assert [m.center_lps_mm[0] for m in measure_lesions(voxels, mask, SPACING, AFFINE)] == [6.5]


def test_another_threshold_gives_volume_and_mass_but_no_agatston_score() -> None:
    voxels = np.full((1, 8, 8), 40, dtype=np.int16)
    voxels[0, 2:5, 2:5] = 110
    mask = np.ones(voxels.shape, bool)
    assert measure_lesions(voxels, mask, SPACING, AFFINE) == ()
    (insert,) = measure_lesions(voxels, mask, SPACING, AFFINE, threshold_hu=100, mass_calibration=CALIBRATION)
    assert (insert.agatston, insert.agatston_paper, insert.voxel_count) == (None, None, 9)


def test_a_one_millimetre_insert_needs_the_minimum_area_switched_off() -> None:
    voxels = np.full((1, 8, 8), 40, dtype=np.int16)
    voxels[0, 2, 2:5] = 300
    mask = np.ones(voxels.shape, bool)
    assert measure_lesions(voxels, mask, SPACING, AFFINE) == ()
    assert len(measure_lesions(voxels, mask, SPACING, AFFINE, minimum_area_mm2=0.0)) == 1


@pytest.mark.parametrize("blur_mm", [0.0, 0.6, 1.2])
def test_integrated_mass_of_a_blurred_cylinder_is_its_true_mass(blur_mm: float) -> None:
    # 5 mm x 4 mm cylinder, 500 HU in 40 HU: mass = factor x (500 - 40) x volume; thresholding cannot see through blur.
    sharp = cylinder(5.0, 4.0, 500.0, 40.0)
    voxels = ndimage.gaussian_filter(sharp, [blur_mm / s for s in SPACING], mode="nearest")
    core = voxels > 250
    region = core | surrounding_shell(core, SPACING, inner_mm=0.0, outer_mm=5.0)
    background = float(np.median(voxels[surrounding_shell(core, SPACING, inner_mm=5.0, outer_mm=7.0)]))
    result = integrated_mass(voxels, region, SPACING, background_hu=background, mass_calibration=CALIBRATION)
    true_mass_mg = 0.8 * 460 * (np.pi * 2.5**2 * 4.0) / 1000
    assert result.mass_mg == pytest.approx(true_mass_mg, rel=0.01)
    assert result.background_hu == pytest.approx(40, abs=0.1)


def test_integrated_mass_of_background_alone_is_zero() -> None:
    voxels = np.full((3, 4, 4), 47, dtype=np.int16)
    region = np.ones(voxels.shape, bool)
    result = integrated_mass(voxels, region, SPACING, background_hu=47.0, mass_calibration=CALIBRATION)
    assert (result.mass_mg, result.voxel_count) == (0.0, 48)


def test_a_shell_leaves_the_object_out_and_measures_in_millimetres() -> None:
    mask = np.zeros((5, 9, 9), bool)
    mask[2, 4, 4] = True
    shell = surrounding_shell(mask, (3.0, 1.0, 1.0), inner_mm=0.0, outer_mm=1.0)
    assert np.argwhere(shell).tolist() == [[2, 3, 4], [2, 4, 3], [2, 4, 5], [2, 5, 4]]
    assert surrounding_shell(mask, (3.0, 1.0, 1.0), inner_mm=2.9, outer_mm=3.0)[1, 4, 4]


def test_measurements_of_nothing_are_refused() -> None:
    voxels = np.zeros((2, 3, 3), np.int16)
    empty = np.zeros(voxels.shape, bool)
    with pytest.raises(ValueError, match="region of 0 voxels"):
        integrated_mass(voxels, empty, SPACING, background_hu=0.0, mass_calibration=CALIBRATION)
    with pytest.raises(ValueError, match="expected the same"):
        integrated_mass(voxels, empty[:1], SPACING, background_hu=0.0, mass_calibration=CALIBRATION)
    with pytest.raises(ValueError, match="mask is empty"):
        surrounding_shell(empty, SPACING, inner_mm=0.0, outer_mm=1.0)
    with pytest.raises(ValueError, match="inner < outer"):
        surrounding_shell(~empty, SPACING, inner_mm=2.0, outer_mm=1.0)
