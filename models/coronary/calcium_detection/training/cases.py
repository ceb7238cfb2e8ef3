"""Slices of virtual calcium-scoring scans with their heart and their coronary calcium; pictures are cut in training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import lesion_label_map
from coronary.calcium_detection.heart_mask import heart_mask
from coronary.ct_volume import CtVolume
from coronary.training_kit.case_files import run_command
from coronary.training_kit.patients import training_patient
from coronary.virtual_patient import draw_acquisition, render


def build_case(seed: int, patients: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Render the virtual patient of `seed` and choose slices; `patients` is that table of ``config.toml``.

    Keys: ``planes_hu`` int16, ``is_heart`` and ``is_calcium`` bool, each (n, rows, columns). Calcium is what an exact
    score of the scan counts. Half of the slices show some, where there are enough.
    """
    scan = render(training_patient(seed, patients["look_alike_shares"]), draw_acquisition(seed, "csct"))
    volume = CtVolume(scan.voxels_hu, scan.affine_lps)
    heart = heart_mask(volume)
    calcium = lesion_label_map(scan.voxels_hu, scan.vessel_labels, volume.spacing_zyx_mm) > 0
    chosen = choose_slices(heart, calcium, patients["slices"], np.random.default_rng([seed, 4]))
    return {"planes_hu": scan.voxels_hu[chosen], "is_heart": heart[chosen], "is_calcium": calcium[chosen]}


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
