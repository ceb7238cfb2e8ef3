"""Which voxels of a contrast scan are coronary calcium, and of which vessel.

Decides how voxels above a rule's thresholds become calcium: noise is dropped, cores grow into what touches them.
Thresholds are decided in :mod:`calcium_rules`, numbers in :mod:`agatston_equivalent`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from coronary.ccta_scoring.calcium_rules import CalciumRule
from coronary.ccta_scoring.calibration import ContrastCalibration
from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.ccta_scoring.cross_sections import CrossSectionVoxels, assign_cross_sections
from coronary.ccta_scoring.lumen import LumenReference, measure_lumen, measure_radius_offset
from coronary.ct_volume import CtVolume

#: A connected core smaller than this is noise, mm³: four times what one independent cell of noise fills, which is about
#: 0.5 mm wide in each direction.
MINIMUM_CORE_MM3 = 0.5

#: A connected wall core smaller than this is an error of the border or a small branch, mm³: Agatston's least area of
#: 1 mm² in a slice of 3 mm.
MINIMUM_WALL_CORE_MM3 = 3.0

#: Cores are followed this far beyond the reach of a rule, mm. A piece that lies mostly out there is no plaque of this
#: vessel but a chamber (when the calibration is too low), valve or aortic wall calcium, bone or a lead.
BEYOND_REACH_MM = 2.0
MINIMUM_SHARE_WITHIN_REACH = 0.5

#: What lies this close to the blood of the aorta, the thickness of its wall, is calcium of that wall, mm. A calcium
#: scan does not count it for the coronary artery that leaves there either.
AORTIC_WALL_MM = 1.5

#: Faces only: 6-connected in 3-D, as in :mod:`coronary.calcium`.
SIX_CONNECTED = ndimage.generate_binary_structure(3, 1)


@dataclass(frozen=True, slots=True, eq=False)
class CalciumSearch:
    """Everything about a scan that does not depend on a threshold shift: measured once, used for each shift.

    Parameters
    ----------
    lumen
        Attenuation along the centrelines.
    radius_offset_mm
        What was added to the given radii: 0 where the rule does not need it or it could not be measured.
    voxels
        All voxels that can be calcium, and those up to BEYOND_REACH_MM further out.
    is_within_reach
        Shape (m,): whether the voxel can be calcium of the vessel.
    core_hu
        Shape (n,): the threshold used at each centreline point.
    positions_lps_mm, wall_core_hu, extent_hu
        Shapes (m, 3), (m,), (m,): place of each voxel, and its thresholds by its own distance from the lumen.
    """

    lumen: LumenReference
    radius_offset_mm: float
    voxels: CrossSectionVoxels
    is_within_reach: NDArray[np.bool_]
    core_hu: NDArray[np.float64]
    positions_lps_mm: NDArray[np.float64]
    wall_core_hu: NDArray[np.float64]
    extent_hu: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ContrastCalcium:
    """Coronary calcium of one contrast scan; voxel arrays have shape (k,) and raster order.

    Parameters
    ----------
    index_zyx
        Shape (k, 3): indices into the volume.
    hu
        Attenuation, HU.
    vessel
        :class:`coronary.calcium.Vessel` of the nearest centreline point.
    is_core
        Whether the voxel is calcium by its own attenuation or place; the others belong to the extent of a core.
    threshold_hu
        Shape (n,): core threshold used at each centreline point, shift included.
    suspected_mm3
        Volume of wall cores that were not counted because nothing in the scan is brighter than its blood, mm³.
    radius_offset_mm
        As in :class:`CalciumSearch`.
    shape_zyx
        Of the volume.
    """

    index_zyx: NDArray[np.int64]
    hu: NDArray[np.float64]
    vessel: NDArray[np.uint8]
    is_core: NDArray[np.bool_]
    threshold_hu: NDArray[np.float64]
    suspected_mm3: float
    radius_offset_mm: float
    shape_zyx: tuple[int, int, int]

    def vessel_labels(self) -> NDArray[np.uint8]:
        """Shape of the volume; 0 none, otherwise the vessel."""
        labels = np.zeros(self.shape_zyx, dtype=np.uint8)
        labels[tuple(self.index_zyx.T)] = self.vessel
        return labels


def search_calcium(
    volume: CtVolume,
    centerlines: CenterlinePoints,
    calibration: ContrastCalibration,
    rule: CalciumRule,
    largest_shift_hu: float,
    aorta_mask: NDArray[np.bool_] | None = None,
) -> CalciumSearch:
    """Measure the lumen and look up every voxel that can be calcium with thresholds up to `largest_shift_hu` lower.

    With `aorta_mask` (shape of the volume) nothing in the wall of the aorta can be calcium of a coronary artery.
    """
    lumen = measure_lumen(volume, centerlines, calibration.calibration_factor_hu)
    core_hu = rule.core_hu(lumen, calibration)
    offset = (measure_radius_offset(volume, centerlines, lumen) if rule.needs_radius else None) or 0.0
    lowest = rule.lowest_hu(core_hu, calibration) - largest_shift_hu if len(centerlines) else np.inf
    voxels = assign_cross_sections(volume, centerlines, rule.margin_mm + BEYOND_REACH_MM + offset, lowest)
    from_border = voxels.distance_mm - (centerlines.radius_mm[voxels.point] + offset)
    is_within_reach = from_border <= rule.margin_mm
    if aorta_mask is not None:
        is_within_reach &= ~_in_aortic_wall(volume, aorta_mask, centerlines, voxels)
    lumen_hu = lumen.local_hu[voxels.point]
    return CalciumSearch(
        lumen=lumen,
        radius_offset_mm=offset,
        voxels=voxels,
        is_within_reach=is_within_reach,
        core_hu=core_hu,
        positions_lps_mm=volume.to_lps_mm(voxels.index_zyx.astype(np.float64)),
        wall_core_hu=np.minimum(rule.wall_core_hu(from_border, lumen_hu, calibration), core_hu[voxels.point]),
        extent_hu=rule.extent_hu(from_border, lumen_hu, calibration),
    )


def _in_aortic_wall(
    volume: CtVolume, aorta_mask: NDArray[np.bool_], centerlines: CenterlinePoints, voxels: CrossSectionVoxels
) -> NDArray[np.bool_]:
    """Whether each voxel lies in the aorta or within AORTIC_WALL_MM of it."""
    if aorta_mask.shape != volume.voxels_hu.shape:
        raise ValueError(f"mask has shape {aorta_mask.shape}, the volume {volume.voxels_hu.shape}")
    is_aortic = np.asarray(aorta_mask[tuple(voxels.index_zyx.T)], dtype=np.bool_)
    surface = _surface_zyx(aorta_mask)
    if len(surface) == 0 or len(voxels.hu) == 0:
        return is_aortic
    tree = KDTree(volume.to_lps_mm(surface.astype(np.float64)))
    # Only cross-sections near the aorta, a few per vessel, can reach its wall.
    to_point_mm = np.asarray(tree.query(centerlines.points_lps_mm)[0])
    is_near = to_point_mm[voxels.point] <= voxels.distance_mm + AORTIC_WALL_MM
    positions = volume.to_lps_mm(voxels.index_zyx[is_near].astype(np.float64))
    to_voxel_mm, _ = tree.query(positions, distance_upper_bound=AORTIC_WALL_MM)
    is_aortic[is_near] |= np.isfinite(to_voxel_mm)
    return is_aortic


def _surface_zyx(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices of the voxels of a mask that have a neighbour outside it, shape (n, 3)."""
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    if len(slices) == 0:
        return np.zeros((0, 3), dtype=np.int64)
    part = mask[slices[0] : slices[-1] + 1]
    surface = np.argwhere(part & ~ndimage.binary_erosion(part, SIX_CONNECTED))
    surface[:, 0] += slices[0]
    return surface


