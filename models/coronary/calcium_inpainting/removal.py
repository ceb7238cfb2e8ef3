"""Calcium taken off a contrast scan voxel by voxel, by a network that sees it and says how the scan would look without.

Lumen and wall beside the calcium stay as they were scanned, so a narrowing stays one. Decides which voxels are altered, and hands out the narrowest and the widest lumen that the network thinks possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium_inpainting.patches import (
    PATCH_MM,
    WALL_HU,
    at_places,
    cubes_over,
    cut_patch,
    patch_axes,
    removal_input,
)
from coronary.contract import ModelSession, ProgressCallback
from coronary.ct_volume import CtVolume
from coronary.derived_readings import LumenBounds

#: Answers of the network: what is expected without calcium, and the bounds that four of five voxels lie between.
EXPECTED, LOW, HIGH = 0, 1, 2

#: Calcium is looked for up to this far from the arteries and from the calcium that was scored, mm: plaque lies in the
#: wall, and its blurred border around it.
BORDER_MM: Final = 1.5

#: Where calcium adds less than this share of the contrast between wall and blood, the scan stays as it is.
LEAST_EXCESS: Final = 0.05

#: Calcium adds at least this much somewhere; less is noise, or blood a little brighter than elsewhere. Its border lies
#: within BORDER_MM.
LEAST_CORE: Final = 0.4

#: Answers are used up to this far from the middle of a patch; beyond, the network sees too little of what lies around.
REACH_MM: Final = 8 * PATCH_MM

#: Patches per call of the network.
BATCH: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class CalciumRemoved:
    """A contrast scan without its coronary calcium.

    Parameters
    ----------
    volume
        The scan; every voxel outside `is_altered` has the attenuation of the source.
    is_altered
        Shape of the volume.
    bounds
        The same with as little, and as much, taken off as the network thinks possible; None where it says nothing.
    """

    volume: CtVolume
    is_altered: NDArray[np.bool_]
    bounds: LumenBounds | None = None


def remove_calcium(
    session: ModelSession,
    volume: CtVolume,
    is_arterial: NDArray[np.bool_],
    blood_hu: float,
    on_progress: ProgressCallback = lambda _done: None,
) -> CalciumRemoved:
    """Take what calcium adds off the arteries and their walls, scored or not: what is left of it would pass for lumen.

    Parameters
    ----------
    session
        Takes ``image`` of :func:`.patches.removal_input` and answers (n, 3, 32, 32, 32): the patches without calcium,
        0 for wall and 1 for blood.
    is_arterial
        Shape of the volume: voxels of coronary arteries and of their calcium. Calcium elsewhere is not touched.
    blood_hu
        Attenuation of the coronary lumen.

    Raises
    ------
    ValueError
        If `is_arterial` has another shape than the volume.
    """
    if is_arterial.shape != volume.voxels_hu.shape:
        raise ValueError(f"arteries have shape {is_arterial.shape}, the volume {volume.voxels_hu.shape}")
    index_zyx = within_reach(is_arterial, volume.spacing_zyx_mm, BORDER_MM)
    excess = _excess(session, volume, index_zyx, blood_hu, on_progress)
    is_core = np.zeros(is_arterial.shape, dtype=np.bool_)
    is_core[tuple(index_zyx[excess[:, EXPECTED] >= LEAST_CORE].T)] = True
    near_core = np.zeros(is_arterial.shape, dtype=np.bool_)
    near_core[tuple(within_reach(is_core, volume.spacing_zyx_mm, BORDER_MM).T)] = True
    chosen = (excess[:, EXPECTED] >= LEAST_EXCESS) & near_core[tuple(index_zyx.T)]
    altered, excess_hu = tuple(index_zyx[chosen].T), excess[chosen] * (blood_hu - WALL_HU)
    is_altered = np.zeros(is_arterial.shape, dtype=np.bool_)
    is_altered[altered] = True
    # The bounds are learnt one by one: what is expected lies between them all the same. Little attenuation without
    # calcium is much that calcium adds.
    excess_hu[:, LOW] = np.maximum(excess_hu[:, LOW], excess_hu[:, EXPECTED])
    excess_hu[:, HIGH] = np.clip(excess_hu[:, HIGH], 0.0, excess_hu[:, EXPECTED])
    expected, narrow, wide = (_without(volume, altered, excess_hu[:, answer]) for answer in (EXPECTED, LOW, HIGH))
    return CalciumRemoved(expected, is_altered, LumenBounds(wide, narrow))


def within_reach(
    mask: NDArray[np.bool_], spacing_zyx_mm: tuple[float, float, float], reach_mm: float
) -> NDArray[np.int64]:
    """Indices (n, 3), in raster order, of the voxels of a mask and of all within `reach_mm` around it."""
    inside = np.argwhere(mask)
    if not len(inside):
        return inside
    margin = np.ceil(reach_mm / np.array(spacing_zyx_mm)).astype(int) + 1
    first = np.maximum(inside.min(axis=0) - margin, 0)
    box = tuple(slice(a, b) for a, b in zip(first, inside.max(axis=0) + margin + 1, strict=True))
    near = ndimage.distance_transform_edt(~mask[box], sampling=spacing_zyx_mm) <= reach_mm
    return np.asarray(np.argwhere(near) + first)


def _excess(
    session: ModelSession,
    volume: CtVolume,
    index_zyx: NDArray[np.int64],
    blood_hu: float,
    on_progress: ProgressCallback,
) -> NDArray[np.float32]:
    """What calcium adds to voxels (n, 3), in units of the contrast between wall and blood; shape (n, 3 answers)."""
    axes = patch_axes(volume.affine_lps)
    places = volume.to_lps_mm(index_zyx.astype(np.float64)) @ axes
    excess = np.zeros((len(index_zyx), 3), np.float32)
    done = 0
    cubes = list(cubes_over(places, REACH_MM))
    for first in range(0, len(cubes), BATCH):
        some = cubes[first : first + BATCH]
        patches = np.stack([cut_patch(volume, axes @ middle) for middle, _ in some])
        (answers,) = session.run({"image": removal_input(patches, blood_hu)})
        scanned = (patches - WALL_HU) / (blood_hu - WALL_HU)
        for (middle, covered), patch, answer in zip(some, scanned, answers, strict=True):
            for k in range(3):
                excess[covered, k] = at_places(patch - answer[k], places[covered], middle)
            done += len(covered)
        on_progress(done / len(places))
    return excess


def _without(volume: CtVolume, altered: tuple[NDArray[np.int64], ...], excess_hu: NDArray[np.float32]) -> CtVolume:
    voxels_hu = volume.voxels_hu.copy()
    limits = np.iinfo(voxels_hu.dtype)
    without = np.rint(voxels_hu[altered] - excess_hu)
    voxels_hu[altered] = np.clip(without, limits.min, limits.max).astype(voxels_hu.dtype)
    return CtVolume(voxels_hu, volume.affine_lps)
