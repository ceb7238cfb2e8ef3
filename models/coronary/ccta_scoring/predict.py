"""Score one contrast scan: networks, masks, tree, calibration, score, each step checked before the next.

Decides the order of the steps and what stops them. The first refusal ends the analysis; every note collected until
then is kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coronary.calcium import AGATSTON_THRESHOLD_HU
from coronary.ccta_scoring.agatston_equivalent import SENSITIVITY_SHIFT_HU, ContrastScoring, score_contrast_scan
from coronary.ccta_scoring.aorta import AorticAttenuation, calibration_features, measure_aorta
from coronary.ccta_scoring.calibration import ContrastCalibration
from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.ccta_scoring.contrast_calcium import CALCIUM_PROBABILITY, CERTAIN_PROBABILITY
from coronary.ccta_scoring.contrast_lesions import calcium_score
from coronary.ccta_scoring.eligibility import acquisition_notes
from coronary.ccta_scoring.lumen_courses import lumen_courses
from coronary.ccta_scoring.masks import (
    TREE_PROBABILITIES,
    aorta_mask,
    aorta_probability,
    artery_mask,
    estimate_calcium,
    tree_answers,
)
from coronary.ccta_scoring.preprocess import PreparedScan, prepare
from coronary.ccta_scoring.scan_quality import ScanAssessment, check_contrast, check_hidden_calcium, check_noise
from coronary.ccta_scoring.stents import check_stents
from coronary.ccta_scoring.tree_quality import (
    check_calibration,
    check_coverage,
    check_motion,
    check_score,
    check_tree,
)
from coronary.contract import (
    AcquisitionFacts,
    CalciumFindings,
    ContrastFindings,
    ModelSession,
    ModelSessions,
    ProgressCallback,
    QualityNote,
    Refusal,
)
from coronary.coronary_tree import CoronaryTree, trace_coronary_tree
from coronary.ct_volume import CtVolume
from coronary.imaging.heart_region import HEART_NOT_LOCATED, find_heart_region

#: The tree network takes most of the time; this share of it is reported as done before and when it ends.
TREE_BEGINS, TREE_ENDS = 0.1, 0.8


def calibration_factor_hu(session: ModelSession, aorta: AorticAttenuation, kvp: float) -> float:
    """Representative attenuation of the coronary lumen: the regression's ratio x the mean of the aorta."""
    (ratio,) = np.ravel(session.run({"features": calibration_features(aorta, kvp)[None]})[0]).tolist()
    return float(ratio) * aorta.mean_hu


def predict(
    sessions: ModelSessions, volume: CtVolume, facts: AcquisitionFacts, on_progress: ProgressCallback
) -> CalciumFindings | Refusal:
    """Score an eligible volume (see :mod:`eligibility`).

    Returns
    -------
    CalciumFindings
        With ``contrast``; the score is an estimate of the score of a calcium-scoring CT.
    Refusal
        ``NO_CONTRAST``, ``AORTA_NOT_FOUND``, ``EARLY_PHASE``, ``NOISY``, ``NO_OSTIUM``, ``TREE_INCOMPLETE`` and what
        else :mod:`scan_quality` and :mod:`tree_quality` refuse.
    """
    assert facts.kvp is not None, "eligibility refuses a scan without tube voltage"
    region = find_heart_region(volume)
    prepared = prepare(volume, region.center_lps_mm)
    if isinstance(prepared, Refusal):
        return prepared
    aortic = aorta_mask(aorta_probability(sessions["aorta"], prepared), prepared.coarse_grid, volume)
    aorta = measure_aorta(volume, aortic)
    if isinstance(aorta, Refusal):
        return aorta
    before = ScanAssessment.of(check_contrast(aorta, prepared.mixture.blood_hu), check_noise(aorta, facts.kvp))
    if before.refusal is not None:
        return before.refusal
    on_progress(TREE_BEGINS)
    answers = tree_answers(
        sessions["tree"], prepared, lambda done: on_progress(TREE_BEGINS + (TREE_ENDS - TREE_BEGINS) * done)
    )
    found = find_tree(answers, prepared, volume, aortic)
    if isinstance(found, Refusal):
        return found
    tree, tree_notes = found
    covered = ScanAssessment.of(check_coverage(volume, tree, aorta))
    if covered.refusal is not None:
        return covered.refusal
    calibration = ContrastCalibration(
        calibration_factor_hu=calibration_factor_hu(sessions["calibration"], aorta, facts.kvp),
        aorta_mean_hu=aorta.mean_hu,
        aorta_sd_hu=aorta.sd_hu,
        kvp=facts.kvp,
    )
    points = CenterlinePoints.of_tree(tree)
    estimate = estimate_calcium(answers, prepared.grid, volume, prepared.mixture.blood_hu)
    scoring = score_contrast_scan(volume, points, calibration, estimate, aortic)
    factor = calibration.calibration_factor_hu
    after = ScanAssessment.of(
        check_score(scoring),
        check_stents(volume, tree, scoring.calcium),
        check_hidden_calcium(factor, facts.kvp),
        check_calibration(factor, aorta, points, scoring.lumen),
        check_motion(factor, points, scoring.lumen),
    )
    if after.refusal is not None:
        return after.refusal
    score, lesion_labels = calcium_score(scoring, volume)
    on_progress(1.0)
    return CalciumFindings(
        score=score,
        vessel_labels=scoring.calcium.vessel_labels(),
        lesion_labels=lesion_labels,
        quality=(
            *after.notes,
            *tree_notes,
            *covered.notes,
            *before.notes,
            *_other_notes(volume, facts, region.is_found),
        ),
        parameters=_parameters(calibration),
        contrast=ContrastFindings(
            tree=tree,
            aorta_mask=aortic,
            calibration_factor_hu=factor,
            aorta_mean_hu=aorta.mean_hu,
            aorta_sd_hu=aorta.sd_hu,
            blood_pool_hu=prepared.mixture.blood_hu,
            kvp=facts.kvp,
            thresholds_hu=_thresholds_hu(scoring, calibration),
            threshold_shift_hu=SENSITIVITY_SHIFT_HU,
            agatston_at_lower_thresholds=scoring.at_lower_thresholds.agatston,
            agatston_at_higher_thresholds=scoring.at_higher_thresholds.agatston,
            segmented_volume_mm3=scoring.score.segmented_volume_mm3,
            courses=lumen_courses(tree, scoring),
        ),
    )


