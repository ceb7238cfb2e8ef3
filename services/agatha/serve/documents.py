"""The JSON documents of the REST surface as types; the OpenAPI schema is made from these and from nothing else.

Decides names, types and which keys may be null. A result, the largest of them, is in `result_schema`.
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
