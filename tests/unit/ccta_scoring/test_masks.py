"""Answers on the networks' grids become masks at the right place of the original voxels."""

import numpy as np
import pytest

from coronary.ccta_scoring.masks import aorta_mask, artery_mask, estimate_calcium, tree_slice_step
from coronary.ccta_scoring.preprocess import COARSE_MM, COARSE_PIXELS, CROP_PIXELS, EXCESS_RANGE, PIXEL_MM
from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import CropGrid

#: Middle of both crops, LPS mm.
CENTRE = (10.0, -20.0, 0.0)


def volume(pixel_mm, slices=9, spacing_mm=0.5, size=300):
    affine = np.diag([pixel_mm, pixel_mm, spacing_mm, 1.0])
    affine[:2, 3] = [c - pixel_mm * (size - 1) / 2 for c in CENTRE[:2]]
    return CtVolume(np.zeros((slices, size, size), np.int16), affine)


def disc(size, pixel_mm, at_mm, radius_mm):
    """Probability 0 to 255 of a disc with a border one pixel wide; `at_mm` (x, y) from the middle of the crop."""
    offsets = (np.arange(size) - (size - 1) / 2) * pixel_mm
    distance = np.hypot(offsets[None, :] - at_mm[0], offsets[:, None] - at_mm[1])
    return np.round(255 * np.clip(0.5 + (radius_mm - distance) / pixel_mm, 0.0, 1.0)).astype(np.uint8)


def answers(slices):
    """Room for the answers of the tree network."""
    return np.zeros((slices, 3, CROP_PIXELS, CROP_PIXELS), np.uint8)


@pytest.mark.parametrize("pixel_mm", [0.35, 0.5, 0.7])
def test_an_artery_has_its_place_and_size_at_any_pixel(pixel_mm):
    scan = volume(pixel_mm, spacing_mm=1.0)
    planes = answers(9)
    planes[4, 0] = disc(CROP_PIXELS, PIXEL_MM, (12.0, -7.0), 2.0)
    mask = artery_mask(planes, CropGrid.around(scan, CENTRE, PIXEL_MM, CROP_PIXELS), scan)
    assert mask.any(axis=(1, 2)).tolist() == [z == 4 for z in range(9)]
    middle = scan.to_lps_mm(np.argwhere(mask).astype(float)).mean(axis=0)
    assert middle[:2] == pytest.approx([CENTRE[0] + 12.0, CENTRE[1] - 7.0], abs=0.1)
    assert mask.sum() * pixel_mm**2 == pytest.approx(np.pi * 2.0**2, rel=0.12)


def test_slices_that_were_not_run_lie_between_their_neighbours():
    scan = volume(0.5, spacing_mm=0.5)
    assert tree_slice_step(0.5) == 2
    planes = answers(5)
    planes[1, 0], planes[2, 0] = (disc(CROP_PIXELS, PIXEL_MM, (x, 0.0), 3.0) for x in (0.0, 2.0))
    mask = artery_mask(planes, CropGrid.around(scan, CENTRE, PIXEL_MM, CROP_PIXELS), scan)
    middles = [scan.to_lps_mm(np.argwhere(mask[z : z + 1]).astype(float))[:, 0].mean() - CENTRE[0] for z in (2, 3, 4)]
    assert middles == pytest.approx([0.0, 1.0, 2.0], abs=0.1)


@pytest.mark.parametrize("pixel_mm", [0.35, 0.5])
def test_estimated_calcium_has_its_place_and_its_attenuation(pixel_mm):
    scan = volume(pixel_mm, spacing_mm=0.5)
    planes = answers(5)
    planes[2, 1] = disc(CROP_PIXELS, PIXEL_MM, (5.0, -3.0), 2.0)
    planes[2, 2] = round(255 * 1.5 / EXCESS_RANGE)
    planes[1, 2] = planes[3, 2] = round(255 * 0.5 / EXCESS_RANGE)
    found = estimate_calcium(planes, CropGrid.around(scan, CENTRE, PIXEL_MM, CROP_PIXELS), scan, 400.0)
    place = scan.to_lps_mm(found.index_zyx.astype(float))
    assert place[:, :2].mean(axis=0) == pytest.approx([CENTRE[0] + 5.0, CENTRE[1] - 3.0], abs=0.1)
    # Slice 4 was run; 3 and 5 lie half way to slices without calcium.
    assert sorted(set(found.index_zyx[:, 0].tolist())) == [3, 4, 5]
    run, between = found.index_zyx[:, 0] == 4, found.index_zyx[:, 0] == 5
    assert found.probability[run].max() == 1.0
    assert found.probability[between].max() == pytest.approx(0.5, abs=0.01)
    assert found.excess_hu[run] == pytest.approx(600.0, rel=0.02)
    assert found.excess_hu[between] == pytest.approx(400.0, rel=0.02)
    assert np.all(np.diff(np.ravel_multi_index(found.index_zyx.T, scan.voxels_hu.shape)) > 0)


@pytest.mark.parametrize(("spacing_mm", "step"), [(0.25, 4), (0.4, 2), (0.5, 2), (0.6, 1), (1.0, 1), (1.5, 1)])
def test_slices_are_run_at_most_a_millimetre_apart_or_all(spacing_mm, step):
    assert tree_slice_step(spacing_mm) == step


def test_the_aorta_is_the_largest_piece_and_is_interpolated_between_coarse_slices():
    scan = volume(0.5, slices=21, spacing_mm=0.5)
    planes = np.zeros((11, COARSE_PIXELS, COARSE_PIXELS), np.uint8)
    planes[2:9] = disc(COARSE_PIXELS, COARSE_MM, (0.0, 0.0), 15.0)
    planes[2:9] |= disc(COARSE_PIXELS, COARSE_MM, (40.0, 0.0), 8.0)
    mask = aorta_mask(planes, CropGrid.around(scan, CENTRE, COARSE_MM, COARSE_PIXELS), scan)
    assert np.flatnonzero(mask.any(axis=(1, 2))).tolist() == list(range(3, 18))
    area_mm2 = mask[10].sum() * 0.25
    assert area_mm2 == pytest.approx(np.pi * 15.0**2, rel=0.05)
    place = scan.to_lps_mm(np.argwhere(mask).astype(float))
    assert np.abs(place[:, 0] - CENTRE[0]).max() < 17.0


def test_nothing_found_is_an_empty_mask():
    scan = volume(0.5)
    fine = np.full((9, 3, CROP_PIXELS, CROP_PIXELS), 20, np.uint8)
    coarse = np.full((5, COARSE_PIXELS, COARSE_PIXELS), 100, np.uint8)
    fine_grid = CropGrid.around(scan, CENTRE, PIXEL_MM, CROP_PIXELS)
    assert not artery_mask(fine, fine_grid, scan).any()
    assert len(estimate_calcium(fine, fine_grid, scan, 400.0).index_zyx) == 0
    assert not aorta_mask(coarse, CropGrid.around(scan, CENTRE, COARSE_MM, COARSE_PIXELS), scan).any()
