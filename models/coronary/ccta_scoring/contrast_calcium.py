"""Which voxels of a contrast scan are coronary calcium, and of which vessel.

Two ways: what the tree network takes for calcium, which is reported, and the thresholds of the paper, which stand
beside it. Numbers are decided in :mod:`agatston_equivalent`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.ccta_scoring.cross_sections import assign_cross_sections, nearest_points
from coronary.ccta_scoring.paper_rule import REACH_MM, WALL_HU
from coronary.contract import CalciumEstimate
from coronary.ct_volume import CtVolume
from coronary.imaging.connected_pieces import connected_pieces, is_touching
from coronary.imaging.mask_surface import surface_zyx

#: A voxel is calcium from this probability, in a connected piece that is certain. Fixed with the next one on 48 virtual
#: patients (30801-30848, version 0.8.0, true tree): plaque then holds 95 % of the true score; from 0.35, without its
#: blurred border, 89 %. From 0.15 and below pieces of anything else grow.
CALCIUM_PROBABILITY = 0.2

#: A piece is calcium only where the network is certain of one of its voxels. Of 25 true zeros among those patients 4
#: score, and none of the 23 others is a false zero; with 0.97 9 score. Gradient-boosted trees
#: on twelve features of a piece did no better.
CERTAIN_PROBABILITY = 0.985

#: From this one it might be: a reader should look.
DOUBT_PROBABILITY = 0.1

#: A connected piece smaller than this is noise, mm³: four times what one independent cell of noise fills, which is
#: about 0.5 mm wide in each direction.
MINIMUM_PIECE_MM3 = 0.5

#: Calcium this close to the lumen belongs to the vessel, mm. In 11 virtual patients (seeds 920061-920104) every plaque
#: lay within 1.5 mm, and a mitral annulus mostly 5 mm away.
NETWORK_REACH_MM = 2.0

#: Thresholds follow a piece this far beyond their reach, mm.
BEYOND_REACH_MM = 2.0

#: A piece that lies mostly beyond reach is no plaque of this vessel but calcium of a valve or of the aortic wall, a
#: chamber (when the calibration is too low), bone or a lead; or the tree lacks a vessel.
MINIMUM_SHARE_WITHIN_REACH = 0.5

#: What lies this close to the blood of the aorta, the thickness of its wall, is calcium of that wall, mm. A calcium
#: scan does not count it for the coronary artery that leaves there either.
AORTIC_WALL_MM = 1.5


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
    excess_hu
        What calcium adds to the attenuation, HU; at the tube voltage of the scan.
    shape_zyx
        Of the volume.
    """

    index_zyx: NDArray[np.int64]
    hu: NDArray[np.float64]
    vessel: NDArray[np.uint8]
    excess_hu: NDArray[np.float64]
    shape_zyx: tuple[int, int, int]

    def vessel_labels(self) -> NDArray[np.uint8]:
        """Shape of the volume; 0 none, otherwise the vessel."""
        labels = np.zeros(self.shape_zyx, dtype=np.uint8)
        labels[tuple(self.index_zyx.T)] = self.vessel
        return labels

    def where(self, chosen: NDArray[np.bool_]) -> ContrastCalcium:
        """The chosen voxels only."""
        return ContrastCalcium(
            self.index_zyx[chosen], self.hu[chosen], self.vessel[chosen], self.excess_hu[chosen], self.shape_zyx
        )


@dataclass(frozen=True, slots=True, eq=False)
class NetworkCalcium:
    """Calcium by the network, and what it could not decide or place.

    Parameters
    ----------
    calcium
        What is scored.
    doubtful_mm3
        Volume of pieces near the tree that might be calcium and hold none that is.
    elsewhere_mm3
        Volume of calcium too far from every centreline to belong to it: a vessel may be missing from the tree.
    """

    calcium: ContrastCalcium
    doubtful_mm3: float
    elsewhere_mm3: float


