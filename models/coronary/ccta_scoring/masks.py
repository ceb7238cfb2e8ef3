"""From the networks' answers to masks of arteries and aorta, and to estimated calcium, on the original voxels.

Decides which slices are run and how an answer on a network's grid becomes an answer at each original voxel:
probabilities are interpolated and then decided, so that borders do not follow the grid. One slice at a time: nothing
but the masks is as large as the volume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.ccta_scoring.preprocess import (
    BYTE,
    COARSE_MM,
    EXCESS_RANGE,
    PreparedScan,
    aorta_channels,
    network_input,
    tree_channels,
)
from coronary.contract import CalciumEstimate, ModelSession, ProgressCallback
from coronary.ct_volume import CtVolume
from coronary.imaging.connected_pieces import largest_piece
from coronary.imaging.resampling import CropGrid

#: A voxel is artery from the first of these probabilities at which the tree is complete: where the network doubts an
#: artery, a lower one finds more of it, and more that is none.
TREE_PROBABILITIES = (0.5, 0.3, 0.15)

#: A voxel is aorta from this probability.
AORTA_PROBABILITY = 0.5

#: Voxels that are less probably calcium are not even listed.
LISTED_CALCIUM_PROBABILITY = 0.1

#: The tree network runs on slices at most this far apart, mm; slices between them are interpolated. Lumens and slices
#: are blurred by about 1 mm, so every second slice of 0.5 mm says little that its neighbours do not.
TREE_SLICE_MM = 1.0

#: Slices per run: two keep two cores busy; the maps of one fine slice take about 100 MB.
TREE_BATCH = 2
AORTA_BATCH = 16


def aorta_probability(session: ModelSession, prepared: PreparedScan) -> NDArray[np.uint8]:
    """Probability of the ascending aorta on the coarse grid, 0 to BYTE, shape of ``prepared.coarse``."""
    return _answers(
        session, len(prepared.coarse), AORTA_BATCH, lambda z: aorta_channels(prepared, z), lambda _done: None
    )[:, 0]


def tree_slice_step(slice_spacing_mm: float) -> int:
    """Every how many original slices the tree network runs."""
    return max(1, int(TREE_SLICE_MM / slice_spacing_mm + 1e-6))


def tree_answers(session: ModelSession, prepared: PreparedScan, on_progress: ProgressCallback) -> NDArray[np.uint8]:
    """TREE_ANSWERS on the fine grid of every :func:`tree_slice_step`-th slice, 0 to BYTE.

    Shape (slices, answers, CROP_PIXELS, CROP_PIXELS).
    """
    step = tree_slice_step(prepared.slice_spacing_mm)
    planes = len(range(0, len(prepared.mapped), step))
    return _answers(session, planes, TREE_BATCH, lambda k: tree_channels(prepared, step * k), on_progress)


def _answers(
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


def artery_mask(
    answers: NDArray[np.uint8], grid: CropGrid, volume: CtVolume, probability: float = TREE_PROBABILITIES[0]
) -> NDArray[np.bool_]:
    """Arteries of at least this probability on the original voxels; `answers` as from :func:`tree_answers`."""
    return _mask(answers[:, 0], probability, _tree_plane_mm(volume), grid, volume)


def estimate_calcium(answers: NDArray[np.uint8], grid: CropGrid, volume: CtVolume, blood_hu: float) -> CalciumEstimate:
    """What the tree network says of calcium, at the original voxels; `blood_hu` is that of the attenuation mapping."""
    indices, probabilities, excesses = [np.zeros((0, 3), np.int64)], [np.zeros(0)], [np.zeros(0)]
    between = zip(
        _interpolated(answers[:, 1], LISTED_CALCIUM_PROBABILITY, _tree_plane_mm(volume), volume),
        _interpolated(answers[:, 2], 0.0, _tree_plane_mm(volume), volume),
        strict=True,
    )
    for z, (calcium, excess) in enumerate(between):
        if calcium is None or excess is None:
            continue
        probability = _on_original(calcium, grid, volume)
        rows, columns = np.nonzero(probability >= LISTED_CALCIUM_PROBABILITY * BYTE)
        share = ndimage.map_coordinates(excess, np.stack(grid.to_pixels(rows, columns)), order=1, mode="nearest")
        indices.append(np.stack([np.full(len(rows), z), rows, columns], axis=1))
        probabilities.append(probability[rows, columns] / BYTE)
        excesses.append(share / BYTE * EXCESS_RANGE * blood_hu)
    return CalciumEstimate(np.concatenate(indices), np.concatenate(probabilities), np.concatenate(excesses))


def _tree_plane_mm(volume: CtVolume) -> float:
    spacing_mm = volume.spacing_zyx_mm[0]
    return tree_slice_step(spacing_mm) * spacing_mm


def aorta_mask(probability: NDArray[np.uint8], grid: CropGrid, volume: CtVolume) -> NDArray[np.bool_]:
    """The largest connected piece of aorta, on the original voxels; `probability` is on the coarse grid."""
    piece = largest_piece(probability >= AORTA_PROBABILITY * BYTE, connectivity=6)
    if not piece.any():
        return np.zeros(volume.voxels_hu.shape, dtype=np.bool_)
    # The neighbours of the piece keep their probability, so that its border can be interpolated.
    kept = np.where(ndimage.binary_dilation(piece), probability, 0).astype(np.uint8)
    return _mask(kept, AORTA_PROBABILITY, COARSE_MM, grid, volume)


def _mask(
    planes: NDArray[np.uint8], least: float, plane_mm: float, grid: CropGrid, volume: CtVolume
) -> NDArray[np.bool_]:
    """Decide every original voxel; `planes` lie `plane_mm` apart, the first at the first slice."""
    mask = np.zeros(volume.voxels_hu.shape, dtype=np.bool_)
    for z, plane in enumerate(_interpolated(planes, least, plane_mm, volume)):
        if plane is not None:
            np.greater_equal(_on_original(plane, grid, volume), least * BYTE, out=mask[z])
    return mask


def _interpolated(
    planes: NDArray[np.uint8], least: float, plane_mm: float, volume: CtVolume
) -> Iterator[NDArray[np.float32] | None]:
    """The plane at each original slice, between those that were run; None where none of its pixels reaches `least`."""
    is_found = planes.max(axis=(1, 2)) >= least * BYTE
    for z in range(len(volume.voxels_hu)):
        at = min(z * volume.spacing_zyx_mm[0] / plane_mm, len(planes) - 1.0)
        below = int(at)
        above = min(below + 1, len(planes) - 1)
        weight = np.float32(at - below)
        is_empty = not (is_found[below] or is_found[above])
        yield None if is_empty else (1 - weight) * planes[below] + weight * planes[above]


def _on_original(plane: NDArray[np.float32], grid: CropGrid, volume: CtVolume) -> NDArray[np.float32]:
    """A plane of the grid at the pixels of an original slice, 0 outside."""
    return np.asarray(
        ndimage.affine_transform(
            plane,
            [1.0 / grid.row_step, 1.0 / grid.column_step],
            offset=[-grid.first_row / grid.row_step, -grid.first_column / grid.column_step],
            output_shape=volume.voxels_hu.shape[1:],
            order=1,
            mode="constant",
            cval=0.0,
        )
    )
