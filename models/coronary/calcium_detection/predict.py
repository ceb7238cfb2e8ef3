"""Detect coronary calcium in one calcium-scoring CT: nine parts of the heart in every slice, then slice and patient.

Decides which pictures are looked at and how their answers become one. A part without anything of 130 HU holds no
calcium that a score counts: it is not looked at.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import AGATSTON_THRESHOLD_HU
from coronary.calcium_detection.heart_mask import heart_mask
from coronary.calcium_detection.layouts import cut_out, network_input, resized, with_neighbours
from coronary.contract import AcquisitionFacts, ModelSession, ProgressCallback, Refusal
from coronary.ct_volume import CtVolume
from coronary.detection_findings import DECISION_PROBABILITY, HIGH_FROM, CalciumPresence, DetectionFindings

#: Of the pictures in training one half shows calcium; of the bright parts of a scan about one in ten does.
TRAINED_SHARE: Final = 0.5
SCANNED_SHARE: Final = 0.1

#: Pictures per run of the network.
BATCH: Final = 8


def predict(
    session: ModelSession, volume: CtVolume, facts: AcquisitionFacts, on_progress: ProgressCallback
) -> DetectionFindings | Refusal:
    """Detect calcium in an eligible volume; refused where no heart is seen between lungs."""
    heart = heart_mask(volume)
    if not heart.any():
        return Refusal("HEART_NOT_FOUND", "No heart was seen between two lungs; calcium cannot be looked for.")
    probability, amount = answers_of_slices(session, volume, heart, on_progress)
    whole = float(np.nanmax(probability))
    return DetectionFindings(
        presence=_presence(whole, float(amount.sum())),
        probability=whole,
        slice_probability=probability,
        quality=facts.compression_notes(),
        parameters={
            "looked at": f"nine parts of the heart in every slice where something reaches {AGATSTON_THRESHOLD_HU} HU",
            "decision": f"calcium from a probability of {DECISION_PROBABILITY:g} in one part",
        },
    )


def answers_of_slices(
    session: ModelSession, volume: CtVolume, heart: NDArray[np.bool_], on_progress: ProgressCallback
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability of calcium and Agatston score of what was found, both of shape (slices,).

    The probability of a slice is that of its likeliest part, 0 where nothing is bright enough, NaN without heart.
    """
    places: list[int] = []
    parts: list[NDArray[np.int16]] = []
    for z in np.flatnonzero(heart.any(axis=(1, 2))).tolist():
        cut = cut_out(with_neighbours(volume, z), heart[z], "cropped")
        bright = [part for part in cut if (part[1] >= AGATSTON_THRESHOLD_HU).any()]
        parts += bright
        places += [z] * len(bright)
    probability = np.where(heart.any(axis=(1, 2)), 0.0, np.nan)
    amount = np.zeros(len(heart))
    for start in range(0, len(parts), BATCH):
        some = slice(start, start + BATCH)
        images = network_input(np.stack([resized(part) for part in parts[some]]))
        (answers,) = session.run({"image": images})
        for z, (answer, score_root) in zip(places[some], answers.tolist(), strict=True):
            present = in_a_scan(answer)
            probability[z] = max(probability[z], present)
            amount[z] += max(0.0, score_root) ** 2 if present >= DECISION_PROBABILITY else 0.0
        on_progress(min(1.0, (start + BATCH) / len(parts)))
    return probability, amount


def in_a_scan(answer: float) -> float:
    """The probability of a part of a scan, of that of the same picture among those of the training (Bayes' rule)."""
    gain = SCANNED_SHARE / TRAINED_SHARE
    loss = (1.0 - SCANNED_SHARE) / (1.0 - TRAINED_SHARE)
    return answer * gain / (answer * gain + (1.0 - answer) * loss)


def _presence(probability: float, agatston: float) -> CalciumPresence:
    if probability < DECISION_PROBABILITY:
        return "none"
    return "high" if agatston >= HIGH_FROM else "low"
