"""Calcium taken off a contrast scan voxel by voxel: from each, what the scoring network says calcium adds to it.

Nothing is invented: noise, lumen and wall beside the calcium stay as they were scanned, so a narrowing stays one.
Decides which voxels are altered; how much calcium adds is decided by the network that found it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coronary.calcium_extent import reached_by_calcium
from coronary.contract import CalciumEstimate
from coronary.ct_volume import CtVolume


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


def remove_calcium(volume: CtVolume, estimate: CalciumEstimate, is_scored: NDArray[np.bool_]) -> CalciumRemoved:
    """Take the estimated excess of the scored calcifications and their borders off the scan.

    Parameters
    ----------
    is_scored
        Shape of the volume: voxels of coronary calcium. What the network took for calcium elsewhere is not touched.

    Raises
    ------
    ValueError
        If `is_scored` has another shape than the volume.
    """
    if is_scored.shape != volume.voxels_hu.shape:
        raise ValueError(f"scored voxels have shape {is_scored.shape}, the volume {volume.voxels_hu.shape}")
    chosen = reached_by_calcium(estimate, is_scored)
    altered = tuple(estimate.index_zyx[chosen].T)
    voxels_hu = volume.voxels_hu.copy()
    without = voxels_hu[altered] - np.maximum(estimate.excess_hu[chosen], 0.0)
    limits = np.iinfo(voxels_hu.dtype)
    voxels_hu[altered] = np.clip(np.rint(without), limits.min, limits.max).astype(voxels_hu.dtype)
    is_altered = np.zeros(is_scored.shape, dtype=np.bool_)
    is_altered[altered] = True
    return CalciumRemoved(CtVolume(voxels_hu, volume.affine_lps), is_altered)
