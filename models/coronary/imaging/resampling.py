"""In-plane resampling to a fixed pixel size around a point: one implementation for training and serving.

Decides how attenuation and calcium-like voxels reach a coarser grid, and how answers on that grid are looked up at
the original voxels. Slices are never resampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from coronary.ct_volume import CtVolume

Voxel = TypeVar("Voxel", bound=np.generic)

#: Attenuation outside the field of view, HU.
AIR_HU = -1024


@dataclass(frozen=True, slots=True)
class CropGrid:
    """A square grid of pixels laid over every slice of a volume.

    The pixel with index i lies at the original fractional index ``first + i * step`` (rows and columns each).
    """

    size: int
    first_row: float
    first_column: float
    row_step: float
    column_step: float

    @classmethod
    def around(
        cls, volume: CtVolume, center_lps_mm: tuple[float, float, float], pixel_mm: float, size: int
    ) -> CropGrid:
        """Grid of `size` × `size` pixels of `pixel_mm`, its middle at the in-plane position of `center_lps_mm`."""
        _, row, column = volume.to_index_zyx(np.asarray(center_lps_mm, dtype=np.float64))
        _, row_mm, column_mm = volume.spacing_zyx_mm
        row_step, column_step = pixel_mm / row_mm, pixel_mm / column_mm
        half = (size - 1) / 2
        return cls(size, float(row - half * row_step), float(column - half * column_step), row_step, column_step)

    def to_pixels(self, rows: ArrayLike, columns: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fractional grid rows and columns of original (fractional) rows and columns."""
        return (
            (np.asarray(rows, dtype=np.float64) - self.first_row) / self.row_step,
            (np.asarray(columns, dtype=np.float64) - self.first_column) / self.column_step,
        )

    def nearest_pixels(
        self, rows: ArrayLike, columns: ArrayLike
    ) -> tuple[NDArray[np.bool_], NDArray[np.intp], NDArray[np.intp]]:
        """Whether each original position lies on the grid, and its nearest grid row and column."""
        fractional_rows, fractional_columns = self.to_pixels(rows, columns)
        row, column = np.round(fractional_rows).astype(np.intp), np.round(fractional_columns).astype(np.intp)
        inside = (row >= 0) & (row < self.size) & (column >= 0) & (column < self.size)
        return inside, row, column


def resample_linear(voxels_hu: NDArray[np.int16], grid: CropGrid) -> NDArray[np.int16]:
    """Resample every slice linearly, smoothed first where the grid is coarser than the original.

    Parameters
    ----------
    voxels_hu
        Shape (slices, rows, columns).

    Returns
    -------
    ndarray
        Shape (slices, size, size), int16 HU; AIR_HU outside the original slices.
    """
    slices = voxels_hu.shape[0]
    resampled = np.empty((slices, grid.size, grid.size), np.int16)
    steps = np.array([grid.row_step, grid.column_step])
    # A box of one target pixel is the mean over the area that the pixel stands for.
    widths = np.maximum(1, np.round(steps)).astype(int)
    for z in range(slices):
        plane = voxels_hu[z].astype(np.float32)
        if (widths > 1).any():
            plane = ndimage.uniform_filter(plane, tuple(widths), mode="nearest")
        # An even box leaves the mean half a pixel before its centre.
        shift = np.where(widths % 2 == 0, 0.5, 0.0)
        resampled[z] = np.round(
            ndimage.affine_transform(
                plane,
                steps,
                offset=np.array([grid.first_row, grid.first_column]) + shift,
                output_shape=(grid.size, grid.size),
                order=1,
                mode="constant",
                cval=AIR_HU,
            )
        )
    return resampled


def resample_nearest(voxels: NDArray[Voxel], grid: CropGrid) -> NDArray[Voxel]:
    """A mask or map at the original voxel nearest to each pixel of the grid; 0 outside the original slices.

    Parameters
    ----------
    voxels
        Shape (slices, rows, columns).

    Returns
    -------
    ndarray
        Shape (slices, size, size).
    """
    pixels = np.arange(grid.size)
    row = np.round(grid.first_row + pixels * grid.row_step).astype(np.intp)
    column = np.round(grid.first_column + pixels * grid.column_step).astype(np.intp)
    covered_rows = np.flatnonzero((row >= 0) & (row < voxels.shape[1]))
    covered_columns = np.flatnonzero((column >= 0) & (column < voxels.shape[2]))
    found = np.zeros((len(voxels), grid.size, grid.size), dtype=voxels.dtype)
    found[:, covered_rows[:, None], covered_columns] = voxels[:, row[covered_rows][:, None], column[covered_columns]]
    return found


def resample_maximum(voxels_hu: NDArray[np.int16], grid: CropGrid) -> NDArray[np.int16]:
    """Highest voxel under each pixel of the grid, so that a single bright voxel survives.

    Every original voxel belongs to its nearest grid pixel. A pixel without one (the grid is finer than the original)
    takes the nearest original voxel; AIR_HU outside the original slices.
    """
    by_row = _maximum_along(voxels_hu, grid.first_row, grid.row_step, grid.size, axis=1)
    return _maximum_along(by_row, grid.first_column, grid.column_step, grid.size, axis=2)


def _maximum_along(voxels: NDArray[np.int16], first: float, step: float, size: int, axis: int) -> NDArray[np.int16]:
    length = voxels.shape[axis]
    pixel_of = np.round((np.arange(length) - first) / step).astype(np.intp)
    nearest = np.round(first + np.arange(size) * step).astype(np.intp)
    covered = (nearest >= 0) & (nearest < length)
    shape = list(voxels.shape)
    shape[axis] = size
    out = np.moveaxis(np.full(shape, AIR_HU, np.int16), axis, 0)
    source = np.moveaxis(voxels, axis, 0)
    out[covered] = source[nearest[covered]]
    inside = (pixel_of >= 0) & (pixel_of < size)
    if inside.any():
        pixels, starts = np.unique(pixel_of[inside], return_index=True)
        out[pixels] = np.maximum.reduceat(source[inside], starts, axis=0)
    return np.ascontiguousarray(np.moveaxis(out, 0, axis))
