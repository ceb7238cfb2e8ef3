"""Slices of virtual calcium-scoring scans with their heart and their coronary calcium; pictures are cut in training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import AGATSTON_THRESHOLD_HU
from coronary.calcium.calcium_voxels import find_calcium
from coronary.calcium.voxel_grid import VoxelGrid
from coronary.calcium_detection.bright_pieces import PieceViews, bright_pieces
from coronary.calcium_detection.heart_mask import heart_mask
from coronary.calcium_detection.training.layouts import with_neighbours
from coronary.ct_volume import CtVolume
from coronary.training_kit.case_files import run_command
from coronary.training_kit.patients import training_patient
from coronary.virtual_patient import draw_acquisition, render


def build_case(seed: int, patients: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Render the virtual patient of `seed` and choose slices; `patients` is that table of ``config.toml``.

    Keys: ``planes_hu`` int16 (n, 3, rows, columns), the slice between its neighbours; ``is_heart`` bool and
    ``agatston`` float16 (n, rows, columns), what each pixel adds to an exact score of the scan. Half of the slices show
    calcium, where there are enough; of the others come first those with something in the heart as bright as calcium.
    ``views`` uint8 (m, CHANNELS, VIEW_PIXELS, VIEW_PIXELS) over the window of the views and ``piece_agatston`` (m,):
    bright pieces of the whole scan, with calcium at most half of ``pieces``.
    """
    patient = training_patient(seed, patients["look_alike_shares"], varied_share=patients["varied_share"])
    scan = render(patient, draw_acquisition(seed, "csct"))
    volume = CtVolume(scan.voxels_hu, scan.affine_lps)
    heart = heart_mask(volume)
    agatston = agatston_of_voxels(scan.voxels_hu, scan.vessel_labels, VoxelGrid.checked(volume.spacing_zyx_mm))
    bright = heart & (scan.voxels_hu >= AGATSTON_THRESHOLD_HU)
    chosen = choose_slices(heart, agatston > 0, bright, patients["slices"], np.random.default_rng([seed, 4]))
    pieces = bright_pieces(volume, heart)
    piece_agatston = pieces.sums(agatston)
    shown = choose_pieces(piece_agatston > 0, patients["pieces"], np.random.default_rng([seed, 7]))
    return {
        "views": to_grey(PieceViews(volume).of(pieces.centre_zyx[shown])),
        "piece_agatston": piece_agatston[shown].astype(np.float32),
        "planes_hu": np.stack([with_neighbours(volume, int(z)) for z in chosen]),
        "is_heart": heart[chosen],
        "agatston": agatston[chosen].astype(np.float16),
    }


def agatston_of_voxels(
    voxels_hu: NDArray[np.int16], vessel_labels: NDArray[np.uint8], grid: VoxelGrid
) -> NDArray[np.float32]:
    """What each voxel adds to the Agatston score, shape of the volume."""
    calcium = find_calcium(voxels_hu, vessel_labels, grid, threshold_hu=AGATSTON_THRESHOLD_HU)
    found = np.zeros(voxels_hu.shape, np.float32)
    found[tuple(calcium.index_zyx.T)] = calcium.region_weight * grid.agatston_per_weighted_pixel
    return found


def choose_slices(
    heart: NDArray[np.bool_],
    calcium: NDArray[np.bool_],
    bright: NDArray[np.bool_],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Indices of slices that show the heart, in order.

    With calcium up to half of `count`; the others without, at random, those with something as bright before all others.
    """
    has_heart, has_calcium, has_bright = (each.any(axis=(1, 2)) for each in (heart, calcium, bright))
    with_calcium = rng.permutation(np.flatnonzero(has_heart & has_calcium))[: count // 2]
    without = [rng.permutation(np.flatnonzero(has_heart & ~has_calcium & kind)) for kind in (has_bright, ~has_bright)]
    return np.sort(np.concatenate([with_calcium, np.concatenate(without)[: count - len(with_calcium)]]))


def choose_pieces(is_calcium: NDArray[np.bool_], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Numbers of pieces to learn from, in order: with calcium up to half of `count`, the others without."""
    calcium = rng.permutation(np.flatnonzero(is_calcium))[: count // 2]
    return np.sort(np.concatenate([calcium, rng.permutation(np.flatnonzero(~is_calcium))[: count - len(calcium)]]))


def to_grey(views: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Views of -1 to 1 in 8 bits."""
    return np.rint((views + 1.0) * 127.5).astype(np.uint8)


def main() -> None:
    """Write training cases: ``python -m coronary.calcium_detection.training.cases --out cases``."""
    run_command(build_case, main.__doc__, Path(__file__).with_name("config.toml"))


if __name__ == "__main__":
    main()
