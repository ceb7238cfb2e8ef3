"""Coded concepts and the product identity in everything Agatha writes.

Decides which code says what. Codes without mark are standard: DCM and SCT as in PS3.16, UCUM for units. What the
standard has no code for is in the private scheme ``99AGATHA``.
"""

from __future__ import annotations

from typing import Final

from pydicom.sr.coding import Code

from coronary.calcium import RiskCategory, Vessel

#: Manufacturer and model in every object written here; ``agatha.dicom.own_output`` recognises our objects by them.
MANUFACTURER: Final = "Agatha"
MODEL_NAME: Final = "Agatha coronary CT"

#: Written into the file meta information of our files (PS3.10 section 7.1).
IMPLEMENTATION_CLASS_UID: Final = "2.25.305365758103339887681329184458096858615"
IMPLEMENTATION_VERSION_NAME: Final = "AGATHA"

#: Research mark in all objects meant for people.
RESEARCH_MARK: Final = "Research use only – not for diagnostic use"

#: Private coding scheme (PS3.3 section 12.1.1.1, Coding Scheme Identification Sequence).
PRIVATE_SCHEME: Final = "99AGATHA"
PRIVATE_SCHEME_UID: Final = "2.25.75698433419973606455128049172279356320"
PRIVATE_SCHEME_NAME: Final = "Agatha coding scheme"

#: Longest CodeValue (VR SH) and CodeMeaning (VR LO); a longer value is written as LongCodeValue (PS3.3 section 8.1).
MAXIMUM_CODE_VALUE: Final = 16
MAXIMUM_CODE_MEANING: Final = 64


def private_code(value: str, meaning: str) -> Code:
    """Code of the private scheme; a meaning over 64 characters is cut and marked with an ellipsis."""
    if len(meaning) > MAXIMUM_CODE_MEANING:
        meaning = meaning[: MAXIMUM_CODE_MEANING - 1].rstrip() + "…"
    return Code(value, PRIVATE_SCHEME, meaning)


# Measurements (CID 6140, 6141, 6142; Number of lesions is in no CID)
AGATSTON_SCORE: Final = Code("450360000", "SCT", "Coronary artery calcium score")
#: Only for the convention of the field, on a non-contrast calcium-scoring CT; the same holds for volume and threshold.
AGATSTON_METHOD: Final = Code("112055", "DCM", "Agatston scoring method")
CALCIUM_VOLUME: Final = Code("122660", "DCM", "Calcium Volume")
VOLUME_METHOD: Final = Code("112056", "DCM", "Volume scoring method")
CALCIUM_MASS: Final = Code("122661", "DCM", "Calcium Mass")
MASS_METHOD: Final = Code("112057", "DCM", "Mass scoring method")
LESION_COUNT: Final = Code("246206008", "SCT", "Number of lesions")
AGATSTON_THRESHOLD: Final = Code("122657", "DCM", "Agatston Score Threshold")
MAXIMUM_ATTENUATION: Final = Code("112180", "DCM", "Maximum Attenuation Coefficient")
MEAN_ATTENUATION: Final = Code("112181", "DCM", "Mean Attenuation Coefficient")
ATTENUATION_SD: Final = Code("112183", "DCM", "Standard Deviation of Attenuation Coefficient")
CALCIFIED_VESSEL_COUNT: Final = private_code("NVES", "Number of calcified coronary vessels")

# Measurements in a contrast scan: estimates of what a calcium-scoring CT would show, and what they rest on
CONTRAST_AGATSTON_METHOD: Final = private_code("AG-CCTA", "Agatston-equivalent estimated from contrast CT")
CONTRAST_VOLUME_METHOD: Final = private_code("VOL-CCTA", "Calcium volume equivalent estimated from contrast CT")
SEGMENTED_VOLUME: Final = private_code("SEGVOLUME", "Volume of the segmented calcium")
CALIBRATION_FACTOR: Final = private_code("CALFACTOR", "Calibration factor: attenuation of the coronary lumen")
THRESHOLD_SHIFT: Final = private_code("THRSHIFT", "Shift of the threshold, to either side")
SCORE_AT_LOWER_THRESHOLDS: Final = private_code(
    "AGLOWTHR", "Agatston-equivalent with the threshold lowered by the shift"
)
SCORE_AT_HIGHER_THRESHOLDS: Final = private_code(
    "AGHIGHTHR", "Agatston-equivalent with the threshold raised by the shift"
)


def threshold_code(name: str) -> Code:
    """Concept of a threshold of a contrast scan: ``THR_CERTAIN_CALCIUM_LOWEST`` for "certain calcium, lowest"."""
    words = "".join(letter if letter.isalnum() else " " for letter in name.upper()).split()
    return private_code("_".join(("THR", *words)), f"Threshold: {name}")


