"""From class probabilities to labelled calcium voxels, and what a reader must know about the result."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import AGATSTON_THRESHOLD_HU, CalciumScore
from coronary.contract import AcquisitionFacts, QualityNote
from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import CropGrid

#: Slice thickness of the reference protocol, mm (Agatston 1990, scaled to 3 mm by convention).
REFERENCE_THICKNESS_MM = 3.0


def assign_vessels(voxels_hu: NDArray[np.int16], grid: CropGrid, probability: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Vessel label of every voxel ≥ 130 HU on the grid; 0 elsewhere and where "none" is the most likely class.

    Parameters
    ----------
    voxels_hu
        Shape (slices, rows, columns).
    probability
        Shape (slices, 5, size, size) on `grid`.

    Notes
    -----
    Softmax and argmax as in the paper (Hong 2022, section 2.4), but interpolated to the original voxels first.
    """
    labels = np.zeros(voxels_hu.shape, np.uint8)
    z, y, x = np.nonzero(voxels_hu >= AGATSTON_THRESHOLD_HU)
    rows, columns = grid.to_pixels(y, x)
    size = probability.shape[-1]
    inside = (rows > -0.5) & (rows < size - 0.5) & (columns > -0.5) & (columns < size - 0.5)
    z, y, x, rows, columns = z[inside], y[inside], x[inside], rows[inside], columns[inside]
    top = np.clip(np.floor(rows).astype(int), 0, size - 2)
    left = np.clip(np.floor(columns).astype(int), 0, size - 2)
    down = np.clip(rows - top, 0, 1)[:, None].astype(np.float32)
    right = np.clip(columns - left, 0, 1)[:, None].astype(np.float32)
    classes = (
        probability[z, :, top, left] * (1 - down) * (1 - right)
        + probability[z, :, top + 1, left] * down * (1 - right)
        + probability[z, :, top, left + 1] * (1 - down) * right
        + probability[z, :, top + 1, left + 1] * down * right
    )
    labels[z, y, x] = classes.argmax(axis=1)
    return labels


def quality_notes(volume: CtVolume, facts: AcquisitionFacts, score: CalciumScore) -> tuple[QualityNote, ...]:
    """What limits the comparability of this score, worst first."""
    notes: list[QualityNote] = []
    spacing = volume.spacing_zyx_mm[0]
    thickness = facts.slice_thickness_mm
    if facts.is_lossy_compressed:
        notes.append(
            QualityNote("LOSSY_COMPRESSION", "The source was compressed with loss; small lesions may be lost.")
        )
    if thickness is not None and abs(thickness - REFERENCE_THICKNESS_MM) > 0.05:
        notes.append(
            QualityNote(
                "NON_REFERENCE_THICKNESS",
                f"Slice thickness {thickness:g} mm differs from the 3 mm of the reference protocol; "
                f"the score is scaled by the slice spacing ({spacing:g} mm / 3 mm).",
            )
        )
    if score.mass_mg is None:
        notes.append(QualityNote("MASS_NOT_CALIBRATED", "No calcium mass factor in the series; mass is not reported."))
    return tuple(notes)
