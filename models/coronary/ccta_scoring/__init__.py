"""Calcium scoring of contrast CCTA (Lee 2023, "paper 1"); the model card is README.md beside this file.

"Paper 1" is Lee et al., J Cardiovasc Dev Dis 2023;10:143. The family's entry is :class:`CctaScoring`; the names below
are its steps, of which only ``predict`` needs the networks.
"""

from __future__ import annotations

from coronary.ccta_scoring import eligibility, predict
from coronary.ccta_scoring.agatston_equivalent import (
    SENSITIVITY_SHIFT_HU,
    ContrastScore,
    ContrastScoring,
    score_contrast_scan,
)
from coronary.ccta_scoring.aorta import CALIBRATION_FEATURES, AorticAttenuation, calibration_features, measure_aorta
from coronary.ccta_scoring.attenuation_mapping import AttenuationMapping
from coronary.ccta_scoring.attenuation_mixture import (
    AttenuationMixture,
    attenuation_histogram,
    fit_attenuation_mixture,
)
from coronary.ccta_scoring.calibration import ContrastCalibration
from coronary.ccta_scoring.centerlines import CenterlinePoints
from coronary.ccta_scoring.contrast_calcium import ContrastCalcium, NetworkCalcium
from coronary.ccta_scoring.lumen_courses import lumen_courses
from coronary.ccta_scoring.scan_quality import (
    Finding,
    ScanAssessment,
    check_contrast,
    check_noise,
    check_slices,
    check_steps,
)
from coronary.ccta_scoring.tree_quality import (
    check_calibration,
    check_coverage,
    check_motion,
    check_score,
    check_tree,
)
from coronary.ccta_scoring.vesselness import measure_vesselness
from coronary.ccta_scoring.virtual_calcium_scan import values_in_calcium_scan
from coronary.contract import AcquisitionFacts, CalciumFindings, ModelSessions, ProgressCallback, Refusal, SeriesKind
from coronary.ct_volume import CtVolume


class CctaScoring:
    """The family as the contract wants it."""

    name = "ccta-scoring"
    package = "coronary.ccta_scoring"
    networks = ("aorta", "tree", "calibration")
    series_kind: SeriesKind = "ccta"
    needs = None
    second_opinion = None

    def check_eligibility(self, facts: AcquisitionFacts, volume: CtVolume) -> Refusal | None:
        """Say why this volume must not be scored, or None."""
        return eligibility.check_eligibility(facts, volume)

    def predict(
        self,
        sessions: ModelSessions,
        volume: CtVolume,
        facts: AcquisitionFacts,
        on_progress: ProgressCallback,
        _basis: CalciumFindings | None = None,
    ) -> CalciumFindings | Refusal:
        """Score an eligible volume, or refuse what only its vessels could show."""
        return predict.predict(sessions, volume, facts, on_progress)


__all__ = [
    "CALIBRATION_FEATURES",
    "SENSITIVITY_SHIFT_HU",
    "AorticAttenuation",
    "AttenuationMapping",
    "AttenuationMixture",
    "CctaScoring",
    "CenterlinePoints",
    "ContrastCalcium",
    "ContrastCalibration",
    "ContrastScore",
    "ContrastScoring",
    "Finding",
    "NetworkCalcium",
    "ScanAssessment",
    "attenuation_histogram",
    "calibration_features",
    "check_calibration",
    "check_contrast",
    "check_coverage",
    "check_motion",
    "check_noise",
    "check_score",
    "check_slices",
    "check_steps",
    "check_tree",
    "fit_attenuation_mixture",
    "lumen_courses",
    "measure_aorta",
    "measure_vesselness",
    "score_contrast_scan",
    "values_in_calcium_scan",
]
