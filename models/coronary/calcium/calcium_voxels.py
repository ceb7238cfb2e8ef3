"""Which voxels are calcium, and which belong together.

Decides threshold, connectivity, the noise rule and the split by vessel; everything a score needs is a per-voxel label
of what this module returns. Computes no score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium.score_scales import MINIMUM_CALCIUM_AREA_MM2, density_weight
from coronary.calcium.vessels import Vessel
from coronary.calcium.voxel_grid import VoxelGrid

#: Faces only: 6-connected in 3-D (paper 4, section 2.3).
SIX_CONNECTED = ndimage.generate_binary_structure(3, 1)

#: Edges within the slice only: 4-connected in every slice, nothing between slices.
FOUR_CONNECTED_IN_SLICE = SIX_CONNECTED & np.array([False, True, False])[:, None, None]


@dataclass(frozen=True, slots=True, eq=False)
class CalciumVoxels:
    """Calcium voxels of a volume in raster order, with their groups; all arrays have one entry per voxel.

    Parameters
    ----------
    index_zyx
        Shape (n, 3): indices into the volume.
    hu
        Attenuation, int64 for integer volumes, else float64.
    vessel
        Label 1 to 4.
    region_weight
        Density weight of the peak of the 4-connected in-slice region, over all vessels, that the voxel is in.
    component_weight
        Density weight of the peak of the 6-connected 3-D calcium, over all vessels, that the voxel is in.
    piece
        Number from 1 of the 6-connected 3-D part that lies in one vessel: one piece is one lesion.
    """

    index_zyx: NDArray[np.int64]
    hu: NDArray[np.int64] | NDArray[np.float64]
    vessel: NDArray[np.int64]
    region_weight: NDArray[np.int64]
    component_weight: NDArray[np.int64]
    piece: NDArray[np.int64]


def find_calcium(
    voxels_hu: NDArray[Any],
    vessel_labels: NDArray[Any],
    grid: VoxelGrid,
    *,
    threshold_hu: float,
    minimum_area_mm2: float = MINIMUM_CALCIUM_AREA_MM2,
) -> CalciumVoxels:
    """Find labelled voxels at or above the threshold and group them.

    Connectivity is that of the union of all vessels; a union component whose area summed over slices is below the
    minimum is dropped before anything else is decided, so a lesion that crosses a vessel border is never half noise.

    Raises
    ------
    ValueError
        If shapes differ or are not 3-D, the labels are not integers from 0 to 4, or a labelled voxel is not finite.
    """
    _check_arrays(voxels_hu, vessel_labels)
    index_zyx = np.argwhere(vessel_labels)
    hu = voxels_hu[tuple(index_zyx.T)]
    if not np.all(np.isfinite(hu)):
        raise ValueError(f"{int(np.sum(~np.isfinite(hu)))} labelled voxels have no finite attenuation")
    index_zyx = index_zyx[hu >= threshold_hu]
    if len(index_zyx) == 0:
        return _no_calcium()
    first = index_zyx.min(axis=0)
    box = tuple(slice(low, high + 1) for low, high in zip(first, index_zyx.max(axis=0), strict=True))
    calcium = np.zeros([side.stop - side.start for side in box], dtype=np.bool_)
    calcium[tuple((index_zyx - first).T)] = True
    component_map, n_components = ndimage.label(calcium, SIX_CONNECTED)
    pixels = np.bincount(component_map.ravel(), minlength=n_components + 1)
    is_kept = grid.reaches_area(pixels, minimum_area_mm2)
    is_kept[0] = False
    calcium = is_kept[component_map]
    return _grouped(voxels_hu[box], vessel_labels[box], calcium, component_map, first)


def _check_arrays(voxels_hu: NDArray[Any], vessel_labels: NDArray[Any]) -> None:
    if voxels_hu.ndim != 3 or voxels_hu.shape != vessel_labels.shape:
        raise ValueError(
            f"voxels have shape {voxels_hu.shape} and labels {vessel_labels.shape}, expected one 3-D shape"
        )
    if not np.issubdtype(vessel_labels.dtype, np.integer):
        raise ValueError(f"vessel labels have dtype {vessel_labels.dtype}, expected integers from 0 to {max(Vessel)}")
    if vessel_labels.size and not 0 <= int(vessel_labels.min()) <= int(vessel_labels.max()) <= max(Vessel):
        raise ValueError(f"vessel labels run from {vessel_labels.min()} to {vessel_labels.max()}, expected 0 to 4")


def _grouped(
    voxels_hu: NDArray[Any],
    vessel_labels: NDArray[Any],
    calcium: NDArray[np.bool_],
    component_map: NDArray[Any],
    first: NDArray[np.int64],
) -> CalciumVoxels:
    """Label regions and pieces inside the bounding box and read all labels at the calcium voxels."""
    region_map, n_regions = ndimage.label(calcium, FOUR_CONNECTED_IN_SLICE)
    piece_map = np.zeros(calcium.shape, dtype=np.int64)
    n_pieces = 0
    for vessel in Vessel:
        in_vessel = calcium & (vessel_labels == vessel)
        pieces, n_new = ndimage.label(in_vessel, SIX_CONNECTED)
        piece_map[in_vessel] = pieces[in_vessel] + n_pieces
        n_pieces += n_new
    hu = voxels_hu[calcium]
    hu = hu.astype(np.int64 if np.issubdtype(hu.dtype, np.integer) else np.float64)
    return CalciumVoxels(
        index_zyx=np.argwhere(calcium) + first,
        hu=hu,
        vessel=vessel_labels[calcium].astype(np.int64),
        region_weight=_weight_of_group(hu, region_map[calcium], n_regions),
        component_weight=_weight_of_group(hu, component_map[calcium], int(component_map.max())),
        piece=piece_map[calcium],
    )


def _weight_of_group(
    hu: NDArray[np.int64] | NDArray[np.float64], group: NDArray[Any], n_groups: int
) -> NDArray[np.int64]:
    """Density weight of the peak of each voxel's group (numbered from 1), one entry per voxel."""
    peak_hu = np.zeros(n_groups + 1, dtype=hu.dtype)
    np.maximum.at(peak_hu, group, hu)
    weight: NDArray[np.int64] = density_weight(peak_hu)[group]
    return weight


def _no_calcium() -> CalciumVoxels:
    none = np.zeros(0, dtype=np.int64)
    return CalciumVoxels(np.zeros((0, 3), dtype=np.int64), none, none, none, none, none)
