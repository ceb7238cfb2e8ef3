"""Calcium of a contrast scan replaced by what a network would expect there: a hidden cube slides along it (paper 2).

Decides where the cube goes. The scan is seen at the networks' voxel size; what comes back is interpolated at the voxels
of the calcium alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.calcium_inpainting.patches import (
    PATCH_MM,
    at_places,
    cubes_over,
    cut_patch,
    hidden_cube,
    network_input,
    patch_axes,
    to_hu,
)
from coronary.calcium_inpainting.removal import CalciumRemoved, within_reach
from coronary.contract import ModelSession, ProgressCallback
from coronary.ct_volume import CtVolume

#: The blurred border of a calcification that is replaced with it, mm around the voxels that were scored.
BORDER_MM: Final = 0.7


def inpaint_calcium(
    session: ModelSession,
    volume: CtVolume,
    is_scored: NDArray[np.bool_],
    side: int,
    on_progress: ProgressCallback = lambda _done: None,
) -> CalciumRemoved:
    """Replace all calcified voxels with their borders, cube after cube, each seen with what the ones before replaced.

    Parameters
    ----------
    session
        Takes ``image`` of :func:`.patches.network_input` and answers the patch at unit attenuation.
    is_scored
        Shape of the volume: voxels of coronary calcium.
    side
        Of the hidden cube, voxels of PATCH_MM.
    """
    index_zyx = within_reach(is_scored, volume.spacing_zyx_mm, BORDER_MM)
    is_altered = np.zeros(is_scored.shape, dtype=np.bool_)
    is_altered[tuple(index_zyx.T)] = True
    voxels_hu = volume.voxels_hu.copy()
    current = CtVolume(voxels_hu, volume.affine_lps)
    hidden = hidden_cube(side)
    # A voxel is replaced where all it is interpolated from was hidden.
    reach_mm = (0.5 * side - 0.5) * PATCH_MM
    axes = patch_axes(volume.affine_lps)
    places = volume.to_lps_mm(index_zyx.astype(np.float64)) @ axes
    limits, done = np.iinfo(voxels_hu.dtype), 0
    for middle, covered in cubes_over(places, reach_mm):
        patch = cut_patch(current, axes @ middle)
        made = to_hu(session.run({"image": network_input(patch[None], hidden)})[0][0])
        inside = at_places(made, places[covered], middle)
        voxels_hu[tuple(index_zyx[covered].T)] = np.clip(np.rint(inside), limits.min, limits.max)
        done += len(covered)
        on_progress(done / len(places))
    return CalciumRemoved(current, is_altered)
