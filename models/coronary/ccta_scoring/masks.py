"""From the networks' probabilities to masks of arteries and aorta on the original voxels.

Decides which slices are run and how an answer on a network's grid becomes an answer at each original voxel:
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

#: A voxel is artery, or aorta, from this probability. Arteries from less than a half: a lost trunk is a failure, and
#: what is no artery is dropped from the tree. Chosen on three patients (920012 and 920013 external, 920014 standard).
TREE_PROBABILITY = 0.35
AORTA_PROBABILITY = 0.5

#: The tree network runs on slices at most this far apart, mm; slices between them are interpolated. Lumens and slices
#: are blurred by about 1 mm, so every second slice of 0.5 mm says little that its neighbours do not.
TREE_SLICE_MM = 1.0

#: Slices per run: two keep two cores busy; the maps of one fine slice take about 100 MB.
TREE_BATCH = 2
AORTA_BATCH = 16


def aorta_probability(session: ModelSession, prepared: PreparedScan) -> NDArray[np.uint8]:
    """Probability of the ascending aorta on the coarse grid, 0 to BYTE, shape of ``prepared.coarse``."""
    return _probabilities(
        session, len(prepared.coarse), AORTA_BATCH, lambda z: aorta_channels(prepared, z), lambda _done: None
    )


def tree_slice_step(slice_spacing_mm: float) -> int:
    """Every how many original slices the tree network runs."""
    return max(1, int(TREE_SLICE_MM / slice_spacing_mm + 1e-6))


def tree_probability(session: ModelSession, prepared: PreparedScan, on_progress: ProgressCallback) -> NDArray[np.uint8]:
    """Probability of a coronary artery, 0 to BYTE, on the fine grid of every :func:`tree_slice_step`-th slice."""
    step = tree_slice_step(prepared.slice_spacing_mm)
    planes = len(range(0, len(prepared.mapped), step))
    return _probabilities(session, planes, TREE_BATCH, lambda k: tree_channels(prepared, step * k), on_progress)


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
    """Arteries on the original voxels; `probability` as from :func:`tree_probability`."""
    spacing_mm = volume.spacing_zyx_mm[0]
    return _mask(probability, TREE_PROBABILITY, tree_slice_step(spacing_mm) * spacing_mm, grid, volume)


def aorta_mask(probability: NDArray[np.uint8], grid: CropGrid, volume: CtVolume) -> NDArray[np.bool_]:
    """The largest connected piece of aorta, on the original voxels; `probability` is on the coarse grid."""
    pieces = cc3d.connected_components(probability >= AORTA_PROBABILITY * BYTE, connectivity=6)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    if not sizes.any():
        return np.zeros(volume.voxels_hu.shape, dtype=np.bool_)
    # The neighbours of the piece keep their probability, so that its border can be interpolated.
    kept = np.where(ndimage.binary_dilation(pieces == sizes.argmax()), probability, 0).astype(np.uint8)
    return _mask(kept, AORTA_PROBABILITY, COARSE_MM, grid, volume)


def _mask(
    planes: NDArray[np.uint8], least: float, plane_mm: float, grid: CropGrid, volume: CtVolume
) -> NDArray[np.bool_]:
    """Decide every original voxel; `planes` lie `plane_mm` apart, the first at the first slice."""
    mask = np.zeros(volume.voxels_hu.shape, dtype=np.bool_)
    is_found = planes.max(axis=(1, 2)) >= least * BYTE
    for z in range(len(mask)):
        at = min(z * volume.spacing_zyx_mm[0] / plane_mm, len(planes) - 1.0)
        below = int(at)
        above = min(below + 1, len(planes) - 1)
        if is_found[below] or is_found[above]:
            weight = np.float32(at - below)
            _decide((1 - weight) * planes[below] + weight * planes[above], least, grid, mask[z])
    return mask


def _decide(probability: NDArray[np.float32], least: float, grid: CropGrid, mask: NDArray[np.bool_]) -> None:
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
    np.greater_equal(found, least * BYTE, out=mask)
