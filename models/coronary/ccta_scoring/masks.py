"""From the networks' probabilities to masks of arteries and aorta on the original voxels.

Decides in which order slices are run and how an answer on a network's grid becomes an answer at each original voxel:
probabilities are interpolated and then decided, so that borders do not follow the grid. One slice at a time: nothing
but the masks is as large as the volume.
"""

from __future__ import annotations

from collections.abc import Callable

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.ccta_scoring.preprocess import (
    BYTE,
    COARSE_MM,
    PreparedScan,
    aorta_channels,
    network_input,
    tree_channels,
)
from coronary.contract import ModelSession, ProgressCallback
from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import CropGrid

#: A voxel is artery, or aorta, from this probability.
DECISION_PROBABILITY = 0.5

#: Slices per run: two keep two cores busy; the maps of one fine slice take about 100 MB.
TREE_BATCH = 2
AORTA_BATCH = 16


def aorta_probability(session: ModelSession, prepared: PreparedScan) -> NDArray[np.uint8]:
    """Probability of the ascending aorta on the coarse grid, 0 to BYTE, shape of ``prepared.coarse``."""
    return _probabilities(
        session, len(prepared.coarse), AORTA_BATCH, lambda z: aorta_channels(prepared, z), lambda _done: None
    )


def tree_probability(session: ModelSession, prepared: PreparedScan, on_progress: ProgressCallback) -> NDArray[np.uint8]:
    """Probability of a coronary artery on the fine grid, 0 to BYTE, shape of ``prepared.mapped``."""
    return _probabilities(session, len(prepared.mapped), TREE_BATCH, lambda z: tree_channels(prepared, z), on_progress)


def _probabilities(
    session: ModelSession,
    slices: int,
    batch: int,
    channels: Callable[[int], NDArray[np.uint8]],
    on_progress: ProgressCallback,
) -> NDArray[np.uint8]:
    planes: list[NDArray[np.uint8]] = []
    for first in range(0, slices, batch):
        chosen = range(first, min(first + batch, slices))
        found = session.run({"image": network_input(np.stack([channels(z) for z in chosen]))})[0]
        planes.extend(np.round(BYTE * plane).astype(np.uint8) for plane in found)
        on_progress(len(planes) / slices)
    return np.stack(planes)


def artery_mask(probability: NDArray[np.uint8], grid: CropGrid, volume: CtVolume) -> NDArray[np.bool_]:
    """Arteries on the original voxels; `probability` is on the fine grid, slice by slice."""
    mask = np.zeros(volume.voxels_hu.shape, dtype=np.bool_)
    for z in np.flatnonzero(probability.max(axis=(1, 2)) >= DECISION_PROBABILITY * BYTE):
        _decide(probability[z].astype(np.float32), grid, mask[z])
    return mask


def aorta_mask(probability: NDArray[np.uint8], grid: CropGrid, volume: CtVolume) -> NDArray[np.bool_]:
    """The largest connected piece of aorta, on the original voxels; `probability` is on the coarse grid."""
    pieces = cc3d.connected_components(probability >= DECISION_PROBABILITY * BYTE, connectivity=6)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    mask = np.zeros(volume.voxels_hu.shape, dtype=np.bool_)
    if not sizes.any():
        return mask
    # The neighbours of the piece keep their probability, so that its border can be interpolated.
    kept = np.where(ndimage.binary_dilation(pieces == sizes.argmax()), probability, 0)
    spacing_mm = volume.spacing_zyx_mm[0]
    for z in range(len(mask)):
        at = min(z * spacing_mm / COARSE_MM, len(kept) - 1.0)
        below = int(at)
        above = min(below + 1, len(kept) - 1)
        if kept[below].any() or kept[above].any():
            weight = np.float32(at - below)
            _decide((1 - weight) * kept[below] + weight * kept[above], grid, mask[z])
    return mask


def _decide(probability: NDArray[np.float32], grid: CropGrid, mask: NDArray[np.bool_]) -> None:
    """Set `mask` (one original slice) where the interpolated probability reaches the decision."""
    found = ndimage.affine_transform(
        probability,
        [1.0 / grid.row_step, 1.0 / grid.column_step],
        offset=[-grid.first_row / grid.row_step, -grid.first_column / grid.column_step],
        output_shape=mask.shape,
        order=1,
        mode="constant",
        cval=0.0,
    )
    np.greater_equal(found, DECISION_PROBABILITY * BYTE, out=mask)
