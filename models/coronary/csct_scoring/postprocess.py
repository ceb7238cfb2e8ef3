"""From class probabilities to labelled calcium voxels, and what a reader must know about the result."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from coronary.calcium import AGATSTON_THRESHOLD_HU, BONE_MM3, CalciumScore
from coronary.contract import AcquisitionFacts, QualityNote
from coronary.ct_volume import CtVolume
from coronary.imaging.resampling import CropGrid
from coronary.reasons import ZERO_UNCERTAIN

#: Slice thickness of the reference protocol, mm (Agatston 1990, scaled to 3 mm by convention).
REFERENCE_THICKNESS_MM = 3.0

#: Candidates with at least this probability of being coronary calcium are scored.
DECISION_PROBABILITY = 0.5

#: Candidates with at least this probability of being coronary calcium are counted when doubt is measured.
DOUBT_PROBABILITY = 0.2

#: Calcium-like pixels this close to one another (standard deviation, mm) are likely parts of the same thing.
NEIGHBOURHOOD_MM = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class CalciumCandidates:
    """Every voxel ≥ 130 HU on the network's grid with its class probabilities.

    Parameters
    ----------
    shape
        Of the volume.
    index_zyx
        Three arrays of n indices.
    probability
        Shape (n, 5): none, LM, LAD, LCX, RCA.
    """

    shape: tuple[int, ...]
    index_zyx: tuple[NDArray[np.intp], ...]
    probability: NDArray[np.float32]

    def at_least(self, coronary_probability: float) -> NDArray[np.uint8]:
        """Label of the likeliest vessel wherever the four vessels together reach `coronary_probability`."""
        vessel = self.probability[:, 1:].argmax(axis=1) + 1
        volume = np.zeros(self.shape, np.uint8)
        volume[self.index_zyx] = np.where(1 - self.probability[:, 0] >= coronary_probability, vessel, 0)
        return volume


def agree_with_neighbours(
    probability: NDArray[np.float32], is_calcium_like: NDArray[np.bool_], spacing_zyx_mm: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Let calcium-like pixels share their neighbours' answer to "coronary or not"; the vessel stays their own.

    A plaque or a look-alike covers many pixels, and what tells them apart is not seen equally well from each. The
    coronary probability becomes its mean over the calcium-like pixels around, weighted with a Gaussian of
    NEIGHBOURHOOD_MM (normalised convolution).

    Parameters
    ----------
    probability
        Shape (slices, 5, size, size): none, LM, LAD, LCX, RCA.
    is_calcium_like
        Shape (slices, size, size).
    spacing_zyx_mm
        Of the network's grid.
    """
    sigma = [NEIGHBOURHOOD_MM / mm for mm in spacing_zyx_mm]
    weight = is_calcium_like.astype(np.float32)
    coronary = 1 - probability[:, 0]
    around = ndimage.gaussian_filter(weight, sigma, truncate=2.5)
    shared = ndimage.gaussian_filter(weight * coronary, sigma, truncate=2.5) / np.maximum(around, 1e-6)
    shared = np.where(around > 1e-6, np.clip(shared, 0, 1), coronary)
    share_of_vessel = probability[:, 1:] / np.maximum(coronary, 1e-6)[:, None]
    return np.concatenate([1 - shared[:, None], shared[:, None] * share_of_vessel], axis=1)


def find_candidates(
    voxels_hu: NDArray[np.int16], grid: CropGrid, probability: NDArray[np.float32]
) -> CalciumCandidates:
    """Interpolate class probabilities to the original voxels.

    Parameters
    ----------
    voxels_hu
        Shape (slices, rows, columns).
    probability
        Shape (slices, 5, size, size) on `grid`.
    """
    z, y, x = np.nonzero(voxels_hu >= AGATSTON_THRESHOLD_HU)
    rows, columns = grid.to_pixels(y, x)
    size = probability.shape[-1]
    inside = (rows > -0.5) & (rows < size - 0.5) & (columns > -0.5) & (columns < size - 0.5)
    z, y, x, rows, columns = z[inside], y[inside], x[inside], rows[inside], columns[inside]
    top = np.clip(np.floor(rows).astype(int), 0, size - 2)
    left = np.clip(np.floor(columns).astype(int), 0, size - 2)
    down = np.clip(rows - top, 0, 1)[:, None].astype(np.float32)
    right = np.clip(columns - left, 0, 1)[:, None].astype(np.float32)
    interpolated = (
        probability[z, :, top, left] * (1 - down) * (1 - right)
        + probability[z, :, top + 1, left] * down * (1 - right)
        + probability[z, :, top, left + 1] * (1 - down) * right
        + probability[z, :, top + 1, left + 1] * down * right
    )
    return CalciumCandidates(voxels_hu.shape, (z, y, x), interpolated)


def find_bone(volume: CtVolume) -> NDArray[np.bool_]:
    """Voxels ≥ 130 HU in 6-connected pieces of at least BONE_MM3; shape of the volume.

    The network sees a crop, in which the end of a rib is a small bright thing beside the heart.
    """
    least_voxels = int(np.ceil(BONE_MM3 / np.prod(volume.spacing_zyx_mm)))
    return np.asarray(cc3d.dust(volume.voxels_hu >= AGATSTON_THRESHOLD_HU, threshold=least_voxels, connectivity=6))


def doubt_notes(score: CalciumScore, generous: CalciumScore) -> tuple[QualityNote, ...]:
    """Say when the answer hangs on candidates that were close to being taken for coronary calcium.

    Parameters
    ----------
    generous
        Score when every candidate with a coronary probability of at least DOUBT_PROBABILITY is counted.
    """
    if score.agatston.total == 0 and generous.agatston.total > 0:
        text = (
            f"The score is zero, but bright voxels worth an Agatston score of {generous.agatston.total:.1f} were only "
            "just not taken for coronary calcium; needs reading."
        )
        return (QualityNote(ZERO_UNCERTAIN, text),)
    if score.risk_category != generous.risk_category:
        text = (
            f"With candidates that were only just left out the score would be {generous.agatston.total:.1f} "
            f"(category {generous.risk_category})."
        )
        return (QualityNote("CATEGORY_UNCERTAIN", text),)
    return ()


def quality_notes(volume: CtVolume, facts: AcquisitionFacts, score: CalciumScore) -> tuple[QualityNote, ...]:
    """What limits the comparability of this score, worst first."""
    notes = list(facts.compression_notes())
    spacing = volume.spacing_zyx_mm[0]
    thickness = facts.slice_thickness_mm
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
