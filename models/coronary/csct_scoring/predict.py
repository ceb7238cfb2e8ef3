"""Score one calcium-scoring CT: network over the slices that can hold calcium, labels back to the original voxels.

A slice without a voxel ≥ 130 HU on the network's grid is not run: labels exist only at such voxels, so its result
cannot change anything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import (
    AGATSTON_THRESHOLD_HU,
    MINIMUM_CALCIUM_AREA_MM2,
    MassCalibration,
    lesion_label_map,
    score_calcium,
    score_interval,
)
from coronary.contract import AcquisitionFacts, CalciumFindings, ModelSession, ProgressCallback
from coronary.csct_scoring.postprocess import (
    DECISION_PROBABILITY,
    DOUBT_PROBABILITY,
    agree_with_neighbours,
    doubt_notes,
    find_bone,
    find_candidates,
    quality_notes,
)
from coronary.csct_scoring.preprocess import CROP_PIXELS, PIXEL_MM, PreparedVolume, network_input, prepare
from coronary.csct_scoring.protocol import comparability_notes
from coronary.csct_scoring.score_range import CALIBRATION, noise_sd_hu, score_range
from coronary.ct_volume import CtVolume
from coronary.imaging.heart_region import HEART_NOT_LOCATED

#: Slices per run of the network: enough to keep two cores busy, small in memory (about 60 MB a slice at full width).
BATCH_SLICES = 4

CLASSES = 5


def class_probabilities(
    session: ModelSession, prepared: PreparedVolume, on_progress: ProgressCallback
) -> NDArray[np.float32]:
    """Probabilities of (none, LM, LAD, LCX, RCA), shape (slices, 5, CROP, CROP); certain "none" where not run."""
    slices = prepared.hu.shape[0]
    probability = np.zeros((slices, CLASSES, CROP_PIXELS, CROP_PIXELS), np.float32)
    probability[:, 0] = 1.0
    to_run = np.nonzero((prepared.peak_hu >= AGATSTON_THRESHOLD_HU).any(axis=(1, 2)))[0]
    for start in range(0, len(to_run), BATCH_SLICES):
        chosen = to_run[start : start + BATCH_SLICES]
        images = np.stack([network_input(prepared, int(z)) for z in chosen])
        probability[chosen] = session.run({"image": images})[0]
        on_progress(min(1.0, (start + len(chosen)) / len(to_run)))
    return probability


def mass_calibration(facts: AcquisitionFacts) -> MassCalibration | None:
    """The scanner's own mass factor (CT Image type 3, PS3.3 C.8.2.1), or None: then no mass is reported."""
    if facts.calcium_mass_factor is None or facts.calcium_mass_factor <= 0:
        return None
    return MassCalibration(facts.calcium_mass_factor, facts.calcium_mass_factor_source)


def predict(
    session: ModelSession, volume: CtVolume, facts: AcquisitionFacts, on_progress: ProgressCallback
) -> CalciumFindings:
    """Score an eligible volume.

    Returns
    -------
    CalciumFindings
        Labels on the original voxels; scores in both conventions (see ``coronary.calcium``).
    """
    prepared = prepare(volume)
    probability = class_probabilities(session, prepared, on_progress)
    probability = agree_with_neighbours(
        probability, prepared.peak_hu >= AGATSTON_THRESHOLD_HU, (prepared.slice_spacing_mm, PIXEL_MM, PIXEL_MM)
    )
    candidates = find_candidates(volume.voxels_hu, prepared.grid, probability)
    # Bone is not scored, but stays among the candidates that cast doubt: the network took it for a coronary artery.
    bone = find_bone(volume)
    labels = np.where(bone, 0, candidates.at_least(DECISION_PROBABILITY)).astype(np.uint8)
    calibration = mass_calibration(facts)
    score, generous = (
        score_calcium(volume.voxels_hu, each, volume.spacing_zyx_mm, volume.affine_lps, mass_calibration=calibration)
        for each in (labels, candidates.at_least(DOUBT_PROBABILITY))
    )
    lesions = lesion_label_map(volume.voxels_hu, labels, volume.spacing_zyx_mm)
    around = score_range(volume, score, candidates, bone, noise_sd_hu(prepared))
    return CalciumFindings(
        score=score,
        vessel_labels=np.where(lesions > 0, labels, 0).astype(np.uint8),
        lesion_labels=lesions,
        quality=(
            *doubt_notes(score, generous),
            *(() if prepared.is_heart_found else (HEART_NOT_LOCATED,)),
            *comparability_notes(facts, volume),
            *quality_notes(volume, facts, score),
        ),
        parameters={
            "threshold": f"{AGATSTON_THRESHOLD_HU} HU",
            "minimum area": f"{MINIMUM_CALCIUM_AREA_MM2:g} mm2 per lesion",
            "connectivity": "6-connected in 3-D; areas and weights per slice",
            "spacing rule": f"slice spacing {volume.spacing_zyx_mm[0]:.3f} mm / 3 mm",
            "mass calibration": calibration.source if calibration else "none: mass not reported",
        },
        around=around,
        interval=score_interval(score.agatston.total, around, CALIBRATION),
    )
