"""Coded concepts and the product identity in everything Agatha writes.

Decides which code says what. Codes without mark are standard: DCM and SCT as in PS3.16, UCUM for units. What the
standard has no code for is in the private scheme ``99AGATHA``.
"""

from __future__ import annotations

from typing import Final

from pydicom.sr.coding import Code

from coronary.calcium import RiskCategory, Vessel
from coronary.detection_findings import CalciumPresence

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

# How sure a total score is. No name of these may be taken for the score itself, and none has the method of a score.
INTERVAL_LOW: Final = private_code("AG90LOW", "Lower limit of the 90 % interval of the Agatston score")
INTERVAL_HIGH: Final = private_code("AG90HIGH", "Upper limit of the 90 % interval of the Agatston score")
RISK_PROBABILITY: Final = private_code("CACRISKP", "Probability of the reported Agatston score category")
RISK_PROBABILITIES: Final[dict[RiskCategory, Code]] = {
    "0": private_code("CACRISKP-0", "Probability of an Agatston score of 0"),
    "1-10": private_code("CACRISKP-1-10", "Probability of an Agatston score of 1-10"),
    "11-100": private_code("CACRISKP-11-100", "Probability of an Agatston score of 11-100"),
    "101-400": private_code("CACRISKP-101-400", "Probability of an Agatston score of 101-400"),
    ">400": private_code("CACRISKP-GT400", "Probability of an Agatston score >400"),
}

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
PERCENT: Final = Code("%", "UCUM", "Percent")

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
#: Segments of the coronary arteries (CID 3015, 7151) by their SCCT id (Leipsic 2014).
SEGMENT_CODES: Final = {
    1: Code("91083009", "SCT", "Proximal Right Coronary Artery"),
    2: Code("450960006", "SCT", "Mid Right Coronary Artery"),
    3: Code("41879009", "SCT", "Distal Right Coronary Artery"),
    4: Code("53655008", "SCT", "Posterior Descending Right Coronary Artery"),
    5: Code("3227004", "SCT", "Left Main Coronary Artery"),
    6: Code("68787002", "SCT", "Proximal Left Anterior Descending Coronary Artery"),
    7: Code("91748002", "SCT", "Mid Left Anterior Descending Coronary Artery"),
    8: Code("36672000", "SCT", "Distal Left Anterior Descending Coronary Artery"),
    9: Code("91750005", "SCT", "1st Diagonal Coronary Artery"),
    10: Code("91751009", "SCT", "2nd Diagonal Coronary Artery"),
    11: Code("52433000", "SCT", "Proximal Circumflex Coronary Artery"),
    12: Code("91754001", "SCT", "1st Marginal Coronary Artery"),
    13: Code("6511003", "SCT", "Distal Circumflex Coronary Artery"),
    14: Code("91755000", "SCT", "2nd Marginal Coronary Artery"),
    15: Code("91760001", "SCT", "Left Posterior Descending Circumflex Coronary Artery"),
    16: Code("17269004", "SCT", "Posterolateral branch of right Coronary Artery"),
    17: Code("244252004", "SCT", "Intermediate Artery (Ramus)"),
    18: Code("57823005", "SCT", "Left Posterolateral Circumflex Coronary Artery"),
}
CALCIUM_SCORING_CT: Final = Code("426005005", "SCT", "Cardiac CT for calcium scoring")
CT_ANGIOGRAPHY: Final = Code("419545005", "SCT", "CT angiography of coronary arteries")
ARTIFICIAL_INTELLIGENCE: Final = Code("123110", "DCM", "Artificial Intelligence")

# Document titles, equipment, references
IMAGING_MEASUREMENT_REPORT: Final = Code("126000", "DCM", "Imaging Measurement Report")
OF_INTEREST: Final = Code("113000", "DCM", "Of Interest")
PROCESSING_EQUIPMENT: Final = Code("109102", "DCM", "Processing Equipment")

