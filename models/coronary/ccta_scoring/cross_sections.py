"""Which voxels belong to which cross-section of the coronary tree: the nearest centreline point within reach.

Decides the reach and the assignment. Nothing is resampled: original voxels are looked up in a tree of the centreline
points, and only voxels that can matter are looked up at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.ct_volume import CtVolume


@dataclass(frozen=True, slots=True, eq=False)
class CrossSectionVoxels:
    """Voxels near the centrelines in raster order; all arrays have one entry per voxel.

    Parameters
    ----------
    index_zyx
        Shape (m, 3): indices into the volume.
    hu
        Attenuation, HU.
    point
        Number of the nearest centreline point: its cross-section.
    distance_mm
        To that point.
    """

    index_zyx: NDArray[np.int64]
    hu: NDArray[np.float64]
    point: NDArray[np.int64]
    distance_mm: NDArray[np.float64]

    def where(self, chosen: NDArray[np.bool_]) -> CrossSectionVoxels:
        """The chosen voxels only."""
        return CrossSectionVoxels(self.index_zyx[chosen], self.hu[chosen], self.point[chosen], self.distance_mm[chosen])


def assign_cross_sections(
    volume: CtVolume, centerlines: CenterlinePoints, margin_mm: float, minimum_hu: float
) -> CrossSectionVoxels:
    """Find the voxels within radius + margin of their nearest centreline point and at least `minimum_hu`.

    Parameters
    ----------
    margin_mm
        Added to the radius of the nearest point: calcium lies in the wall, outside the lumen.
    minimum_hu
        Dimmer voxels are never looked up.
    """
    if len(centerlines) == 0:
        return CrossSectionVoxels(np.zeros((0, 3), np.int64), np.zeros(0), np.zeros(0, np.int64), np.zeros(0))
    reach_mm = centerlines.radius_mm + margin_mm
    index_zyx = np.argwhere(_in_boxes(volume, centerlines, reach_mm) & (volume.voxels_hu >= minimum_hu))
    is_near, point, distance_mm = nearest_points(volume, centerlines, index_zyx, margin_mm)
    index_zyx = index_zyx[is_near]
    hu = volume.voxels_hu[tuple(index_zyx.T)].astype(np.float64)
    return CrossSectionVoxels(index_zyx, hu, point[is_near], distance_mm[is_near])


def nearest_points(
    volume: CtVolume, centerlines: CenterlinePoints, index_zyx: NDArray[np.int64], margin_mm: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.float64]]:
    """Nearest centreline point of each voxel, and whether it lies within the radius there + margin.

    Returns
    -------
    is_near, point, distance_mm
        Shape (m,) each; without any centreline point nothing is near, and the others mean nothing.
    """
    if len(centerlines) == 0:
        return np.zeros(len(index_zyx), np.bool_), np.zeros(len(index_zyx), np.int64), np.zeros(len(index_zyx))
    nearest = KDTree(centerlines.points_lps_mm).query(volume.to_lps_mm(index_zyx.astype(np.float64)))
    distance_mm, point = np.asarray(nearest[0]), np.asarray(nearest[1], dtype=np.int64)
    return distance_mm <= centerlines.radius_mm[point] + margin_mm, point, distance_mm


def _in_boxes(volume: CtVolume, centerlines: CenterlinePoints, reach_mm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mask of the boxes around all centreline points, wide enough to hold everything within reach."""
    mask = np.zeros(volume.voxels_hu.shape, dtype=np.bool_)
    middle = volume.to_index_zyx(centerlines.points_lps_mm)
    half = reach_mm[:, None] / np.array(volume.spacing_zyx_mm)
    low = np.clip(np.ceil(middle - half), 0, mask.shape).astype(int)
    high = np.clip(np.floor(middle + half) + 1, 0, mask.shape).astype(int)
    for (z0, y0, x0), (z1, y1, x1) in zip(low, high, strict=True):
        mask[z0:z1, y0:y1, x0:x1] = True
    return mask
