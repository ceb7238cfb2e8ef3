"""Detect coronary calcium in one calcium-scoring CT: bright pieces of the heart, then slice and patient.

Decides how the answers of the network become one. Where nothing in the heart is bright enough to be scored, nothing is
looked at and there is no calcium.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import AGATSTON_THRESHOLD_HU, BONE_MM3, MINIMUM_CALCIUM_AREA_MM2, score_calcium
from coronary.calcium_detection.bright_pieces import BrightPieces, PieceViews, bright_pieces
from coronary.calcium_detection.heart_mask import heart_mask
from coronary.contract import AcquisitionFacts, ModelSession, ProgressCallback, Refusal
from coronary.ct_volume import CtVolume
from coronary.detection_findings import DECISION_PROBABILITY, HIGH_FROM, CalciumPresence, DetectionFindings

#: Of the pieces in training one half is calcium; of those in a scan some 20 of 1,000 are
#: (development: virtual patients, n = 160, seeds 930001-930160, 947 of 38,348 pieces).
TRAINED_SHARE: Final = 0.5
SCANNED_SHARE: Final = 0.02

#: Pieces per run of the network.
BATCH: Final = 32


def predict(
    session: ModelSession, volume: CtVolume, facts: AcquisitionFacts, on_progress: ProgressCallback
) -> DetectionFindings | Refusal:
    """Detect calcium in an eligible volume; refused where no heart is seen between lungs."""
    heart = heart_mask(volume)
    if not heart.any():
        return Refusal("HEART_NOT_FOUND", "No heart was seen between two lungs; calcium cannot be looked for.")
    pieces = bright_pieces(volume, heart)
    found = probability_of_pieces(session, volume, pieces, on_progress)
    in_slices = np.where(heart.any(axis=(1, 2)), 0.0, np.nan)
    np.fmax.at(in_slices, pieces.centre_zyx[:, 0].astype(np.intp), found)
    return DetectionFindings(
        presence=_presence(volume, pieces, found),
        probability=float(np.nanmax(in_slices)),
        slice_probability=in_slices,
        quality=facts.compression_notes(),
        parameters={
            "looked at": f"connected pieces of the heart of {AGATSTON_THRESHOLD_HU} HU, "
            f"from {MINIMUM_CALCIUM_AREA_MM2:g} mm² to {BONE_MM3:g} mm³",
            "decision": f"calcium from a probability of {DECISION_PROBABILITY:g} at one place",
        },
    )


def probability_of_pieces(
    session: ModelSession, volume: CtVolume, pieces: BrightPieces, on_progress: ProgressCallback
) -> NDArray[np.float64]:
    """Probability of calcium of each piece: the mean over the bright object that it is a slice of."""
    views = PieceViews(volume)
    answers: list[NDArray[np.float32]] = []
    for start in range(0, len(pieces.centre_zyx), BATCH):
        (some,) = session.run({"views": views.of(pieces.centre_zyx[start : start + BATCH])})
        answers.append(some)
        on_progress(min(1.0, (start + BATCH) / len(pieces.centre_zyx)))
    if not answers:
        return np.zeros(0)
    single = in_a_scan(np.concatenate(answers).astype(np.float64))
    _, number = np.unique(pieces.object_of, return_inverse=True)
    mean = np.bincount(number, single) / np.bincount(number)
    return np.asarray(mean[number])


def in_a_scan(answer: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of a piece of a scan, of that of the same piece among those of the training (Bayes' rule)."""
    gain = SCANNED_SHARE / TRAINED_SHARE
    loss = (1.0 - SCANNED_SHARE) / (1.0 - TRAINED_SHARE)
    return answer * gain / (answer * gain + (1.0 - answer) * loss)


def _presence(volume: CtVolume, pieces: BrightPieces, found: NDArray[np.float64]) -> CalciumPresence:
    """Little or much is told by the Agatston score of the pieces that are calcium."""
    is_calcium = np.concatenate([[False], found >= DECISION_PROBABILITY])
    if not is_calcium.any():
        return "none"
    marked = is_calcium[pieces.piece_map].astype(np.uint8)
    score = score_calcium(volume.voxels_hu, marked, volume.spacing_zyx_mm, volume.affine_lps)
    return "high" if score.agatston.total >= HIGH_FROM else "low"
