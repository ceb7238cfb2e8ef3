"""Patches of virtual contrast scans along the arteries, with and without calcium in the middle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium_inpainting.patches import HIDDEN_VOXELS, PATCH_MM, PATCH_VOXELS, cut_patch
from coronary.ct_volume import CtVolume
from coronary.training_kit.case_files import run_command
from coronary.virtual_patient import (
    VirtualPatient,
    VirtualScan,
    artery_mask,
    calcium_mask,
    coronary_attenuation_hu,
    draw_acquisition,
    draw_patient,
    render,
)

#: Half the diagonal of the larger hidden cube, mm: no calcium nearer than this to the middle, none in the cube.
CLEAR_MM = 0.5 * HIDDEN_VOXELS[0] * PATCH_MM * np.sqrt(3.0)


def build_case(seed: int, patients: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Render the virtual patient of `seed` and cut its patches; `patients` is that table of ``config.toml``.

    Keys: ``patches``, ``calcium_free`` (n, 32, 32, 32), int16 HU, the same scan without coronary calcium;
    ``has_calcium`` (n,), whether there is some in the larger hidden cube; ``blood_hu`` (n,), the lumen's attenuation.
    A patient with calcium, but less than ``least_mass_mg`` of it, has no patches.
    """
    rng = np.random.default_rng([seed, 2])
    is_calcified = seed % patients["calcium_free_every"] != 0
    patient = draw_patient(seed, calcium="present" if is_calcified else "none")
    if is_calcified and sum(lesion.mass_mg for lesion in patient.lesions) < patients["least_mass_mg"]:
        return empty_case()
    scan = render_scan(patient, patients)
    cut = cut_patches(scan, patients["patches"], patients["calcium_share"], rng)
    return {**cut, "blood_hu": np.full(len(cut["patches"]), coronary_attenuation_hu(scan), np.float32)}


def empty_case() -> dict[str, NDArray[Any]]:
    """A case without patches."""
    none = np.zeros((0, PATCH_VOXELS, PATCH_VOXELS, PATCH_VOXELS), np.int16)
    return {
        "patches": none,
        "calcium_free": none,
        "has_calcium": np.zeros(0, np.bool_),
        "blood_hu": np.zeros(0, np.float32),
    }


def render_scan(patient: VirtualPatient, patients: Mapping[str, Any]) -> VirtualScan:
    """The contrast scan of a virtual patient, with its calcium-free twin; tube voltages and pixels in turn."""
    voltages, pixels_mm = patients["kvp"], patients["pixel_mm"]
    pixel_mm = float(np.random.default_rng([patient.seed, 3]).uniform(*pixels_mm))
    return render(
        patient,
        draw_acquisition(patient.seed, "ccta", kvp=voltages[patient.seed % len(voltages)]),
        in_plane_fov_mm=patients["fov_mm"],
        matrix=round(patients["fov_mm"] / pixel_mm),
        with_twin=True,
    )


def cut_patches(
    scan: VirtualScan, count: int, calcium_share: float, rng: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Cut patches with their middles in arteries; without calcium in the scan, none has some."""
    assert scan.calcium_free_hu is not None
    calcium = np.argwhere(calcium_mask(scan))
    clear = np.argwhere(artery_mask(scan) & ~_near(scan, calcium_mask(scan)))
    volumes = [CtVolume(voxels, scan.affine_lps) for voxels in (scan.voxels_hu, scan.calcium_free_hu)]
    has_calcium = rng.uniform(size=count) < (calcium_share if len(calcium) else 0.0)
    patches = np.empty((2, count, PATCH_VOXELS, PATCH_VOXELS, PATCH_VOXELS), np.int16)
    for k, wants_calcium in enumerate(has_calcium):
        places = calcium if wants_calcium else clear
        middle = volumes[0].to_lps_mm(places[rng.integers(len(places))].astype(np.float64))
        for of_volume, volume in zip(patches, volumes, strict=True):
            of_volume[k] = np.round(cut_patch(volume, middle))
    return {"patches": patches[0], "calcium_free": patches[1], "has_calcium": has_calcium}


def _near(scan: VirtualScan, calcium: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not calcium.any():
        return calcium
    distance_mm = ndimage.distance_transform_edt(~calcium, sampling=scan.spacing_zyx_mm)
    return np.asarray(distance_mm < CLEAR_MM)


def main() -> None:
    """Write training cases: ``python -m coronary.calcium_inpainting.training.cases --out cases``."""
    run_command(build_case, main.__doc__, Path(__file__).with_name("config.toml"))


if __name__ == "__main__":
    main()