def find_tree(
    answers: NDArray[np.uint8], prepared: PreparedScan, volume: CtVolume, aortic: NDArray[np.bool_]
) -> tuple[CoronaryTree, tuple[QualityNote, ...]] | Refusal:
    """The coronary tree at the highest of ``TREE_PROBABILITIES`` at which it is complete, and notes about it.

    Notes ``TREE_FAINT`` where that is not the first. Where none is complete, the refusal is that at the first.
    """
    refusals: list[Refusal] = []
    for probability in TREE_PROBABILITIES:
        tree = trace_coronary_tree(volume, artery_mask(answers, prepared.grid, volume, probability), aortic)
        if isinstance(tree, Refusal):
            refusals.append(tree)
            continue
        complete = ScanAssessment.of(check_tree(tree))
        if complete.refusal is None:
            text = f"The coronary tree is complete only with voxels of an artery probability down to {probability:g}."
            faint = [QualityNote("TREE_FAINT", text)] if refusals else []
            return tree, (*faint, *complete.notes)
        refusals.append(complete.refusal)
    return refusals[0]


def _thresholds_hu(scoring: ContrastScoring, calibration: ContrastCalibration) -> dict[str, float]:
    """Thresholds a reader can check: the paper's along the tree, and Agatston's at this tube voltage."""
    adaptive = scoring.threshold_hu
    return {
        "adaptive, lowest": float(adaptive.min()),
        "adaptive, median": float(np.median(adaptive)),
        "adaptive, highest": float(adaptive.max()),
        "added by calcium": AGATSTON_THRESHOLD_HU * calibration.calcium_ratio,
    }


def _other_notes(volume: CtVolume, facts: AcquisitionFacts, is_heart_found: bool) -> tuple[QualityNote, ...]:
    notes = [*acquisition_notes(facts, volume), *facts.compression_notes()]
    if not is_heart_found:
        notes.append(HEART_NOT_LOCATED)
    return tuple(notes)


def _parameters(calibration: ContrastCalibration) -> dict[str, str]:
    return {
        "calcium": f"network, probability at least {CALCIUM_PROBABILITY:g}, at its peak {CERTAIN_PROBABILITY:g}",
        "calibration factor": f"{calibration.calibration_factor_hu:.0f} HU",
        "aorta": f"{calibration.aorta_mean_hu:.0f} HU, SD {calibration.aorta_sd_hu:.0f} HU",
        "tube voltage": f"{calibration.kvp:g} kV; calcium {calibration.calcium_ratio:.2f} times as bright as at 120 kV",
        "connectivity": "6-connected in 3-D within a vessel",
        "score": "estimate of the score of a calcium-scoring CT, computed as its 3 mm slices; no mass",
    }
