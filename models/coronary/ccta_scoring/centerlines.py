"""Centreline points of the coronary tree as arrays, and the attenuation of the lumen along them.

Decides what is accepted as a centreline and how its attenuation is sampled. Where centrelines come from is decided by
the coronary tree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium import Vessel
from coronary.coronary_tree import CoronaryTree
from coronary.ct_volume import CtVolume

#: The attenuation at a point is the mean of the point and six more at this distance, mm: inside the smallest scored
#: lumen (1.5 mm diameter), and enough to halve the noise of a single voxel.
SAMPLE_DISTANCE_MM = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class CenterlinePoints:
    """Points along the coronary arteries, in any order, dense enough that neighbours are at most 1 mm apart.

    Parameters
    ----------
    points_lps_mm
        Shape (n, 3), LPS mm; n may be 0.
    radius_mm
        Shape (n,): radius of the lumen, mm.
    vessel
        Shape (n,): :class:`Vessel` of each point, 1 to 4; branches carry the vessel they are scored with.

    Raises
    ------
    ValueError
        If the shapes do not fit together, a value is not finite, a radius is negative or a label is no vessel.
    """

    points_lps_mm: NDArray[np.float64]
    radius_mm: NDArray[np.float64]
    vessel: NDArray[np.uint8]

    def __post_init__(self) -> None:
        n = len(self.points_lps_mm)
        if self.points_lps_mm.shape != (n, 3) or self.radius_mm.shape != (n,) or self.vessel.shape != (n,):
            raise ValueError(
                f"points {self.points_lps_mm.shape}, radii {self.radius_mm.shape}, vessels {self.vessel.shape}: "
                "expected (n, 3), (n,) and (n,)"
            )
        if not (np.all(np.isfinite(self.points_lps_mm)) and np.all(np.isfinite(self.radius_mm))):
            raise ValueError("a centreline point or radius is not finite")
        if np.any(self.radius_mm < 0):
            raise ValueError(f"the smallest radius is {self.radius_mm.min()} mm, expected at least 0")
        if not np.all(np.isin(self.vessel, [int(vessel) for vessel in Vessel])):
            raise ValueError(f"vessels are {np.unique(self.vessel).tolist()}, expected 1 to {max(Vessel)}")

    @classmethod
    def of_tree(cls, tree: CoronaryTree) -> CenterlinePoints:
        """All points of a coronary tree, centreline after centreline."""
        lines = tree.centerlines
        return cls(
            np.concatenate([np.zeros((0, 3)), *(line.points_lps_mm for line in lines)]),
            np.concatenate([np.zeros(0), *(line.radius_mm for line in lines)]),
            np.concatenate([np.zeros(0, np.uint8), *(line.vessel for line in lines)]),
        )

    def __len__(self) -> int:
        return len(self.points_lps_mm)


def centerline_attenuation(volume: CtVolume, centerlines: CenterlinePoints) -> NDArray[np.float64]:
    """Attenuation at each centreline point, HU, shape (n,); NaN where a sample lies outside the volume.

    Mean of linearly interpolated samples at the point and SAMPLE_DISTANCE_MM from it along each axis, both ways.
    """
    offsets = np.concatenate([np.zeros((1, 3)), SAMPLE_DISTANCE_MM * np.eye(3), -SAMPLE_DISTANCE_MM * np.eye(3)])
    samples = volume.to_index_zyx(centerlines.points_lps_mm[:, None, :] + offsets)
    flat = samples.reshape(-1, 3).T
    hu = ndimage.map_coordinates(volume.voxels_hu, flat, output=np.float64, order=1, mode="constant", cval=np.nan)
    return np.asarray(hu.reshape(len(centerlines), len(offsets)).mean(axis=1))