# Units
NO_UNITS: Final = Code("1", "UCUM", "no units")
CUBIC_MILLIMETRE: Final = Code("mm3", "UCUM", "cubic millimeter")
MILLIGRAM: Final = Code("mg", "UCUM", "mg")
HOUNSFIELD_UNIT: Final = Code("[hnsf'U]", "UCUM", "Hounsfield unit")

# Findings, sites, procedure (CID 3802, 3015, 3757, 7150, 7162)
CALCIFICATION: Final = Code("18115005", "SCT", "pathologic calcification")
MORPHOLOGICALLY_ABNORMAL: Final = Code("49755003", "SCT", "Morphologically Abnormal Structure")
ANATOMICAL_STRUCTURE: Final = Code("91723000", "SCT", "Anatomical Structure")
CORONARY_ARTERY: Final = Code("41801008", "SCT", "Coronary artery")
ASCENDING_AORTA: Final = Code("54247002", "SCT", "Ascending aorta")
VESSEL_CODES: Final = {
    Vessel.LM: Code("3227004", "SCT", "Left Main Coronary Artery"),
    Vessel.LAD: Code("59438005", "SCT", "Left Anterior Descending Coronary Artery"),
    Vessel.LCX: Code("57396003", "SCT", "Circumflex Coronary Artery"),
    Vessel.RCA: Code("13647002", "SCT", "Right Coronary Artery"),
}
PROCEDURES: Final = {
    "csct-scoring": Code("426005005", "SCT", "Cardiac CT for calcium scoring"),
    "ccta-scoring": Code("419545005", "SCT", "CT angiography of coronary arteries"),
}
ARTIFICIAL_INTELLIGENCE: Final = Code("123110", "DCM", "Artificial Intelligence")

# Document titles, equipment, references
IMAGING_MEASUREMENT_REPORT: Final = Code("126000", "DCM", "Imaging Measurement Report")
OF_INTEREST: Final = Code("113000", "DCM", "Of Interest")
PROCESSING_EQUIPMENT: Final = Code("109102", "DCM", "Processing Equipment")

# Derived images (CID 7203, 7202)
VOLUME_EDITING: Final = Code("113077", "DCM", "Volume editing")
PIXEL_SUBTRACTION: Final = Code("113062", "DCM", "Pixel by pixel subtraction")
PSEUDO_NON_CONTRAST: Final = private_code("PSEUDO-NCCT", "Contrast agent removed by a network")
SOURCE_OF_PROCESSING: Final = Code("121322", "DCM", "Source image for image processing operation")

# Private qualitative evaluations
CAC_DRS_CATEGORY: Final = private_code("CACDRS", "CAC-DRS category")
CAC_DRS_GRADES: Final = {f"A{grade}": private_code(f"CACDRS-A{grade}", f"CAC-DRS A{grade}") for grade in range(4)}
RISK_CATEGORY: Final = private_code("CACRISK", "Agatston score category")
RISK_CATEGORY_CODES: Final[dict[RiskCategory, Code]] = {
    "0": private_code("CACRISK-0", "Agatston score 0"),
    "1-10": private_code("CACRISK-1-10", "Agatston score 1-10"),
    "11-100": private_code("CACRISK-11-100", "Agatston score 11-100"),
    "101-400": private_code("CACRISK-101-400", "Agatston score 101-400"),
    ">400": private_code("CACRISK-GT400", "Agatston score >400"),
}
#: The same for the estimate from a contrast scan: a reader of CACDRS or CACRISK must not find it there.
CONTRAST_CAC_DRS_CATEGORY: Final = private_code("CACDRS-CCTA", "CAC-DRS category estimated from contrast CT")
CONTRAST_RISK_CATEGORY: Final = private_code("CACRISK-CCTA", "Agatston-equivalent category estimated from contrast CT")

# Comparison of the two scores of one study; each result names the other's total
CONCORDANCE: Final = private_code("CONCORDANCE", "Agreement of contrast CT and calcium-scoring CT")
CONCORDANT: Final = private_code("CONCORDANT", "Concordant")
DISCORDANT: Final = private_code("DISCORDANT", "Discordant")
COMPARED_CALCIUM_SCAN: Final = private_code("COMPARED-CSCT", "Agatston score of the calcium-scoring CT compared with")
COMPARED_CONTRAST_SCAN: Final = private_code("COMPARED-CCTA", "Agatston-equivalent of the contrast CT compared with")

# Reasons and notes
QUALITY_NOTE: Final = private_code("QUALITY", "Quality note")
REASON_NOT_SCORED: Final = private_code("NOTSCORED", "Reason why no score was computed")
#: Concept of the sentence that belongs to a quality note or a reason.
EXPLANATION: Final = private_code("EXPLANATION", "Explanation")
