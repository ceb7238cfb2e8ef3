"""Calcium taken off a contrast scan voxel by voxel, by a network that sees it and says how the scan would look without.

Lumen and wall beside the calcium stay as they were scanned, so a narrowing stays one. Decides which voxels are altered.
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

#: The blurred border of a calcification may reach this far beyond the voxels that were scored, mm.
BORDER_MM: Final = 1.5

#: Where calcium adds less than this share of the contrast between wall and blood, the scan stays as it is.
LEAST_EXCESS: Final = 0.05

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
    """

    volume: CtVolume
    is_altered: NDArray[np.bool_]


def remove_calcium(
    session: ModelSession,
    volume: CtVolume,
    is_scored: NDArray[np.bool_],
    blood_hu: float,
    on_progress: ProgressCallback = lambda _done: None,
) -> CalciumRemoved:
    """Take what calcium adds off the scored calcifications and their borders.

    Parameters
    ----------
    session
        Takes ``image`` of :func:`.patches.removal_input` and answers (n, 32, 32, 32): the patches without calcium, 0
        for wall and 1 for blood.
    is_scored
        Shape of the volume: voxels of coronary calcium. Calcium elsewhere is not touched.
    blood_hu
        Attenuation of the coronary lumen.

    Raises
    ------
    ValueError
        If `is_scored` has another shape than the volume.
    """
    if is_scored.shape != volume.voxels_hu.shape:
        raise ValueError(f"scored voxels have shape {is_scored.shape}, the volume {volume.voxels_hu.shape}")
    index_zyx = within_reach(is_scored, volume.spacing_zyx_mm, BORDER_MM)
    excess = _excess(session, volume, index_zyx, blood_hu, on_progress)
    chosen = excess >= LEAST_EXCESS
    altered = tuple(index_zyx[chosen].T)
    is_altered = np.zeros(is_scored.shape, dtype=np.bool_)
    is_altered[altered] = True
    voxels_hu = volume.voxels_hu.copy()
    limits = np.iinfo(voxels_hu.dtype)
    without = np.rint(voxels_hu[altered] - excess[chosen] * (blood_hu - WALL_HU))
    voxels_hu[altered] = np.clip(without, limits.min, limits.max).astype(voxels_hu.dtype)
    return CalciumRemoved(CtVolume(voxels_hu, volume.affine_lps), is_altered)


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
    """What calcium adds to voxels (n, 3), in units of the contrast between wall and blood; shape (n,)."""
    axes = patch_axes(volume.affine_lps)
    places = volume.to_lps_mm(index_zyx.astype(np.float64)) @ axes
    excess = np.zeros(len(index_zyx), np.float32)
    done = 0
    cubes = list(cubes_over(places, REACH_MM))
    for first in range(0, len(cubes), BATCH):
        some = cubes[first : first + BATCH]
        patches = np.stack([cut_patch(volume, axes @ middle) for middle, _ in some])
        (answers,) = session.run({"image": removal_input(patches, blood_hu)})
        added = (patches - WALL_HU) / (blood_hu - WALL_HU) - answers
        for (middle, covered), patch in zip(some, added, strict=True):
            excess[covered] = at_places(patch, places[covered], middle)
            done += len(covered)
        on_progress(done / len(places))
    return excess
