"""Virtual patients as training cases: rendered, preprocessed as in serving, stored as small arrays.

A case holds what the network sees (with a margin for shifts) and what it should answer. The target exists only at
pixels with calcium-like attenuation: elsewhere no answer of the network can change a score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from coronary.calcium import AGATSTON_THRESHOLD_HU, Vessel
from coronary.csct_scoring.preprocess import CROP_PIXELS, PIXEL_MM, PreparedVolume, prepare
from coronary.ct_volume import CtVolume
from coronary.training_kit.case_files import run_command, write_arrays
from coronary.training_kit.patients import training_patient
from coronary.virtual_patient import (
    VirtualScan,
    draw_acquisition,
    render,
)

#: Target value of a pixel whose answer does not matter.
NO_TARGET = 255

#: The territory of a vessel reaches this far from its centreline, mm: lumen, wall and the motion of the heart.
TERRITORY_MM = 4.0

#: A calcium-like pixel belongs to a look-alike up to this distance from one of its blobs, mm: its blur and motion.
LOOK_ALIKE_MM = 3.5


@dataclass(frozen=True, slots=True, eq=False)
class TrainingCase:
    """One prepared scan; arrays of shape (slices, rows, columns) on the network's grid plus margin."""

    seed: int
    slice_spacing_mm: float
    hu: NDArray[np.int16]
    peak_hu: NDArray[np.int16]
    target: NDArray[np.uint8]
    territory: NDArray[np.uint8]
    look_alike: NDArray[np.uint8]

    def arrays(self) -> dict[str, Any]:
        """The fields by their names, as they are stored."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def save(self, path: Path) -> None:
        """Write the case under `path` in one step."""
        write_arrays(path, self.arrays())

    @classmethod
    def load(cls, path: Path) -> TrainingCase:
        """Read a case written by `save`."""
        with np.load(path) as stored:
            return cls(
                seed=int(stored["seed"]),
                slice_spacing_mm=float(stored["slice_spacing_mm"]),
                hu=stored["hu"],
                peak_hu=stored["peak_hu"],
                target=stored["target"],
                territory=stored["territory"],
                look_alike=stored["look_alike"],
            )


def build_target(scan: VirtualScan, prepared: PreparedVolume) -> NDArray[np.uint8]:
    """Most frequent true class among the calcium-like voxels under each pixel of the grid; NO_TARGET without any."""
    z, y, x = np.nonzero(scan.voxels_hu >= AGATSTON_THRESHOLD_HU)
    inside, rows, columns = prepared.grid.nearest_pixels(y, x)
    z, rows, columns = z[inside], rows[inside], columns[inside]
    classes = scan.vessel_labels[z, y[inside], x[inside]].astype(np.int64)
    shape = prepared.hu.shape
    flat = np.ravel_multi_index((z, rows, columns), shape)
    votes = np.bincount(flat * 5 + classes, minlength=5 * int(np.prod(shape))).reshape(*shape, 5)
    # Read backwards, a tie between plaque and something else goes to plaque.
    most_frequent = 4 - votes[..., ::-1].argmax(axis=-1)
    return np.where(votes.any(axis=-1), most_frequent, NO_TARGET).astype(np.uint8)


def build_territory(scan: VirtualScan, prepared: PreparedVolume) -> NDArray[np.uint8]:
    """Vessel whose centreline runs within TERRITORY_MM of each pixel of the grid, 0 where none does."""
    shape = prepared.hu.shape
    seeds = np.zeros(shape, np.uint8)
    for branch in scan.patient.tree.branches:
        points_lps_mm = scan.acquisition.to_scan(branch.points).astype(np.float64)
        index = np.round(prepared.to_index_zyx(points_lps_mm)).astype(int)
        keep = np.all((index >= 0) & (index < np.array(shape)), axis=1)
        seeds[tuple(index[keep].T)] = Vessel[branch.vessel]
    if not seeds.any():
        return seeds
    distance, nearest = ndimage.distance_transform_edt(
        seeds == 0, sampling=(prepared.slice_spacing_mm, PIXEL_MM, PIXEL_MM), return_indices=True
    )
    return np.where(distance <= TERRITORY_MM, seeds[tuple(nearest)], 0).astype(np.uint8)


def build_look_alike(
    scan: VirtualScan, prepared: PreparedVolume, target: NDArray[np.uint8], kinds: Sequence[str]
) -> NDArray[np.uint8]:
    """Calcium-like pixels that belong to something that only looks like calcium: 1 + position in `kinds`, else 0."""
    look_alike = np.zeros(target.shape, np.uint8)
    pixels = np.argwhere(target == 0)
    scale = np.array([prepared.slice_spacing_mm, PIXEL_MM, PIXEL_MM])
    for distractor in scan.patient.distractors:
        points_lps_mm = scan.acquisition.to_scan(distractor.deposit.centres).astype(np.float64)
        tree = cKDTree(prepared.to_index_zyx(points_lps_mm) * scale)
        distance, _ = tree.query(pixels * scale, distance_upper_bound=LOOK_ALIKE_MM)
        look_alike[tuple(pixels[np.isfinite(distance)].T)] = 1 + kinds.index(distractor.kind)
    return look_alike


def build_case(seed: int, patients: Mapping[str, Any]) -> TrainingCase:
    """Render the virtual patient of `seed` and prepare it; `patients` is that table of ``config.toml``."""
    shares = patients["look_alike_shares"]
    scan = render(training_patient(seed, shares), draw_acquisition(seed, "csct"))
    volume = CtVolume(scan.voxels_hu, scan.affine_lps)
    prepared = prepare(volume, CROP_PIXELS + 2 * patients["margin_pixels"])
    target = build_target(scan, prepared)
    return TrainingCase(
        seed=seed,
        slice_spacing_mm=prepared.slice_spacing_mm,
        hu=prepared.hu,
        peak_hu=prepared.peak_hu,
        target=target,
        territory=build_territory(scan, prepared),
        look_alike=build_look_alike(scan, prepared, target, list(shares)),
    )


def build_arrays(seed: int, patients: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays of the case of `seed`, as they are stored."""
    return build_case(seed, patients).arrays()


def main() -> None:
    """Write training cases: ``python -m coronary.csct_scoring.training.cases --out cases``."""
    run_command(build_arrays, main.__doc__, Path(__file__).with_name("config.toml"))


if __name__ == "__main__":
    main()
