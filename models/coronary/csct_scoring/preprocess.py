"""From a CT volume to the network's input: one implementation for training and serving.

Each slice is resampled to a fixed pixel size and cut around the heart. The network sees the slice with its
neighbours, its calcium-like pixels and their peak attenuation; the paper gives it the slice and its mask only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import AGATSTON_THRESHOLD_HU
from coronary.ct_volume import CtVolume
from coronary.imaging.heart_region import find_heart_region
from coronary.imaging.resampling import CropGrid, resample_linear, resample_maximum

#: Pixel size of the network's grid. The score itself is always taken from the voxels of the original grid.
PIXEL_MM = 0.8

#: Rows and columns of the network's input: 153.6 mm, the widest hearts with pericardium.
CROP_PIXELS = 192

#: Neighbouring slices shown to the network, mm from the slice itself along the normal.
CONTEXT_OFFSETS_MM = (-12.0, -6.0, -3.0, 0.0, 3.0, 6.0, 12.0)

#: Channels: the context slices, the ≥ 130 HU mask, the peak attenuation of calcium-like pixels.
CHANNELS = len(CONTEXT_OFFSETS_MM) + 2

#: Attenuation window of the context channels, HU.
WINDOW_HU = (-250.0, 450.0)

#: Peak attenuation is shown to the network up to this value, HU: the highest Agatston weight begins at 400.
PEAK_LIMIT_HU = 900.0


@dataclass(frozen=True, slots=True, eq=False)
class PreparedVolume:
    """A volume on the network's grid.

    Parameters
    ----------
    hu, peak_hu
        Shape (slices, size, size), HU: linear resampling, and the highest voxel under each pixel.
    grid
        Where the crop lies in the original slices.
    slice_spacing_mm
        Distance between slice positions.
    volume
        The volume it was made from.
    is_heart_found
        False where the crop lies around the middle of the image because no lungs were in view.
    """

    hu: NDArray[np.int16]
    peak_hu: NDArray[np.int16]
    grid: CropGrid
    slice_spacing_mm: float
    volume: CtVolume
    is_heart_found: bool

    def to_index_zyx(self, points_lps_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map LPS points (..., 3) in mm to fractional (slice, row, column) on the network's grid."""
        index = self.volume.to_index_zyx(points_lps_mm)
        rows, columns = self.grid.to_pixels(index[..., 1], index[..., 2])
        return np.stack([index[..., 0], rows, columns], axis=-1)


def prepare(volume: CtVolume, size: int = CROP_PIXELS) -> PreparedVolume:
    """Resample `volume` to `size` × `size` pixels of PIXEL_MM around the heart."""
    region = find_heart_region(volume)
    grid = CropGrid.around(volume, region.center_lps_mm, PIXEL_MM, size)
    return PreparedVolume(
        hu=resample_linear(volume.voxels_hu, grid),
        peak_hu=resample_maximum(volume.voxels_hu, grid),
        grid=grid,
        slice_spacing_mm=volume.spacing_zyx_mm[0],
        volume=volume,
        is_heart_found=region.is_found,
    )


def context_slices(z: int, slices: int, slice_spacing_mm: float) -> tuple[int, ...]:
    """Indices of the slices nearest to CONTEXT_OFFSETS_MM around slice `z`; the ends of the volume are repeated."""
    steps = (round(offset / slice_spacing_mm) for offset in CONTEXT_OFFSETS_MM)
    return tuple(min(max(z + step, 0), slices - 1) for step in steps)


def stack_channels(context_hu: NDArray[np.float32], peak_hu: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale and stack one slice's channels.

    Parameters
    ----------
    context_hu
        Shape (len(CONTEXT_OFFSETS_MM), rows, columns), HU.
    peak_hu
        Shape (rows, columns), HU.

    Returns
    -------
    ndarray
        Shape (CHANNELS, rows, columns): context in −1…1, mask 0 or 1, peak 0…1.
    """
    low, high = WINDOW_HU
    channels = np.empty((CHANNELS, *peak_hu.shape), np.float32)
    channels[:-2] = (np.clip(context_hu, low, high) - (high + low) / 2) / ((high - low) / 2)
    channels[-2] = peak_hu >= AGATSTON_THRESHOLD_HU
    scaled = (np.clip(peak_hu, AGATSTON_THRESHOLD_HU, PEAK_LIMIT_HU) - AGATSTON_THRESHOLD_HU) / (
        PEAK_LIMIT_HU - AGATSTON_THRESHOLD_HU
    )
    channels[-1] = scaled
    return channels


def network_input(prepared: PreparedVolume, z: int) -> NDArray[np.float32]:
    """Input of slice `z`, shape (CHANNELS, size, size)."""
    slices = context_slices(z, prepared.hu.shape[0], prepared.slice_spacing_mm)
    return stack_channels(prepared.hu[list(slices)].astype(np.float32), prepared.peak_hu[z].astype(np.float32))
