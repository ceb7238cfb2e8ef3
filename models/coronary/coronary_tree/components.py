"""Which voxels of a mask can be coronary arteries at all: the crop they lie in, without what is too wide for an artery.

Decides by size. What is narrow enough but no artery (veins) is decided where courses are known: ``joining``, ``veins``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from coronary.coronary_tree.curves import Points, Values
from coronary.coronary_tree.skeleton import distances_inside_mm
from coronary.ct_volume import CtVolume

#: Half the width above which contrast-filled tissue is no coronary artery: left mains measure 4.5 ± 0.5 mm across
#: (Dodge 1992), ectatic ones up to 8 mm. Appendages, chambers and the aorta are wider than 10 mm.
WIDEST_RADIUS_MM: Final = 5.0

#: Tissue around a place that is too wide goes with it: what a ball of that size covers, and the rim it leaves.
WIDE_RIM_MM: Final = 1.0

#: In the arterial phase cardiac veins hold less than this share of the arteries' contrast; myocardium less still.
DIM_SHARE: Final = 0.68

#: Attenuation is believed where the vessel is at least this wide; narrower ones are dimmed by the point spread.
SMALLEST_BRIGHT_RADIUS_MM: Final = 0.9

#: Attenuation of a voxel is the mean of this many voxels of the mask, itself among them.
MEAN_OF_VOXELS: Final = 9

#: Dim tissue this close to an artery touches it; its rim, which partial volume made, is this thick.
CONTACT_MM: Final = 4.0
DIM_RIM_MM: Final = 2.2

#: Pieces smaller than this are noise: a ball of 1.5 mm.
SMALLEST_PIECE_MM3: Final = 1.8


@dataclass(frozen=True, slots=True)
class DroppedPiece:
    """A part of the mask that is taken for no coronary artery.

    ``code``: ``TOO_WIDE`` (appendage, chamber), ``NOT_CONNECTED`` (no vessel end points to it), ``BESIDE_ARTERY`` (runs
    along an artery as veins do), ``TOO_DIM`` (attenuation of a vein or of muscle), ``TURNS_BACK`` (leaves against the
    flow), ``WIDER_THAN_PARENT``, ``CROSSES`` (straight through an artery). ``length_mm`` is 0 where it has no course.
    """

    code: str
    center_lps_mm: tuple[float, float, float]
    length_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class ArteryVoxels:
    """A crop of the volume: shape (z, y, x), where it starts, and which of its voxels may be arteries."""

    mask: NDArray[np.bool_]
    corner_zyx: NDArray[np.intp]


def plausible_voxels(
    artery_mask: NDArray[np.bool_], aorta_mask: NDArray[np.bool_], volume: CtVolume, reference_hu: float
) -> tuple[ArteryVoxels, tuple[DroppedPiece, ...]]:
    """Crop a mask to what it holds and take away the aorta, what is too wide or touches an artery dimly, and specks.

    Parameters
    ----------
    artery_mask, aorta_mask
        Shape of the volume.
    reference_hu
        Attenuation of the arteries.

    Returns
    -------
    voxels
        Its mask may be empty.
    dropped
        One record for each wide place.
    """
    crop = ndimage.find_objects(artery_mask.astype(np.uint8))
    if not crop:
        return ArteryVoxels(np.zeros((0, 0, 0), dtype=bool), np.zeros(3, dtype=np.intp)), ()
    corner = np.array([part.start for part in crop[0]], dtype=np.intp)
    mask = _without_specks(artery_mask[crop[0]] & ~aorta_mask[crop[0]], volume)
    index = np.argwhere(mask)
    if len(index) == 0:
        return ArteryVoxels(mask, corner), ()
    points = volume.to_lps_mm((index + corner).astype(np.float64))
    depth = distances_inside_mm(mask, corner, volume, points)
    hu = volume.voxels_hu[tuple((index + corner).T)].astype(np.float64)
    is_deep = depth > WIDEST_RADIUS_MM
    taken = _dim_contacts(points, depth, hu, reference_hu)
    if is_deep.any():
        taken |= _distance_mm(points[is_deep], points, WIDEST_RADIUS_MM + WIDE_RIM_MM) < np.inf
    mask[tuple(index[taken].T)] = False
    return ArteryVoxels(_without_specks(mask, volume), corner), _wide_pieces(points[is_deep])


def _without_specks(mask: NDArray[np.bool_], volume: CtVolume) -> NDArray[np.bool_]:
    smallest = int(np.ceil(SMALLEST_PIECE_MM3 / float(np.prod(volume.spacing_zyx_mm))))
    kept: NDArray[np.bool_] = cc3d.dust(mask, threshold=smallest, connectivity=26).astype(bool)
    return kept


def _dim_contacts(points: Points, depth_mm: Values, hu: Values, reference_hu: float) -> NDArray[np.bool_]:
    """Voxels of dim tissue that touches an artery: a vein that the mask fused with it, and the fat between them.

    Dim is what lies deep enough in the mask not to be dimmed by the point spread and still holds less contrast than an
    artery. Only the contact is opened; whether what lies beyond is an artery, dimmed by motion, is decided elsewhere.
    """
    _, around = cKDTree(points).query(points, k=min(MEAN_OF_VOXELS, len(points)))
    mean_hu = hu[around.reshape(len(points), -1)].mean(axis=1)
    is_bright = mean_hu >= DIM_SHARE * reference_hu
    is_dim = ~is_bright & (depth_mm >= SMALLEST_BRIGHT_RADIUS_MM)
    to_bright = _distance_mm(points[is_bright], points, CONTACT_MM)
    to_dim = _distance_mm(points[is_dim], points, DIM_RIM_MM)
    contact: NDArray[np.bool_] = ~is_bright & (to_dim < to_bright) & (to_bright < np.inf)
    return contact


def _distance_mm(targets: Points, points: Points, limit_mm: float) -> Values:
    """Distance from each point to the nearest target; infinite beyond the limit."""
    if len(targets) == 0:
        return np.full(len(points), np.inf)
    distance, _ = cKDTree(targets).query(points, distance_upper_bound=limit_mm)
    return np.asarray(distance, dtype=np.float64)


def _wide_pieces(deep: Points) -> tuple[DroppedPiece, ...]:
    """One record for each group of deep points that lie within a radius of one another."""
    pieces = []
    remaining = deep
    while len(remaining):
        group = np.linalg.norm(remaining - remaining[0], axis=1) < 4 * WIDEST_RADIUS_MM
        x, y, z = (float(value) for value in remaining[group].mean(axis=0))
        pieces.append(DroppedPiece("TOO_WIDE", (x, y, z), 0.0))
        remaining = remaining[~group]
    return tuple(pieces)