# Derived images (CID 7203, 7202)
VOLUME_EDITING: Final = Code("113077", "DCM", "Volume editing")
PIXEL_SUBTRACTION: Final = Code("113062", "DCM", "Pixel by pixel subtraction")
CURVED_REFORMATTING: Final = Code("113073", "DCM", "Curved multiplanar reformatting")
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

# Presence of calcium without a score (values of presence: CID 240)
CALCIUM_PRESENCE: Final = private_code("CACPRESENCE", "Presence of coronary artery calcium")
PRESENT: Final = Code("52101004", "SCT", "Present")
ABSENT: Final = Code("272519000", "SCT", "Absent")
CALCIUM_PROBABILITY: Final = private_code("CACPROB", "Probability of coronary artery calcium")
CALCIUM_AMOUNT: Final = private_code("CACAMOUNT", "Amount of coronary artery calcium")
CALCIUM_AMOUNTS: Final[dict[CalciumPresence, Code]] = {
    "low": private_code("CACAMOUNT-LOW", "Little: Agatston score below 20 expected"),
    "high": private_code("CACAMOUNT-HIGH", "Much: Agatston score of 20 or more expected"),
}

#: What the independent detection says of a score of zero.
SECOND_OPINION: Final = private_code("ZEROVOTE", "Second opinion on a score of zero")

# Comparison of the two scores of one study; each result names the other's total
CONCORDANCE: Final = private_code("CONCORDANCE", "Agreement of contrast CT and calcium-scoring CT")
CONCORDANT: Final = private_code("CONCORDANT", "Concordant")
DISCORDANT: Final = private_code("DISCORDANT", "Discordant")
COMPARED_CALCIUM_SCAN: Final = private_code("COMPARED-CSCT", "Agatston score of the calcium-scoring CT compared with")
COMPARED_CONTRAST_SCAN: Final = private_code("COMPARED-CCTA", "Agatston-equivalent of the contrast CT compared with")

# Stenosis (CID 3810, 3804), as read on the scan and on a series made from it; the second never under the method of the
# first. Categories of the second have a concept of their own, with the values of CID 3020 and 3021.
STENOSIS: Final = Code("415582006", "SCT", "stenosis")
LUMEN_DIAMETER_STENOSIS: Final = Code("408715008", "SCT", "Lumen Diameter Stenosis")
DIAMETER_METHOD: Final = Code("122651", "DCM", "Diameter Based Method")
DERIVED_DIAMETER_METHOD: Final = private_code("DIAM-DERIVED", "Diameter based, on a series made by a network")
DERIVED_READING: Final = private_code("DERIVEDREAD", "Whether the derived series may be read here")
READING_TRUSTED: Final = private_code("TRUSTED", "May be read")
READING_DISTRUSTED: Final = private_code("DISTRUSTED", "Do not trust here")
DERIVED_CAD_RADS: Final = private_code("CADRADS-DERIVED", "CAD-RADS 2.0 category measured on a derived series")
CAD_RADS_CODES: Final[dict[str, Code]] = {
    "0": Code("130723", "DCM", "0 - Documented absence of CAD"),
    "1": Code("130724", "DCM", "1 - Minimal non-obstructive CAD"),
    "2": Code("130725", "DCM", "2 - Mild non-obstructive CAD"),
    "3": Code("130726", "DCM", "3 - Moderate stenosis"),
    "4A": Code("130728", "DCM", "4A - Severe stenosis"),
    "4B": Code("130729", "DCM", "4B - Severe stenosis"),
    "5": Code("130730", "DCM", "5 - Total coronary occlusion"),
    "N": Code("130731", "DCM", "N - Non-diagnostic study"),
}

# Reasons and notes
QUALITY_NOTE: Final = private_code("QUALITY", "Quality note")
REASON_NOT_SCORED: Final = private_code("NOTSCORED", "Reason why no score was computed")
REASON_NO_SERIES: Final = private_code("NOSERIES", "Reason why no series was made")
REASON_NOT_DETECTED: Final = private_code("NOTDETECTED", "Reason why calcium was not looked for")
#: Concept of the sentence that belongs to a quality note or a reason.
EXPLANATION: Final = private_code("EXPLANATION", "Explanation")
