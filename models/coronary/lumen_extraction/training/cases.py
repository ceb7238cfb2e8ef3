"""Slices of virtual contrast and calcium scans, drawn apart from one another as a CycleGAN needs them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coronary.training_kit.case_files import run_command
from coronary.virtual_patient import (
    Acquisition,
    VirtualPatient,
    VirtualScan,
    artery_mask,
    calcium_mask,
    draw_acquisition,
    draw_patient,
    render,
)


def build_case(seed: int, patients: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Render the virtual patient of `seed` and draw slices; `patients` is that table of ``config.toml``.

    Keys, all (n, rows, columns), int16 HU: ``contrast`` and ``non_contrast``, slices of a contrast scan and of a
    calcium-scoring CT, unpaired as in paper 0; ``contrast_off``, those of ``contrast`` without the contrast agent,
    noise and all else the same, which no clinic could scan; ``places``, uint8: 1 artery, 2 calcium of one.
    """
    rng = np.random.default_rng([seed, 3])
    patient = draw_patient(seed, calcium="none" if seed % 4 == 0 else "present")
    contrast = draw_acquisition(seed, "ccta", kvp=patients["kvp"][seed % len(patients["kvp"])])
    pixels, pixel_mm = patients["pixels"], float(rng.uniform(*patients["pixel_mm"]))
    calcium_scan = rendered(patient, draw_acquisition(seed, "csct"), pixels, pixel_mm).voxels_hu
    scan = rendered(patient, contrast, pixels, pixel_mm)
    places = artery_mask(scan).astype(np.uint8) + calcium_mask(scan)
    chosen = rng.choice(contrast.slice_count, size=patients["slices"], replace=False)
    return {
        "contrast": scan.voxels_hu[chosen],
        "contrast_off": rendered(patient, without_contrast(contrast), pixels, pixel_mm).voxels_hu[chosen],
        "places": places[chosen],
        "non_contrast": calcium_scan[
            rng.choice(len(calcium_scan), size=min(patients["slices"], len(calcium_scan)), replace=False)
        ],
    }


def rendered(patient: VirtualPatient, acquisition: Acquisition, pixels: int, pixel_mm: float) -> VirtualScan:
    """One scan around the heart, all slices."""
    return render(patient, acquisition, in_plane_fov_mm=pixels * pixel_mm, matrix=pixels)


def without_contrast(acquisition: Acquisition) -> Acquisition:
    """The same scan of the same patient before any contrast agent was given."""
    return dataclasses.replace(acquisition, iodine_mg_ml=dict.fromkeys(acquisition.iodine_mg_ml, 0.0))


def main() -> None:
    """Write training cases: ``python -m coronary.lumen_extraction.training.cases --out cases``."""
    run_command(build_case, main.__doc__, Path(__file__).with_name("config.toml"))


if __name__ == "__main__":
    main()