def network_calcium(
    volume: CtVolume,
    centerlines: CenterlinePoints,
    estimate: CalciumEstimate,
    aorta_mask: NDArray[np.bool_] | None = None,
) -> NetworkCalcium:
    """Calcium that the network sees at the vessels of the tree.

    Parameters
    ----------
    aorta_mask
        Shape of the volume: nothing in the wall of the aorta can be calcium of a coronary artery.
    """
    voxel_mm3 = float(np.prod(volume.spacing_zyx_mm))
    least = MINIMUM_PIECE_MM3 / voxel_mm3
    index_zyx = estimate.index_zyx
    likely = connected_pieces(index_zyx, estimate.probability >= CALCIUM_PROBABILITY)
    is_calcium = _in_large(likely, least) & is_touching(likely, estimate.probability >= CERTAIN_PROBABILITY)
    piece = connected_pieces(index_zyx, estimate.probability >= DOUBT_PROBABILITY)
    might_be = _in_large(piece, least)
    is_doubtful = might_be & ~is_touching(piece, is_calcium)
    is_near, point, _ = nearest_points(volume, centerlines, index_zyx, NETWORK_REACH_MM)
    is_near = _mostly(piece, is_near)
    is_free = np.ones(len(index_zyx), dtype=np.bool_)
    if aorta_mask is not None:
        is_free = ~in_aortic_wall(volume, aorta_mask, index_zyx)
    chosen = is_calcium & is_near & is_free
    return NetworkCalcium(
        ContrastCalcium(
            index_zyx[chosen],
            volume.voxels_hu[tuple(index_zyx[chosen].T)].astype(np.float64),
            centerlines.vessel[point[chosen]].astype(np.uint8),
            estimate.excess_hu[chosen],
            _shape(volume),
        ),
        doubtful_mm3=float(np.count_nonzero(is_doubtful & is_near & is_free)) * voxel_mm3,
        elsewhere_mm3=float(np.count_nonzero(is_calcium & ~is_near & is_free)) * voxel_mm3,
    )


def paper_calcium(
    volume: CtVolume,
    centerlines: CenterlinePoints,
    threshold_hu: NDArray[np.float64],
    aorta_mask: NDArray[np.bool_] | None = None,
) -> ContrastCalcium:
    """Calcium by the adaptive thresholds of the paper, one per centreline point; `aorta_mask` as above."""
    lowest_hu = float(threshold_hu.min(initial=np.inf))
    voxels = assign_cross_sections(volume, centerlines, REACH_MM + BEYOND_REACH_MM, lowest_hu)
    bright = voxels.where(voxels.hu >= threshold_hu[voxels.point])
    is_within = bright.distance_mm <= centerlines.radius_mm[bright.point] + REACH_MM
    if aorta_mask is not None:
        is_within &= ~in_aortic_wall(volume, aorta_mask, bright.index_zyx)
    piece = connected_pieces(bright.index_zyx, np.ones(len(bright.hu), dtype=np.bool_))
    least = MINIMUM_PIECE_MM3 / float(np.prod(volume.spacing_zyx_mm))
    is_large = np.bincount(piece, weights=is_within) >= least
    found = bright.where(is_within & is_large[piece] & _mostly(piece, is_within))
    return ContrastCalcium(
        found.index_zyx, found.hu, centerlines.vessel[found.point].astype(np.uint8), found.hu - WALL_HU, _shape(volume)
    )


def in_aortic_wall(volume: CtVolume, aorta_mask: NDArray[np.bool_], index_zyx: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each voxel lies in the aorta or within AORTIC_WALL_MM of it; ValueError for a mask of another shape."""
    if aorta_mask.shape != volume.voxels_hu.shape:
        raise ValueError(f"mask has shape {aorta_mask.shape}, the volume {volume.voxels_hu.shape}")
    is_aortic = np.asarray(aorta_mask[tuple(index_zyx.T)], dtype=np.bool_)
    surface = surface_zyx(aorta_mask)
    if len(surface) == 0 or len(index_zyx) == 0:
        return is_aortic
    tree = KDTree(volume.to_lps_mm(surface.astype(np.float64)))
    distance_mm, _ = tree.query(volume.to_lps_mm(index_zyx.astype(np.float64)), distance_upper_bound=AORTIC_WALL_MM)
    return is_aortic | np.isfinite(distance_mm)


def _in_large(piece: NDArray[np.int64], minimum_voxels: float) -> NDArray[np.bool_]:
    """Whether each voxel lies in a piece that is large enough; `piece` as from :func:`connected_pieces`."""
    is_large = np.bincount(piece, minlength=1) >= minimum_voxels
    is_large[0] = False
    return np.asarray(is_large[piece])


def _mostly(piece: NDArray[np.int64], within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each voxel lies in a piece of which MINIMUM_SHARE_WITHIN_REACH is within reach."""
    is_mostly = np.bincount(piece, weights=within) >= MINIMUM_SHARE_WITHIN_REACH * np.bincount(piece)
    is_mostly[:1] = False
    return np.asarray(is_mostly[piece], dtype=np.bool_)


def _shape(volume: CtVolume) -> tuple[int, int, int]:
    slices, rows, columns = volume.voxels_hu.shape
    return slices, rows, columns
