"""Calcium-score arithmetic: arrays in, frozen dataclasses out, no I/O and no framework.

``score_calcium`` is the score of a patient, ``measure_lesions`` and ``integrated_mass`` measure objects without vessels
(phantom inserts). Which voxels are coronary calcium is decided elsewhere.

"Paper 4" in this package is Hong et al., "Automated coronary artery calcium scoring using nested U-Net and focal loss";
"paper 1" is Lee et al., J Cardiovasc Dev Dis 2023;10:143.
"""

from coronary.calcium.calcium_score import CalciumScore, Lesion, MassCalibration
from coronary.calcium.insert_measurement import (
    IntegratedMass,
    LesionMeasurement,
    integrated_mass,
    measure_lesions,
    surrounding_shell,
)
from coronary.calcium.score_interval import (
    INTERVAL_CONFIDENCE,
    IntervalCalibration,
    ScoreInterval,
    ScoreRange,
    score_interval,
)
from coronary.calcium.score_scales import (
    AGATSTON_THRESHOLD_HU,
    BONE_MM3,
    FIELD_CONVENTION,
    MINIMUM_CALCIUM_AREA_MM2,
    PAPER_CONVENTION,
    RISK_CATEGORIES,
    RiskCategory,
    cac_drs,
    density_weight,
    risk_category,
)
from coronary.calcium.score_text import score_text
from coronary.calcium.scoring import lesion_label_map, score_calcium
from coronary.calcium.vessels import Vessel, VesselValues

__all__ = [
    "AGATSTON_THRESHOLD_HU",
    "BONE_MM3",
    "FIELD_CONVENTION",
    "INTERVAL_CONFIDENCE",
    "MINIMUM_CALCIUM_AREA_MM2",
    "PAPER_CONVENTION",
    "RISK_CATEGORIES",
    "CalciumScore",
    "IntegratedMass",
    "IntervalCalibration",
    "Lesion",
    "LesionMeasurement",
    "MassCalibration",
    "RiskCategory",
    "ScoreInterval",
    "ScoreRange",
    "Vessel",
    "VesselValues",
    "cac_drs",
    "density_weight",
    "integrated_mass",
    "lesion_label_map",
    "measure_lesions",
    "risk_category",
    "score_calcium",
    "score_interval",
    "score_text",
    "surrounding_shell",
]
