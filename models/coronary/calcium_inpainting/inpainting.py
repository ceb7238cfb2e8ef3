"""Calcium of a contrast scan replaced by what a network would expect there: a hidden cube slides along it (paper 2).

Decides where the cube goes. The scan is seen at the networks' voxel size; what comes back is interpolated at the voxels
of the calcium alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from coronary.calcium_inpainting.patches import (
    PATCH_MM,
    PATCH_VOXELS,
    cut_patch,
    hidden_cube,
    network_input,
    patch_axes,
    to_hu,
)
from coronary.calcium_inpainting.removal import CalciumRemoved
from coronary.contract import ModelSession
from coronary.ct_volume import CtVolume


def inpaint_calcium(
    session: ModelSession, volume: CtVolume, is_calcified: NDArray[np.bool_], side: int
) -> CalciumRemoved:
    """Replace all calcified voxels, cube after cube, each seen with what the ones before have replaced.

    Parameters
    ----------
    session
        Takes ``image`` of :func:`.patches.network_input` and answers the patch at unit attenuation.
    is_calcified
        Shape of the volume: calcium with its border.
    side
        Of the hidden cube, voxels of PATCH_MM.
    """
    voxels_hu = volume.voxels_hu.copy()
    current = CtVolume(voxels_hu, volume.affine_lps)
    hidden = hidden_cube(side)
    # A voxel is replaced where all it is interpolated from was hidden.
    reach_mm = (0.5 * side - 0.5) * PATCH_MM
    axes = patch_axes(volume.affine_lps)
    left = np.argwhere(is_calcified)
    places = volume.to_lps_mm(left.astype(np.float64)) @ axes
    while len(left):
        middle = _middle_of_cube(places, reach_mm)
        patch = cut_patch(current, axes @ middle)
        made = to_hu(session.run({"image": network_input(patch[None], hidden)})[0][0])
        is_covered = np.all(np.abs(places - middle) <= reach_mm, axis=1)
        # Columns are x, y, z; the patch is z, y, x.
        at = (places[is_covered] - middle)[:, ::-1].T / PATCH_MM + 0.5 * (PATCH_VOXELS - 1)
        index = tuple(left[is_covered].T)
        limits = np.iinfo(voxels_hu.dtype)
        voxels_hu[index] = np.clip(np.rint(map_coordinates(made, at, order=1)), limits.min, limits.max)
        left, places = left[~is_covered], places[~is_covered]
    return CalciumRemoved(current, is_calcified)


def _middle_of_cube(places: NDArray[np.float64], reach_mm: float) -> NDArray[np.float64]:
    """Where the next cube covers the first place and much of what lies around it."""
    first = places[0]
    near = places[np.all(np.abs(places - first) <= reach_mm, axis=1)]
    middle: NDArray[np.float64] = np.clip(near.mean(axis=0), first - reach_mm, first + reach_mm)
    return middle
