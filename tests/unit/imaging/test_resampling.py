"""Nothing bright is lost on a coarser grid, positions map back to where they came from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import AIR_HU, CropGrid, resample_linear, resample_maximum

PIXELS_MM = (0.31, 0.4, 0.488, 0.8, 0.95)


def volume_of(voxels, pixel_mm):
    affine = np.diag([pixel_mm, pixel_mm, 3.0, 1.0])
    affine[:3, 3] = -20.0, 10.0, 5.0
    return CtVolume(voxels, affine)


def grid_over(volume, size=48, pixel_mm=0.8):
    middle = volume.to_lps_mm((np.array(volume.voxels_hu.shape) - 1) / 2)
    return CropGrid.around(volume, tuple(middle), pixel_mm, size)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(PIXELS_MM))
def test_a_single_bright_voxel_survives_where_it_is_looked_up(seed, pixel_mm):
    generator = np.random.default_rng(seed)
    voxels = np.full((3, 60, 70), 40, np.int16)
    volume = volume_of(voxels, pixel_mm)
    grid = grid_over(volume)
    z, y, x = (int(generator.integers(n)) for n in voxels.shape)
    voxels[z, y, x] = 131
    inside, row, column = grid.nearest_pixels([y], [x])
    peak = resample_maximum(volume.voxels_hu, grid)
    assert peak.shape == (3, 48, 48)
    assert (peak[z, row[0], column[0]] == 131) if inside[0] else not (peak == 131).any()


def test_maximum_invents_nothing():
    voxels = np.random.default_rng(0).integers(-100, 400, (2, 64, 64)).astype(np.int16)
    peak = resample_maximum(voxels, grid_over(volume_of(voxels, 0.5)))
    assert set(np.unique(peak)) <= set(np.unique(voxels)) | {AIR_HU}


@pytest.mark.parametrize("pixel_mm", PIXELS_MM)
def test_linear_resampling_keeps_a_ramp_in_place(pixel_mm):
    count = round(60 / pixel_mm)
    rows, columns = np.mgrid[0:count, 0:count]
    voxels = np.round(10 * pixel_mm * rows + 4 * pixel_mm * columns).astype(np.int16)[None]
    volume = volume_of(voxels, pixel_mm)
    grid = grid_over(volume, size=40)
    resampled = resample_linear(voxels, grid)[0]
    index = np.arange(40)
    original_rows = grid.first_row + index * grid.row_step
    original_columns = grid.first_column + index * grid.column_step
    expected = 10 * pixel_mm * original_rows[:, None] + 4 * pixel_mm * original_columns[None, :]
    assert np.abs(resampled - expected).max() <= 1.6


def test_linear_resampling_averages_noise_where_it_gets_coarser():
    voxels = np.random.default_rng(1).normal(50, 30, (1, 200, 200)).astype(np.int16)
    resampled = resample_linear(voxels, grid_over(volume_of(voxels, 0.4)))
    assert resampled.mean() == pytest.approx(50, abs=2)
    assert resampled.std() < 20


def test_outside_the_field_of_view_is_air():
    voxels = np.full((1, 20, 20), 300, np.int16)
    grid = grid_over(volume_of(voxels, 0.8), size=64)
    for resampled in (resample_linear(voxels, grid), resample_maximum(voxels, grid)):
        assert (resampled[0, :8] == AIR_HU).all()
        assert resampled[0, 32, 32] == 300


def test_lookup_is_the_inverse_of_the_grid():
    grid = grid_over(volume_of(np.zeros((1, 80, 80), np.int16), 0.488))
    index = np.arange(grid.size)
    rows, columns = grid.to_pixels(grid.first_row + index * grid.row_step, grid.first_column + index * grid.column_step)
    assert rows == pytest.approx(index)
    assert columns == pytest.approx(index)
