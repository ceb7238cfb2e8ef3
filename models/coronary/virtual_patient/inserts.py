"""Decides how dense deposits enter a scan: their motion, blur, displacement of contrast, and the metal's streaks."""

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from coronary.virtual_patient.acquisition import Acquisition
from coronary.virtual_patient.artefacts import add_metal_streaks
from coronary.virtual_patient.blurring import blur
from coronary.virtual_patient.coronary_tree import VESSEL_LABELS
from coronary.virtual_patient.deposits import Deposit
from coronary.virtual_patient.patient import VirtualPatient
from coronary.virtual_patient.raster import DepositBox, Grid, deposit_box
from coronary.virtual_patient.shapes import Points, as_points

# Soft matrix of a calcified plaque; hydroxyapatite adds to it.
MATRIX_HU: Final = 50.0
_SMALLEST_MOTION_MM: Final = 0.6
_STILL: Final = as_points((0.0, 0.0, 0.0))


def calcium_boxes(patient: VirtualPatient, acquisition: Acquisition, grid: Grid) -> list[tuple[int, DepositBox]]:
    """Return vessel label and blurred hydroxyapatite (mg/cm³) of every coronary lesion that lies in the grid."""
    boxes = []
    for lesion in patient.lesions:
        box = _moving_box(lesion.deposit, acquisition, grid, acquisition.displacement_mm[lesion.vessel])
        if box is not None:
            boxes.append(
                (VESSEL_LABELS[lesion.vessel], replace(box, concentration=blur(box.concentration, acquisition, grid)))
            )
    return boxes


def displace_contrast(
    volume: npt.NDArray[np.float32], patient: VirtualPatient, acquisition: Acquisition, grid: Grid
) -> None:
    """Replace contrast-filled blood by soft plaque matrix wherever calcified material lies (before blurring).

    Calcium is then the same addition of hydroxyapatite as without contrast, and the calcium-free twin shows the matrix.
    """
    owners = [(lesion.deposit, acquisition.displacement_mm[lesion.vessel]) for lesion in patient.lesions]
    owners += [(d.deposit, _STILL) for d in patient.distractors if d.deposit.material == "hydroxyapatite"]
    for deposit, displacement in owners:
        solid = replace(deposit, concentration=np.ones_like(deposit.concentration))
        box = _moving_box(solid, acquisition, grid, displacement)
        if box is not None:
            view = volume[box.slices()]
            view -= box.concentration * np.maximum(view - np.float32(MATRIX_HU), 0.0)


def add_distractors(
    volume: npt.NDArray[np.float32], patient: VirtualPatient, acquisition: Acquisition, grid: Grid
) -> None:
    """Add everything dense that is not coronary calcium to a blurred volume."""
    slopes = {
        "hydroxyapatite": acquisition.ha_hu_per_mg_cm3(),
        "iodine": acquisition.iodine_hu_per_mg_ml(),
        "metal": 1.0,
    }
    for distractor in patient.distractors:
        box = deposit_box(grid, distractor.deposit, acquisition.rotation, acquisition.shift_mm)
        if box is None:
            continue
        blurred = replace(box, concentration=blur(box.concentration, acquisition, grid))
        volume[box.slices()] += slopes[distractor.deposit.material] * blurred.concentration
        if distractor.deposit.material == "metal":
            add_metal_streaks(volume, blurred, grid, acquisition.streak_level, acquisition.seed)


def _moving_box(deposit: Deposit, acquisition: Acquisition, grid: Grid, displacement: Points) -> DepositBox | None:
    """Return the unblurred box of a deposit, smeared along its residual motion."""
    margin = 6 + int(np.ceil(0.5 * float(np.linalg.norm(displacement[:2])) / grid.pixel_mm))
    box = deposit_box(grid, deposit, acquisition.rotation, acquisition.shift_mm, margin)
    if box is None or float(np.linalg.norm(displacement)) < _SMALLEST_MOTION_MM:
        return box
    return replace(box, concentration=_smeared(box.concentration, displacement, grid))


def _smeared(values: npt.NDArray[np.float32], displacement: Points, grid: Grid) -> npt.NDArray[np.float32]:
    """Average copies shifted in plane along the displacement (through-plane motion is below a slice)."""
    steps = max(3, int(np.ceil(float(np.linalg.norm(displacement[:2])) / grid.pixel_mm)) | 1)
    total = np.zeros_like(values)
    zz, yy, xx = np.indices(values.shape, dtype=np.float32)
    for phase in np.linspace(-0.5, 0.5, steps):
        at = [zz, yy - phase * displacement[1] / grid.pixel_mm, xx - phase * displacement[0] / grid.pixel_mm]
        total += map_coordinates(values, at, order=1, mode="constant")
    return total / np.float32(steps)
