"""Geometry of the voxels a score is computed on: spacing, areas, volumes, positions in the patient.

Decides which combinations of array shape, spacing and affine are refused. Builds no volume from DICOM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coronary.calcium.score_scales import (
    AGATSTON_REFERENCE_SPACING_MM,
    AREA_ROUNDING,
)

#: Spacing and affine may differ by this relative amount: the tolerance of a regular slice step.
SPACING_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class VoxelGrid:
    """Spacing of a voxel grid in mm along slices, rows and columns, and what follows from it."""

    spacing_zyx_mm: tuple[float, float, float]

    @classmethod
    def checked(cls, spacing_zyx_mm: ArrayLike) -> VoxelGrid:
        """Build from three numbers; ValueError unless all are positive and finite."""
        spacing = np.asarray(spacing_zyx_mm, dtype=np.float64)
        if spacing.shape != (3,) or not np.all(np.isfinite(spacing)) or np.any(spacing <= 0):
            raise ValueError(f"spacing is {spacing.tolist()} mm, expected three positive numbers (z, y, x)")
        z, y, x = spacing.tolist()
        return cls((z, y, x))

    @property
    def pixel_area_mm2(self) -> float:
        """Area of one pixel in the slice."""
        return self.spacing_zyx_mm[1] * self.spacing_zyx_mm[2]

    @property
    def voxel_volume_mm3(self) -> float:
        """Pixel area x distance between slice centres (positions, never SliceThickness: slices may overlap)."""
        return self.pixel_area_mm2 * self.spacing_zyx_mm[0]

    @property
    def agatston_per_weighted_pixel(self) -> float:
        """Agatston score of one pixel of weight 1 in the per-slice, 3 mm convention."""
        return self.pixel_area_mm2 * (self.spacing_zyx_mm[0] / AGATSTON_REFERENCE_SPACING_MM)

    def reaches_area(self, pixels: NDArray[np.int64], minimum_area_mm2: float) -> NDArray[np.bool_]:
        """Whether so many pixels cover at least the given area."""
        return np.asarray(pixels * self.pixel_area_mm2 >= minimum_area_mm2 * (1.0 - AREA_ROUNDING))


def checked_affine(affine_lps: ArrayLike, grid: VoxelGrid) -> NDArray[np.float64]:
    """Return the affine as float64 after comparing it with the spacing.

    The affine maps (column x, row y, slice z, 1) to LPS mm. ValueError if it is not 4 x 4, not finite, or if the
    lengths of its columns differ from the spacing by more than ``SPACING_TOLERANCE``: one of the two is then not the
    geometry of this volume.
    """
    affine = np.asarray(affine_lps, dtype=np.float64)
    if affine.shape != (4, 4) or not np.all(np.isfinite(affine)):
        raise ValueError(f"affine_lps has shape {affine.shape}, expected a finite (4, 4) matrix")
    lengths_zyx = np.linalg.norm(affine[:3, :3], axis=0)[::-1]
    if not np.allclose(lengths_zyx, grid.spacing_zyx_mm, rtol=SPACING_TOLERANCE, atol=0.0):
        raise ValueError(
            f"affine has a spacing of {lengths_zyx.tolist()} mm (z, y, x), expected {list(grid.spacing_zyx_mm)} mm"
        )
    return affine


def centroid_lps_mm(index_zyx: NDArray[np.int64], affine_lps: NDArray[np.float64]) -> tuple[float, float, float]:
    """Centre of mass (unweighted) of voxels given by their indices, shape (n, 3), in LPS mm."""
    x, y, z = (index_zyx.mean(axis=0)[::-1] @ affine_lps[:3, :3].T + affine_lps[:3, 3]).tolist()
    return x, y, z
