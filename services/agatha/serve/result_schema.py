"""The JSON document of one result as types, with examples: what the report stage wrote and REST hands on.

Decides names, types and which keys may be null. Numbers, reasons and categories come ready-made from the stored
document; nothing is computed or rounded here.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from agatha.serve.documents import Analysis, Document, ModelIdentity, Reason, ResultState, StoredDocument, Uid
from coronary.calcium import RiskCategory
from coronary.detection_findings import CalciumPresence

EXAMPLE_VESSELS: dict[str, float] = {"total": 123.4, "LM": 0.0, "LAD": 98.1, "LCX": 0.0, "RCA": 25.3}
EXAMPLE_MODEL = {"name": "csct-scoring-unetpp", "version": "0.4.0", "sha256": "9f2c…"}
EXAMPLE_CONCORDANCE: dict[str, Any] = {
    "is_discordant": True,
    "csct": EXAMPLE_VESSELS,
    "ccta": {"total": 310.2, "LM": 0.0, "LAD": 240.1, "LCX": 0.0, "RCA": 70.1},
    "difference": 186.8,
    "expected_ccta": [74.0, 198.5],
    "categories": {"csct": "101-400", "ccta": "101-400"},
    "text": "The contrast scan gives 310, the calcium-scoring CT 123: outside the limits of agreement (74 to 199).",
    "data": "virtual patients, n = 60",
}
EXAMPLE_RESULT: dict[str, Any] = {
    "analysis": "csct-scoring",
    "state": "completed",
    "reason": None,
    "provisional": False,
    "series_instance_uid": "1.2.826.0.1.3680043.8.498.1.2",
    "model": EXAMPLE_MODEL,
    "created_at": "2026-01-31T09:30:00Z",
    "version": 1,
    "calcium": {
        "agatston": EXAMPLE_VESSELS,
        "volume_mm3": {"total": 101.5, "LM": 0.0, "LAD": 80.2, "LCX": 0.0, "RCA": 21.3},
        "mass_mg": None,
        "risk_category": "101-400",
        "cac_drs": "A2/N2",
        "interval": {
            "confidence": 0.9,
            "low": 97.6,
            "high": 152.2,
            "class_probability": {"0": 0.0, "1-10": 0.0, "11-100": 0.07, "101-400": 0.93, ">400": 0.0},
            "data": "virtual patients, n = 120",
            "lowest": 104.2,
            "highest": 140.9,
        },
        "second_opinion": None,
        "is_comparable": True,
        "lesions": [
            {
                "vessel": "LAD",
                "agatston": 98.1,
                "volume_mm3": 80.2,
                "mass_mg": None,
                "peak_hu": 512.0,
                "mean_hu": 287.5,
                "center_lps_mm": [12.3, -40.1, 88.0],
                "slices": [21, 22, 23],
            }
        ],
    },
    "contrast": None,
    "concordance": EXAMPLE_CONCORDANCE,
    "quality": [{"code": "LOSSY_COMPRESSION", "text": "The source images were compressed with loss."}],
    "outputs": [
        {
            "kind": "sr",
            "sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.34",
            "series_instance_uid": "2.25.1",
            "sop_instance_uids": ["2.25.2"],
        }
    ],
}
EXAMPLE_CONTRAST_RESULT: dict[str, Any] = EXAMPLE_RESULT | {
    "analysis": "ccta-scoring",
    "series_instance_uid": "1.2.826.0.1.3680043.8.498.1.3",
    "model": {"name": "ccta-scoring-vnet", "version": "0.8.0", "sha256": "4be1…"},
    "calcium": EXAMPLE_RESULT["calcium"]
    | {
        "agatston": EXAMPLE_CONCORDANCE["ccta"],
        "interval": None,
        "is_comparable": False,
        "volume_mm3": {"total": 262.4, "LM": 0.0, "LAD": 204.0, "LCX": 0.0, "RCA": 58.4},
        "lesions": [],
    },
    "contrast": {
        "calibration_factor_hu": 412.0,
        "aorta_mean_hu": 431.5,
        "aorta_sd_hu": 24.8,
        "blood_pool_hu": 446.0,
        "kvp": 100.0,
        "thresholds_hu": [{"name": "added by calcium", "hu": 158.0}],
        "agatston_at_thresholds": [
            {"shift_hu": -25.0, "agatston": {"total": 335.9, "LM": 0.0, "LAD": 260.4, "LCX": 0.0, "RCA": 75.5}},
            {"shift_hu": 25.0, "agatston": {"total": 288.0, "LM": 0.0, "LAD": 223.5, "LCX": 0.0, "RCA": 64.5}},
        ],
        "segmented_volume_mm3": {"total": 121.0, "LM": 0.0, "LAD": 94.2, "LCX": 0.0, "RCA": 26.8},
        "dominance": "right",
        "arteries": [{"name": "LAD", "parent": "LM", "segments": [6, 7, 8], "length_mm": 131.2, "bridged_share": 0.02}],
        "limits_of_agreement": {"lower_root": -2.5, "upper_root": 3.0, "data": "virtual patients, n = 60"},
    },
    "quality": [],
    "outputs": [],
}


class VesselScores(StoredDocument):
    """One quantity for the patient and per vessel."""

    total: float = Field(description="Whole coronary tree.")
    LM: float = Field(description="Left main.")
    LAD: float = Field(description="Left anterior descending.")
    LCX: float = Field(description="Left circumflex.")
    RCA: float = Field(description="Right coronary artery.")


class LesionDocument(StoredDocument):
    """One calcified lesion."""

    vessel: Literal["LM", "LAD", "LCX", "RCA"]
    agatston: float
    volume_mm3: float
    mass_mg: float | None = Field(description="Null when the scanner gave no mass calibration.")
    peak_hu: float
    mean_hu: float
    center_lps_mm: list[float] = Field(description="x, y, z in DICOM patient coordinates.", min_length=3, max_length=3)
    slices: list[int] = Field(description="Slice indices along the normal of the volume, from 0.")


class AlternativeScore(StoredDocument):
    """An Agatston score by another convention; never to be compared with the risk categories."""

    name: str
    convention: str
    agatston: VesselScores


class MassCalibration(StoredDocument):
    """Factor between attenuation and mass, and where it comes from."""

    factor_mg_per_hu_cm3: float
    source: str


class IntervalDocument(StoredDocument):
    """How sure the total Agatston score is."""

    confidence: float = Field(description="Share (0 to 1) of the patients whose true score lies within the limits.")
    low: float = Field(description="Lower limit of the score.")
    high: float = Field(description="Upper limit of the score.")
    class_probability: dict[RiskCategory, float] = Field(
        description="Probability (0 to 1) of every risk category; together 1."
    )
    lowest: float = Field(description="Score when everything doubtful is left out.")
    highest: float = Field(description="Score when everything doubtful is counted.")
    data: str = Field(description="What limits and probabilities were measured on.")


class SecondOpinionDocument(StoredDocument):
    """What an independent detection says of a score of zero."""

    verdict: Literal["ZERO_CONFIRMED", "ZERO_CONTRADICTED", "ZERO_NOT_CONFIRMED"] = Field(
        description="All but the first need reading; the quality notes then hold the same code."
    )
    text: str = Field(description="One sentence for a person.")
    probability: float | None = Field(
        description="Probability (0 to 1) of coronary calcium; null where the detection could not say anything."
    )


class CalciumDocument(StoredDocument):
    """All calcium numbers of one series."""

    agatston: VesselScores
    volume_mm3: VesselScores
    mass_mg: VesselScores | None = Field(description="Null when the scanner gave no mass calibration.")
    risk_category: RiskCategory
    cac_drs: str = Field(pattern=r"^A[0-3]/N[0-4]$", examples=["A2/N3"])
    interval: IntervalDocument | None = Field(
        None, description="Null for an estimate from contrast CT and in results of earlier versions."
    )
    second_opinion: SecondOpinionDocument | None = Field(
        None, description="Null for a score above zero, an estimate from contrast CT, and results of earlier versions."
    )
    is_comparable: bool | None = Field(
        None,
        description="Whether the acquisition is that of reference Agatston scores and percentiles; if not, the quality "
        "note NOT_COMPARABLE says why. False for an estimate from contrast CT, null in results of earlier versions.",
    )
    convention: str | None = Field(None, description="How the Agatston score was computed, in one sentence.")
    alternative_scores: list[AlternativeScore] = Field([], description="The same calcium by other conventions.")
    mass_calibration: MassCalibration | None = Field(None, description="What the mass rests on.")
    lesions: list[LesionDocument]


class Threshold(StoredDocument):
    """One attenuation threshold by its name."""

    name: str
    hu: float


class ShiftedScore(StoredDocument):
    """The score with every threshold shifted by the same attenuation."""

    shift_hu: float
    agatston: VesselScores


class Artery(StoredDocument):
    """One artery of the coronary tree."""

    name: str = Field(examples=["LAD", "D1"])
    parent: str | None = Field(description="The artery it branches from; null for one from the aorta.")
    segments: list[int] = Field(description="Segments 1 to 18 of the coronary tree (SCCT 2014).")
    length_mm: float
    bridged_share: float = Field(description="Share of the length (0 to 1) along which the course was interpolated.")


class AgreementLimits(StoredDocument):
    """Limits of agreement with a calcium-scoring CT, on the scale of square roots (from the model card)."""

    lower_root: float
    upper_root: float
    data: str = Field(description="What they were measured on.")


class ContrastDocument(StoredDocument):
    """What only a contrast scan has: what its thresholds were adapted to, and the coronary tree."""

    calibration_factor_hu: float = Field(description="Representative attenuation of the coronary lumen.")
    aorta_mean_hu: float
    aorta_sd_hu: float
    blood_pool_hu: float
    kvp: float
    thresholds_hu: list[Threshold]
    agatston_at_thresholds: list[ShiftedScore] = Field(description="How much the estimate hangs on the thresholds.")
    segmented_volume_mm3: VesselScores = Field(description="Of the segmented voxels, as they are on the contrast scan.")
    dominance: str | None
    arteries: list[Artery]
    limits_of_agreement: AgreementLimits | None


class DerivedSeries(StoredDocument):
    """One series that was made of the source."""

    kind: str = Field(description="As in `outputs`.", examples=["ct-calcium-removed"])
    altered_voxels: int | None = Field(description="Voxels that differ from the source; null where all were computed.")
    altered_slices: list[int] | None = Field(
        description="Which of the `sop_instance_uids` of this kind in `outputs` hold them, from 0; null likewise."
    )


class SegmentReading(StoredDocument):
    """Diameter stenosis of one segment of one artery, percent, on the source and on the derived series."""

    artery: str = Field(examples=["LAD", "D1"])
    segment: int = Field(description="Segment 1 to 18 of the coronary tree (SCCT 2014).")
    original_percent: float = Field(description="On the source; calcium counts as no lumen.")
    derived_percent: float = Field(description="On the derived series, which shows what was never scanned.")
    original_grade: int = Field(description="Nearest of 0, 25, 50, 75, 90, 100.")
    derived_grade: int
    at_mm: float = Field(description="Place of the derived reading, from the beginning of the artery.")
    diameter_mm: float
    healthy_diameter_mm: float
    is_trusted: bool = Field(description="False: do not read the derived series in this segment.")
    distrust: str = Field(description="Why not; empty where it is trusted.")


class StenosisDocument(StoredDocument):
    """Derived series and what is read on them."""

    cad_rads: Literal["0", "1", "2", "3", "4A", "4B", "5", "N"] = Field(
        description="CAD-RADS 2.0 of the derived readings; segments that are not trusted count as not read."
    )
    series: list[DerivedSeries]
    segments: list[SegmentReading]


class DetectionDocument(StoredDocument):
    """Whether there is coronary calcium, without a score."""

    presence: CalciumPresence = Field(description="`low` below an expected Agatston score of 20, `high` from there on.")
    probability: float = Field(description="Probability (0 to 1) of any coronary calcium.")
    slice_probability: list[float | None] = Field(
        description="The same per slice along the normal of the volume; null where no heart is seen."
    )


class ComparedCategories(StoredDocument):
    """Risk categories of the two scores."""

    csct: str
    ccta: str


class ConcordanceDocument(StoredDocument):
    """The score of the calcium-scoring CT beside its estimate from the contrast scan of the same study."""

    is_discordant: bool = Field(description="The estimate lies outside the limits of agreement.")
    csct: VesselScores
    ccta: VesselScores
    difference: float = Field(description="Contrast scan minus calcium-scoring CT, total.")
    expected_ccta: list[float] = Field(
        description="Lowest and highest estimate that agree with the calcium-scoring CT.", min_length=2, max_length=2
    )
    categories: ComparedCategories
    text: str = Field(description="One sentence for a person.")
    data: str = Field(description="What the limits of agreement were measured on.")


class QualityNote(StoredDocument):
    """Something a reader of the result must know."""

    code: str
    text: str


class OutputDocument(Document):
    """DICOM objects of one kind that belong to a result."""

    kind: str = Field(
        examples=["sr", "seg-vessels", "seg-lesions", "seg-anatomy", "summary", "tree-views", "ct-calcium-removed"]
    )
    sop_class_uid: Uid
    series_instance_uid: Uid
    sop_instance_uids: list[str]


class ResultDocument(StoredDocument):
    """One result: numbers, or the reason why there are none."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [EXAMPLE_RESULT, EXAMPLE_CONTRAST_RESULT]})

    analysis: Analysis
    state: ResultState
    reason: Reason | None = Field(description="Null exactly when the state is completed.")
    provisional: bool = Field(description="True while completeness of the series is not certain.")
    series_instance_uid: Uid
    model: ModelIdentity | None = Field(description="Null when the series was refused before a network was chosen.")
    created_at: datetime
    version: int = Field(ge=1, description="Counts up per series and analysis.")
    calcium: CalciumDocument | None = Field(description="Null when nothing was scored: never a silent zero.")
    contrast: ContrastDocument | None = Field(
        None,
        description="Null but for a contrast scan; then `calcium` is an estimate of what a calcium scan would show.",
    )
    stenosis: StenosisDocument | None = Field(
        None, description="Null but for an analysis that makes new series; such a result has no `calcium`."
    )
    detection: DetectionDocument | None = Field(
        None, description="Null but for the detection of calcium; such a result has no `calcium`, which is a score."
    )
    concordance: ConcordanceDocument | None = Field(
        None,
        description="On the two current results that are compared: how they compare now. On an overtaken result: what "
        "its report says. Else null.",
    )
    quality: list[QualityNote]
    outputs: list[OutputDocument]
