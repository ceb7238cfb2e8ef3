"""How well a traced coronary tree follows the true one: centreline overlap and segment labels.

Decides what counts as found. Lengths are counted in points, because both sides are sampled evenly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from coronary.coronary_tree import MAIN_TRUNKS, CoronaryTree
from coronary.ct_volume import CtVolume
from coronary.virtual_patient import VirtualScan

#: A point is found where the other centreline comes this close, mm, or within the lumen's radius if that is more
#: (Schaap et al., Med Image Anal 2009;13:701-714, use the radius; a millimetre is the point spread).
TOLERANCE_MM = 1.0

#: True arteries are followed down to this radius, mm: 1.5 mm wide, the narrowest lumen that is read.
LEAST_RADIUS_MM = 0.75

#: Both centrelines are sampled this densely, mm.
STEP_MM = 0.5


@dataclass(frozen=True, slots=True)
class TreeAgreement:
    """Point counts of one scan, true and traced.

    Parameters
    ----------
    true_points, true_found
        Points of all true arteries of at least 1.5 mm, and those that a traced centreline comes close to.
    traced_points, traced_right
        Points of the traced centrelines, and those that lie on a true artery of any width.
    trunk_points, trunk_found, trunk_right_vessel, trunk_right_segment
        Points of the true LM, LAD, LCX and RCA; those that were found; those whose nearest traced point has the right
        vessel, and the right SCCT segment.
    """

    true_points: int
    true_found: int
    traced_points: int
    traced_right: int
    trunk_points: int
    trunk_found: int
    trunk_right_vessel: int
    trunk_right_segment: int

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return {name: int(getattr(self, name)) for name in self.__dataclass_fields__}


def overlap(counts: Mapping[str, float]) -> float:
    """Overlap OV of Schaap 2009 from (summed) counts: found and right points among all points."""
    return (counts["true_found"] + counts["traced_right"]) / (counts["true_points"] + counts["traced_points"])


def compare_trees(scan: VirtualScan, tree: CoronaryTree) -> TreeAgreement:
    """Compare a traced tree with the arteries of the virtual patient, inside the scan."""
    traced = np.concatenate([line.points_lps_mm for line in tree.centerlines])
    vessel = np.concatenate([line.vessel for line in tree.centerlines])
    segment = np.concatenate([line.segment for line in tree.centerlines])
    is_trunk_line = np.concatenate(
        [np.full(len(line.points_lps_mm), line.name in MAIN_TRUNKS) for line in tree.centerlines]
    )
    to_traced = KDTree(traced)
    counts = dict.fromkeys(TreeAgreement.__dataclass_fields__, 0)
    counts["traced_points"] = len(traced)
    is_on_artery = np.zeros(len(traced), dtype=np.bool_)
    for branch in scan.patient.tree.branches:
        points, radius, labels = _inside(scan, branch.points, branch.radius_mm, branch.segment)
        if len(points) == 0:
            continue
        reach = np.maximum(radius, TOLERANCE_MM)
        distance, nearest = KDTree(points).query(traced)
        is_on_artery |= distance <= reach[nearest]
        distance, at = to_traced.query(points)
        is_wide = radius >= LEAST_RADIUS_MM
        is_found = (distance <= reach) & is_wide
        counts["true_points"] += int(is_wide.sum())
        counts["true_found"] += int(is_found.sum())
        if branch.name in MAIN_TRUNKS:
            counts["trunk_points"] += int(is_wide.sum())
            counts["trunk_found"] += int(is_found.sum())
            is_vessel = is_found & (vessel[at] == MAIN_TRUNKS.index(branch.name) + 1)
            counts["trunk_right_vessel"] += int(is_vessel.sum())
            counts["trunk_right_segment"] += int((is_vessel & is_trunk_line[at] & (segment[at] == labels)).sum())
    counts["traced_right"] = int(is_on_artery.sum())
    return TreeAgreement(**counts)


def _inside(
    scan: VirtualScan, points_mm: NDArray[np.float32], radius_mm: NDArray[np.float32], segment: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Points of a true artery every STEP_MM, in scan LPS mm, outside the aorta and inside the volume."""
    assert scan.aorta_mask is not None
    placed = scan.acquisition.to_scan(points_mm).astype(np.float64)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(placed, axis=0), axis=1))])
    at = np.arange(0.0, along[-1], STEP_MM)
    points = np.stack([np.interp(at, along, placed[:, axis]) for axis in range(3)], axis=1)
    radius = np.interp(at, along, radius_mm)
    labels = segment[np.searchsorted(along, at, side="right") - 1]
    index = np.rint(CtVolume(scan.voxels_hu, scan.affine_lps).to_index_zyx(points)).astype(int)
    is_inside = np.all((index >= 0) & (index < scan.voxels_hu.shape), axis=1)
    is_free = is_inside.copy()
    is_free[is_inside] = ~scan.aorta_mask[tuple(index[is_inside].T)]
    return points[is_free], radius[is_free], labels[is_free]
