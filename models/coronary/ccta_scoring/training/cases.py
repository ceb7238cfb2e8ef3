"""Virtual contrast scans as training cases: rendered, prepared as in serving, kept as small pieces.

A case holds patches for the tree network, coarse slices for the aorta network, and one row for the regression of the
calibration factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.ccta_scoring.aorta import calibration_features, measure_aorta
from coronary.ccta_scoring.preprocess import (
    COARSE_MM,
    CROP_PIXELS,
    PreparedScan,
    aorta_channels,
    prepare,
    tree_channels,
)
from coronary.contract import Refusal
from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import resample_nearest
from coronary.training_kit.case_files import run_command
from coronary.virtual_patient import artery_mask, coronary_attenuation_hu, draw_acquisition, draw_patient, render


def build_case(seed: int, patients: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Render the virtual patient of `seed` and cut its pieces; `patients` is that table of ``config.toml``.

    Keys: ``patches`` (n, channels, size, size), ``patch_targets`` (n, size, size), ``slices`` and ``slice_targets``
    alike, ``features``, ``calibration_hu``.
    """
    rng = np.random.default_rng([seed, 2])
    calcium = "none" if seed % 4 == 0 else "present"
    acquisition = draw_acquisition(seed, "ccta")
    scan = render(
        draw_patient(seed, calcium=calcium),
        acquisition,
        in_plane_fov_mm=patients["fov_mm"],
        matrix=round(patients["fov_mm"] / patients["pixel_mm"]),
    )
    assert scan.aorta_mask is not None
    volume = CtVolume(scan.voxels_hu, scan.affine_lps)
    shift = rng.normal(0.0, patients["centre_sd_mm"], size=2)
    centre = (acquisition.field_centre_mm[0] + shift[0], acquisition.field_centre_mm[1] + shift[1], 0.0)
    prepared = prepare(volume, centre)
    if isinstance(prepared, Refusal):
        raise ValueError(f"virtual patient {seed}: {prepared.text}")
    aorta = measure_aorta(volume, scan.aorta_mask)
    if isinstance(aorta, Refusal):
        raise ValueError(f"virtual patient {seed}: {aorta.text}")
    target = resample_nearest(artery_mask(scan), prepared.grid)
    patches, patch_targets = _patches(prepared, target, patients, rng)
    slices, slice_targets = _aorta_slices(prepared, resample_nearest(scan.aorta_mask, prepared.coarse_grid))
    return {
        "patches": patches,
        "patch_targets": patch_targets,
        "slices": slices,
        "slice_targets": slice_targets,
        "features": calibration_features(aorta, float(acquisition.kvp)),
        "calibration_hu": np.array(coronary_attenuation_hu(scan)),
    }


def _patches(
    prepared: PreparedScan, target: NDArray[np.bool_], patients: Mapping[str, Any], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Patches at drawn places: most at arteries (thin ones as often as wide ones), others at tubes that are none."""
    size, count = patients["patch_pixels"], patients["patches"]
    depth = ndimage.distance_transform_edt(target)
    middle = np.argwhere((depth > 0) & (depth == ndimage.maximum_filter(depth, (1, 3, 3))))
    tubes = np.argwhere(_dilated_coarse_tubes(prepared, target))
    anywhere = np.argwhere(prepared.mapped[::4, ::8, ::8] > 90) * (4, 8, 8)
    shares = patients["place_shares"]
    kinds = rng.choice(3, size=count, p=[shares["artery"], shares["tube"], shares["anywhere"]])
    patches = np.empty((count, tree_channels(prepared, 0).shape[0], size, size), np.uint8)
    targets = np.empty((count, size, size), np.bool_)
    for k, kind in enumerate(kinds):
        places = (middle, tubes, anywhere)[kind]
        z, y, x = places[rng.integers(len(places))]
        y0, x0 = (
            int(np.clip(at - size // 2 + rng.integers(-size // 4, size // 4 + 1), 0, CROP_PIXELS - size))
            for at in (y, x)
        )
        patches[k] = tree_channels(prepared, int(z))[:, y0 : y0 + size, x0 : x0 + size]
        targets[k] = target[z, y0 : y0 + size, x0 : x0 + size]
    return patches, targets


def _dilated_coarse_tubes(prepared: PreparedScan, target: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Places of the fine grid, thinned out, where the vesselness is high and no artery is near."""
    tubes = np.zeros(target.shape, np.bool_)
    step = COARSE_MM / prepared.slice_spacing_mm
    for coarse_z in range(0, len(prepared.coarse), 3):
        z = min(round(coarse_z * step), len(target) - 1)
        near = ndimage.binary_dilation(target[z], iterations=6)[::2, ::2]
        found = (prepared.coarse_vesselness[coarse_z] > 80) & ~near
        tubes[z, ::2, ::2] = found
    return tubes


def _aorta_slices(prepared: PreparedScan, aorta: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Every second coarse slice with its target."""
    chosen = range(0, len(prepared.coarse), 2)
    source = [min(round(z * COARSE_MM / prepared.slice_spacing_mm), len(aorta) - 1) for z in chosen]
    return np.stack([aorta_channels(prepared, z) for z in chosen]), aorta[source]


def main() -> None:
    """Write training cases: ``python -m coronary.ccta_scoring.training.cases --out cases``."""
    run_command(build_case, main.__doc__, Path(__file__).with_name("config.toml"))


if __name__ == "__main__":
    main()
