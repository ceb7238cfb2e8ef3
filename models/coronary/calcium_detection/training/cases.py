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
from coronary.calcium_detection.heart_mask import heart_mask
from coronary.calcium_detection.layouts import with_neighbours
from coronary.ct_volume import CtVolume
from coronary.training_kit.case_files import run_command
from coronary.training_kit.patients import training_patient
from coronary.virtual_patient import draw_acquisition, render


def build_case(seed: int, patients: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Render the virtual patient of `seed` and choose slices; `patients` is that table of ``config.toml``.

    Keys: ``planes_hu`` int16 (n, 3, rows, columns), the slice between its neighbours; ``is_heart`` bool and
    ``agatston`` float16 (n, rows, columns), what each pixel adds to an exact score of the scan. Half of the slices show
    calcium, where there are enough.
    """
    patient = training_patient(seed, patients["look_alike_shares"], varied_share=patients["varied_share"])
    scan = render(patient, draw_acquisition(seed, "csct"))
    volume = CtVolume(scan.voxels_hu, scan.affine_lps)
    heart = heart_mask(volume)
    agatston = agatston_of_voxels(scan.voxels_hu, scan.vessel_labels, VoxelGrid.checked(volume.spacing_zyx_mm))
    chosen = choose_slices(heart, agatston > 0, patients["slices"], np.random.default_rng([seed, 4]))
    return {
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
    heart: NDArray[np.bool_], calcium: NDArray[np.bool_], count: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Indices of slices that show the heart, in order: with calcium up to half of `count`, the others without."""
    has_heart, has_calcium = heart.any(axis=(1, 2)), calcium.any(axis=(1, 2))
    with_calcium = rng.permutation(np.flatnonzero(has_heart & has_calcium))[: count // 2]
    without = rng.permutation(np.flatnonzero(has_heart & ~has_calcium))[: count - len(with_calcium)]
    return np.sort(np.concatenate([with_calcium, without]))


def main() -> None:
    """Write training cases: ``python -m coronary.calcium_detection.training.cases --out cases``."""
    run_command(build_case, main.__doc__, Path(__file__).with_name("config.toml"))


if __name__ == "__main__":
    main()
