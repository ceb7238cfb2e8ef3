"""One CT series as a volume: voxels in HU and the affine that places them in the patient.

Decides what a valid volume is (shape, orthogonal axes, positive spacing). How a volume is put together from DICOM
instances, and when that must be refused, is decided in ``agatha.assemble``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Axes may deviate this much from a right angle (dot product of unit vectors); above it the volume is sheared.
ORTHOGONALITY_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class CtVolume:
    """A CT volume on a regular, orthogonal grid.

    Parameters
    ----------
    voxels_hu
        Shape (slices, rows, columns), HU, read-only by convention.
    affine_lps
        Shape (4, 4). Maps the column vector (column index x, row index y, slice index z, 1) to DICOM patient
        coordinates (LPS, mm). Slices are ordered along the normal of the image plane (PS3.3 C.7.6.2.1.1).

    Raises
    ------
    ValueError
        If the shape is not three-dimensional, a spacing is not positive, or the axes are not orthogonal.
    """

    voxels_hu: NDArray[np.int16]
    affine_lps: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.voxels_hu.ndim != 3:
            raise ValueError(f"voxels_hu has {self.voxels_hu.ndim} axes, expected 3 (slices, rows, columns)")
        if self.affine_lps.shape != (4, 4):
            raise ValueError(f"affine_lps has shape {self.affine_lps.shape}, expected (4, 4)")
        axes = self.affine_lps[:3, :3]
        lengths = np.linalg.norm(axes, axis=0)
        if not np.all(np.isfinite(self.affine_lps)) or np.any(lengths <= 0):
            raise ValueError(f"voxel spacing {lengths.tolist()} mm is not positive and finite")
        unit = axes / lengths
        if np.max(np.abs(unit.T @ unit - np.eye(3))) > ORTHOGONALITY_TOLERANCE:
            raise ValueError("the axes of the volume are not orthogonal")

    @property
    def spacing_zyx_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along slices, rows, columns in mm."""
        x, y, z = np.linalg.norm(self.affine_lps[:3, :3], axis=0)
        return float(z), float(y), float(x)

    def to_lps_mm(self, index_zyx: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map voxel indices of shape (..., 3) in (z, y, x) order to LPS mm of shape (..., 3)."""
        index_xyz = np.asarray(index_zyx, dtype=np.float64)[..., ::-1]
        point: NDArray[np.float64] = index_xyz @ self.affine_lps[:3, :3].T + self.affine_lps[:3, 3]
        return point

    def to_index_zyx(self, point_lps_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map LPS points in mm of shape (..., 3) to fractional voxel indices in (z, y, x) order."""
        inverse = np.linalg.inv(self.affine_lps)
        index_xyz = np.asarray(point_lps_mm, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]
        index_zyx: NDArray[np.float64] = index_xyz[..., ::-1]
        return index_zyx