def find_calcium(
    volume: CtVolume,
    centerlines: CenterlinePoints,
    rule: CalciumRule,
    search: CalciumSearch,
    shift_hu: float = 0.0,
) -> ContrastCalcium:
    """Turn the voxels of a search into calcium, with every threshold shifted by `shift_hu`.

    Wall cores count only where something in the scan is brighter than all blood. Alone they may as well be a small
    branch that the tree lacks; then they are no calcium, but reported as suspected.
    """
    voxels, point = search.voxels, search.voxels.point
    voxel_mm3 = float(np.prod(volume.spacing_zyx_mm))
    is_core = _plaque_cores(search, search.core_hu[point] + shift_hu, MINIMUM_CORE_MM3 / voxel_mm3)
    in_wall = _plaque_cores(search, search.wall_core_hu + shift_hu, MINIMUM_WALL_CORE_MM3 / voxel_mm3)
    if is_core.any():
        is_core |= in_wall
    is_calcium = is_core.copy()
    if rule.growth_mm > 0 and is_core.any():
        positions = search.positions_lps_mm
        distance, _ = KDTree(positions[is_core]).query(positions, distance_upper_bound=rule.growth_mm)
        is_calcium |= (voxels.hu >= search.extent_hu + shift_hu) & np.isfinite(distance) & search.is_within_reach
        is_calcium &= _touching(voxels.index_zyx, is_calcium, is_core)
    slices, rows, columns = volume.voxels_hu.shape
    return ContrastCalcium(
        index_zyx=voxels.index_zyx[is_calcium],
        hu=voxels.hu[is_calcium],
        vessel=centerlines.vessel[point[is_calcium]].astype(np.uint8),
        is_core=is_core[is_calcium],
        threshold_hu=search.core_hu + shift_hu,
        suspected_mm3=0.0 if is_core.any() else float(np.count_nonzero(in_wall)) * voxel_mm3,
        radius_offset_mm=search.radius_offset_mm,
        shape_zyx=(slices, rows, columns),
    )


def connected_pieces(index_zyx: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number from 1 of the 6-connected piece of each chosen voxel, 0 for the others."""
    piece = np.zeros(len(chosen), dtype=np.int64)
    if chosen.any():
        index = index_zyx[chosen] - index_zyx[chosen].min(axis=0)
        box = np.zeros(index.max(axis=0) + 1, dtype=np.bool_)
        box[tuple(index.T)] = True
        labels, _ = ndimage.label(box, SIX_CONNECTED)
        piece[chosen] = labels[tuple(index.T)]
    return piece


def _plaque_cores(search: CalciumSearch, threshold_hu: NDArray[np.float64], minimum_voxels: float) -> NDArray[np.bool_]:
    """Voxels within reach above their threshold whose 6-connected piece is large enough and mostly within reach."""
    is_bright = search.voxels.hu >= threshold_hu
    piece = connected_pieces(search.voxels.index_zyx, is_bright)
    if not is_bright.any():
        return is_bright
    size = np.bincount(piece)
    within = np.bincount(piece, weights=search.is_within_reach)
    is_plaque = (within >= minimum_voxels) & (within >= MINIMUM_SHARE_WITHIN_REACH * size)
    is_plaque[0] = False
    return np.asarray(is_plaque[piece] & search.is_within_reach)


def _touching(index_zyx: NDArray[np.int64], chosen: NDArray[np.bool_], cores: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each voxel lies in a piece of chosen voxels that holds a core."""
    piece = connected_pieces(index_zyx, chosen)
    has_core = np.zeros(int(piece.max()) + 1, dtype=np.bool_)
    has_core[piece[cores]] = True
    return np.asarray(chosen & has_core[piece])
