"""The numbers of the measurement report as NUM items (TID 300), and the codes that name them.

Decides name, unit and method of each number: those of a contrast scan are estimates and never carry a code of a calcium
scan. Which group a number goes into is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom import sr
from pydicom.sr.coding import Code

from agatha.dicom import codes
from coronary.calcium import RiskCategory, ScoreInterval
from coronary.concordance import Concordance
from coronary.contract import CalciumFindings, ContrastFindings


@dataclass(frozen=True, slots=True)
class Coding:
    """Methods of score and volume, and concepts of the two categories."""

    agatston_method: Code
    volume_method: Code
    cac_drs: Code
    risk_category: Code


_CALCIUM_SCAN = Coding(codes.AGATSTON_METHOD, codes.VOLUME_METHOD, codes.CAC_DRS_CATEGORY, codes.RISK_CATEGORY)
_CONTRAST_SCAN = Coding(
    codes.CONTRAST_AGATSTON_METHOD,
    codes.CONTRAST_VOLUME_METHOD,
    codes.CONTRAST_CAC_DRS_CATEGORY,
    codes.CONTRAST_RISK_CATEGORY,
)


def coding_of(findings: CalciumFindings) -> Coding:
    """Codes for findings of a calcium scan, or of a contrast scan."""
    return _CALCIUM_SCAN if findings.contrast is None else _CONTRAST_SCAN


def calcium_measurements(
    agatston: float, volume_mm3: float, mass_mg: float | None, coding: Coding
) -> list[sr.Measurement]:
    """Agatston score and volume, and mass only where it was calibrated: no mass is not a mass of zero."""
    measurements = [
        sr.Measurement(
            name=codes.AGATSTON_SCORE, value=float(agatston), unit=codes.NO_UNITS, method=coding.agatston_method
        ),
        sr.Measurement(
            name=codes.CALCIUM_VOLUME, value=float(volume_mm3), unit=codes.CUBIC_MILLIMETRE, method=coding.volume_method
        ),
    ]
    if mass_mg is not None:
        measurements.append(
            sr.Measurement(
                name=codes.CALCIUM_MASS, value=float(mass_mg), unit=codes.MILLIGRAM, method=codes.MASS_METHOD
            )
        )
    return measurements


def interval_measurements(interval: ScoreInterval, reported: RiskCategory) -> list[sr.Measurement]:
    """Limits of the total score and, in percent, the probability of the reported category and of every one."""
    probability = interval.class_probability
    limits = ((codes.INTERVAL_LOW, interval.low), (codes.INTERVAL_HIGH, interval.high))
    probabilities = (
        (codes.RISK_PROBABILITY, probability[reported]),
        *((name, probability[category]) for category, name in codes.RISK_PROBABILITIES.items()),
    )
    return [
        *(sr.Measurement(name=name, value=float(limit), unit=codes.NO_UNITS) for name, limit in limits),
        *(sr.Measurement(name=name, value=100.0 * share, unit=codes.PERCENT) for name, share in probabilities),
    ]


def whole_number(name: Code, value: int, unit: Code = codes.NO_UNITS) -> sr.Measurement:
    """A whole number written without a decimal point ("9 lesions", not "9.0")."""
    measurement = sr.Measurement(name=name, value=value, unit=unit)
    measurement[0].MeasuredValueSequence[0].NumericValue = str(value)
    return measurement


def attenuation(name: Code, hu: float, sites: Sequence[sr.FindingSite] | None = None) -> sr.Measurement:
    """An attenuation in HU, of a finding site other than that of its group where ``sites`` are given."""
    return sr.Measurement(name=name, value=float(hu), unit=codes.HOUNSFIELD_UNIT, finding_sites=sites)


def contrast_measurements(contrast: ContrastFindings, of: str) -> list[sr.Measurement]:
    """How firm an estimate is, and the volume behind it: of ``total`` or of a vessel."""
    method = codes.CONTRAST_AGATSTON_METHOD
    scores = (
        (codes.SCORE_AT_LOWER_THRESHOLDS, contrast.agatston_at_lower_thresholds),
        (codes.SCORE_AT_HIGHER_THRESHOLDS, contrast.agatston_at_higher_thresholds),
    )
    return [
        *(
            sr.Measurement(name=name, value=values.as_dict()[of], unit=codes.NO_UNITS, method=method)
            for name, values in scores
        ),
        sr.Measurement(
            name=codes.SEGMENTED_VOLUME, value=contrast.segmented_volume_mm3.as_dict()[of], unit=codes.CUBIC_MILLIMETRE
        ),
    ]


def calibration_measurements(contrast: ContrastFindings) -> list[sr.Measurement]:
    """What the thresholds were adapted to, and the thresholds; the blood of the aorta has its own finding site."""
    aorta = [sr.FindingSite(codes.ASCENDING_AORTA)]
    return [
        attenuation(codes.CALIBRATION_FACTOR, contrast.calibration_factor_hu),
        attenuation(codes.MEAN_ATTENUATION, contrast.aorta_mean_hu, aorta),
        attenuation(codes.ATTENUATION_SD, contrast.aorta_sd_hu, aorta),
        *(attenuation(codes.threshold_code(name), hu) for name, hu in contrast.thresholds_hu.items()),
        attenuation(codes.THRESHOLD_SHIFT, contrast.threshold_shift_hu),
    ]


def compared_score(concordance: Concordance, findings: CalciumFindings) -> sr.Measurement:
    """Total of the other scan of the study, under a name that no reader takes for the score of this one."""
    name, other = codes.COMPARED_CONTRAST_SCAN, concordance.ccta
    if findings.contrast is not None:
        name, other = codes.COMPARED_CALCIUM_SCAN, concordance.csct
    return sr.Measurement(name=name, value=float(other.total), unit=codes.NO_UNITS)
