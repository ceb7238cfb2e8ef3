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
    BYTE,
    COARSE_MM,
    CROP_PIXELS,
    EXCESS_RANGE,
    PreparedScan,
    aorta_channels,
    prepare,
    tree_channels,
)
from coronary.contract import Refusal
from coronary.ct_volume import CtVolume
from coronary.evaluation.virtual_cohort import CONTRAST_KVP
from coronary.imaging.resampling import resample_nearest
from coronary.training_kit.case_files import run_command
from coronary.training_kit.patients import training_patient
from coronary.virtual_patient import (
    VirtualScan,
    artery_mask,
    calcium_mask,
    coronary_attenuation_hu,
    draw_acquisition,
    render,
)

#: A kind of look-alike made of many small pieces is met no more often than one of few.
PLACES_PER_KIND = 1000

#: Mapped attenuation of what is brighter than all blood: calcium, metal, dense contrast.
BRIGHT_VALUE = 0.88


def build_case(seed: int, patients: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Render the virtual patient of `seed` and cut its pieces; `patients` is that table of ``config.toml``.

    Keys: ``patches`` (n, channels, size, size) and ``patch_targets`` (n, 3, size, size: artery, calcium, excess),
    ``slices`` and ``slice_targets`` (n, 1, size, size: aorta), all bytes; ``features``, ``calibration_hu``.
    """
    rng = np.random.default_rng([seed, 2])
    acquisition = draw_acquisition(seed, "ccta", kvp=CONTRAST_KVP[seed // 4 % len(CONTRAST_KVP)])
    scan = render(
        training_patient(seed, patients["look_alike_shares"], varied_share=patients["varied_share"]),
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
    dense = {kind: _places_of(kind, scan, volume, prepared, rng) for kind in patients["look_alike_shares"]}
    patches, patch_targets = _patches(prepared, _tree_targets(scan, prepared), dense, patients, rng)
    slices, slice_targets = _aorta_slices(prepared, resample_nearest(scan.aorta_mask, prepared.coarse_grid))
    return {
        "patches": patches,
        "patch_targets": patch_targets,
        "slices": slices,
        "slice_targets": slice_targets,
        "features": calibration_features(aorta, float(acquisition.kvp)),
        "calibration_hu": np.array(coronary_attenuation_hu(scan)),
    }


def _tree_targets(scan: VirtualScan, prepared: PreparedScan) -> NDArray[np.uint8]:
    """What the tree network must say, (3, slices, rows, columns): artery, calcium, excess as :data:`EXCESS_RANGE`."""
    excess = scan.ha_mg_cm3 * (scan.acquisition.ha_hu_per_mg_cm3() / prepared.mixture.blood_hu / EXCESS_RANGE)
    planes = (artery_mask(scan) * BYTE, calcium_mask(scan) * BYTE, np.clip(np.round(BYTE * excess), 0, BYTE))
    return np.stack([resample_nearest(plane.astype(np.uint8), prepared.grid) for plane in planes])


def _patches(
    prepared: PreparedScan,
    targets: NDArray[np.uint8],
    dense: Mapping[str, NDArray[np.int64]],
    patients: Mapping[str, Any],
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Patches at drawn places of the kinds of ``place_shares``; a kind that the scan lacks goes to the arteries."""
    artery, calcium = targets[0] > 0, targets[1] > 0
    size, count = patients["patch_pixels"], patients["patches"]
    places = {
        "artery": _middles(artery),
        "calcium": np.argwhere(calcium),
        "look_alike": np.concatenate([found for kind, found in dense.items() if kind != "stent"]),
        "stent": dense["stent"],
        "bright": np.argwhere((prepared.mapped > BYTE * BRIGHT_VALUE) & ~calcium),
        "tube": np.argwhere(_dilated_coarse_tubes(prepared, artery)),
        "anywhere": np.argwhere(prepared.mapped[::4, ::8, ::8] > 90) * (4, 8, 8),
    }
    shares = patients["place_shares"]
    kinds = rng.choice(list(shares), size=count, p=list(shares.values()))
    patches = np.empty((count, tree_channels(prepared, 0).shape[0], size, size), np.uint8)
    patch_targets = np.empty((count, len(targets), size, size), np.uint8)
    for k, kind in enumerate(kinds):
        chosen = places[kind] if len(places[kind]) else places["artery"]
        z, y, x = chosen[rng.integers(len(chosen))]
        y0, x0 = (
            int(np.clip(at - size // 2 + rng.integers(-size // 4, size // 4 + 1), 0, CROP_PIXELS - size))
            for at in (y, x)
        )
        patches[k] = tree_channels(prepared, int(z))[:, y0 : y0 + size, x0 : x0 + size]
        patch_targets[k] = targets[:, z, y0 : y0 + size, x0 : x0 + size]
    return patches, patch_targets


def _places_of(
    kind: str, scan: VirtualScan, volume: CtVolume, prepared: PreparedScan, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Places of one kind of dense things that are no coronary calcium, shape (PLACES_PER_KIND, 3), or (0, 3)."""
    centres = [np.zeros((0, 3))]
    centres += [scan.acquisition.to_scan(e.deposit.centres) for e in scan.patient.distractors if e.kind == kind]
    z, rows, columns = volume.to_index_zyx(np.concatenate(centres).astype(np.float64)).T
    found = np.rint(np.stack([z, *prepared.grid.to_pixels(rows, columns)], axis=1)).astype(np.int64)
    found = found[((found >= 0) & (found < prepared.mapped.shape)).all(axis=1)]
    return found[rng.integers(len(found), size=PLACES_PER_KIND)] if len(found) else found


def _middles(artery: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The middle of every artery in its slice, shape (n, 3): thin ones as often as wide ones."""
    (box,) = ndimage.find_objects(artery.astype(np.uint8))
    depth = ndimage.distance_transform_edt(np.pad(artery[box], 1))[1:-1, 1:-1, 1:-1]
    middles = np.argwhere((depth > 0) & (depth == ndimage.maximum_filter(depth, (1, 3, 3))))
    return middles + [part.start for part in box]


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


def _aorta_slices(prepared: PreparedScan, aorta: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Every second coarse slice with its target."""
    chosen = range(0, len(prepared.coarse), 2)
    source = [min(round(z * COARSE_MM / prepared.slice_spacing_mm), len(aorta) - 1) for z in chosen]
    targets = aorta[source][:, None].astype(np.uint8) * np.uint8(BYTE)
    return np.stack([aorta_channels(prepared, z) for z in chosen]), targets


def main() -> None:
    """Write training cases: ``python -m coronary.ccta_scoring.training.cases --out cases``."""
    run_command(build_case, main.__doc__, Path(__file__).with_name("config.toml"))


if __name__ == "__main__":
    main()
