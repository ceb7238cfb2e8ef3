"""The JSON documents of the REST surface as types; the OpenAPI schema is made from these and from nothing else.

Decides names, types and which keys may be null. Numbers, reasons and categories come ready-made from the result
document that the report stage wrote; nothing is computed or rounded here.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Analysis = Literal["csct-scoring", "ccta-scoring", "lumen-extraction", "calcium-inpainting", "calcium-detection"]
StudyState = Literal["receiving", "processing", "completed", "refused", "failed"]
SeriesState = Literal["receiving", "assembling", "routed", "refused", "not_applicable", "failed"]
JobState = Literal["queued", "running", "completed", "refused", "failed"]
ResultState = Literal["completed", "refused", "failed"]
Uid = Annotated[str, Field(description="DICOM UID (PS3.5 section 9).", examples=["1.2.826.0.1.3680043.8.498.1"])]

EXAMPLE_VESSELS: dict[str, float] = {"total": 123.4, "LM": 0.0, "LAD": 98.1, "LCX": 0.0, "RCA": 25.3}
EXAMPLE_MODEL = {"name": "csct-unetpp", "version": "1.0.0", "sha256": "9f2c…"}
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


class Document(BaseModel):
    """Base of every document that this service writes itself: no key that the schema does not name."""

    model_config = ConfigDict(extra="forbid")


class StoredDocument(BaseModel):
    """Base of what the report stage wrote: the keys below are promised, further ones (conventions) may follow."""

    model_config = ConfigDict(extra="allow")


class Reason(StoredDocument):
    """Why something was refused or failed."""

    code: str = Field(description="Stable, upper case.", examples=["GAP_BETWEEN_SLICES"])
    text: str = Field(description="One sentence for a person.", examples=["A slice is missing at z = 12.0 mm."])


class ModelIdentity(StoredDocument):
    """Which network produced the result."""

    name: str
    version: str
    sha256: str


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


class CalciumDocument(StoredDocument):
    """All calcium numbers of one series."""

    agatston: VesselScores
    volume_mm3: VesselScores
    mass_mg: VesselScores | None = Field(description="Null when the scanner gave no mass calibration.")
    risk_category: Literal["0", "1-10", "11-100", "101-400", ">400"]
    cac_drs: str = Field(pattern=r"^A[0-3]/N[0-4]$", examples=["A2/N3"])
    convention: str | None = Field(None, description="How the Agatston score was computed, in one sentence.")
    alternative_scores: list[AlternativeScore] = Field([], description="The same calcium by other conventions.")
    mass_calibration: MassCalibration | None = Field(None, description="What the mass rests on.")
    lesions: list[LesionDocument]


class QualityNote(StoredDocument):
    """Something a reader of the result must know."""

    code: str
    text: str


class OutputDocument(Document):
    """DICOM objects of one kind that belong to a result."""

    kind: str = Field(examples=["sr", "seg-vessels", "seg-lesions", "summary"])
    sop_class_uid: Uid
    series_instance_uid: Uid
    sop_instance_uids: list[str]


class ResultDocument(StoredDocument):
    """One result: numbers, or the reason why there are none."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [EXAMPLE_RESULT]})

    analysis: Analysis
    state: ResultState
    reason: Reason | None = Field(description="Null exactly when the state is completed.")
    provisional: bool = Field(description="True while completeness of the series is not certain.")
    series_instance_uid: Uid
    model: ModelIdentity | None = Field(description="Null when the series was refused before a network was chosen.")
    created_at: datetime
    version: int = Field(ge=1, description="Counts up per series and analysis.")
    calcium: CalciumDocument | None = Field(description="Null when nothing was scored: never a silent zero.")
    quality: list[QualityNote]
    outputs: list[OutputDocument]


class StudyLinks(Document):
    """Where to go from a study."""

    self: str
    results: str
    timeline: str
    reprocess: str
    page: str


class StudySummary(Document):
    """One study as listed."""

    study_instance_uid: Uid
    patient_id: str
    patient_birth_date: str
    patient_sex: str
    accession_number: str
    study_date: str = Field(description="YYYYMMDD, empty when the images had none.")
    study_description: str
    state: StudyState
    created_at: datetime
    updated_at: datetime
    links: StudyLinks


class StudyPage(Document):
    """One page of studies, newest first."""

    items: list[StudySummary]
    next_cursor: str | None = Field(description="Opaque; null on the last page.")


class SeriesDocument(Document):
    """One series and what was decided about it."""

    series_instance_uid: Uid
    modality: str
    series_number: int | None
    description: str
    kind: Literal["csct", "ccta", "chest_ncct", "other"] | None = Field(description="Null until it was routed.")
    state: SeriesState
    reason: Reason | None
    instance_count: int
    input_version: int = Field(description="Grows with every new instance and every request to reprocess.")
    last_instance_at: datetime
    next_attempt_at: datetime | None


class JobDocument(Document):
    """One analysis of one series."""

    analysis: str
    series_instance_uid: Uid
    state: JobState
    reason: Reason | None
    provisional: bool
    model: ModelIdentity
    input_version: int
    attempts: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    next_attempt_at: datetime | None


class StudyDetail(StudySummary):
    """One study with its series and jobs."""

    series: list[SeriesDocument]
    jobs: list[JobDocument]


class TimelineEvent(Document):
    """One thing that happened."""

    at: datetime
    kind: str = Field(examples=["SERIES_ROUTED"])
    text: str
    series_instance_uid: str | None
    detail: Mapping[str, Any] | None


class TimelineDocument(Document):
    """What happened to a study, oldest first, and where it stands now."""

    study_instance_uid: Uid
    state: StudyState
    events: list[TimelineEvent]
    summary: str = Field(description="Plain language: is there a score, and if not, why not.")
    next_try_at: datetime | None = Field(description="When something is tried next; null when nothing is due.")


class ReprocessDocument(Document):
    """A request to analyse a study again was accepted."""

    study_instance_uid: Uid
    series_reopened: int
    links: StudyLinks


class CheckDocument(Document):
    """One readiness check."""

    ok: bool
    detail: str
    facts: Mapping[str, str]


class ReadinessDocument(Document):
    """Whether this process can do its work, check by check."""

    status: Literal["ready", "not ready"]
    version: str
    checks: Mapping[str, CheckDocument]


class LivenessDocument(Document):
    """The process answers."""

    status: Literal["alive"]


class InvalidParameter(Document):
    """One parameter that was not accepted; its value is never repeated."""

    location: str = Field(examples=["query.limit"])
    message: str


class ProblemDocument(Document):
    """An error as RFC 9457 describes it."""

    type: str = Field(description="URI reference that names the kind of problem.", examples=["about:blank"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="Names this occurrence; the same id is in the log.", examples=["urn:uuid:…"])
    errors: list[InvalidParameter] | None = Field(default=None, description="Present when a parameter is invalid.")
