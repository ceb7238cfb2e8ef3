"""What the store hands out and takes in: frozen dataclasses, detached from any transaction, free of SQLAlchemy.

Decides the names and types that callers see. Times are timezone-aware UTC; attribute values are text, "" when the
data set had none; `id` is this database's row number and means nothing outside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

# The states a row may hold; which one follows which is agatha.pipeline.lifecycle's table, not decided here.
STUDY_STATES = ("receiving", "processing", "completed", "refused", "failed")
SERIES_STATES = ("receiving", "assembling", "routed", "refused", "not_applicable", "failed")
JOB_STATES = ("queued", "running", "completed", "refused", "failed")
RESULT_STATES = ("completed", "refused", "failed")
DELIVERY_STATES = ("pending", "sending", "delivered", "dead")
SERIES_KINDS = ("csct", "ccta", "chest_ncct", "other")

#: Reason of a job that newer input overtook.
SUPERSEDED = "SUPERSEDED"

#: Kinds of the events that say how the two scores of a study compare.
SCORES_AGREE, SCORES_DISCORDANT = "SCORES_AGREE", "SCORES_DISCORDANT"

LeasedKind = Literal["series", "jobs", "deliveries"]
AddOutcome = Literal["new", "identical", "conflict"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a listing; `next_cursor` is None on the last one."""

    items: Sequence[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is durable under `key`: contents and directory entry have reached the disk."""

    key: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """One study; `study_date` as in DICOM, YYYYMMDD."""

    id: int
    study_instance_uid: str
    patient_id: str
    patient_birth_date: str
    patient_sex: str
    accession_number: str
    study_date: str
    study_description: str
    state: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """One series; `input_version` counts its new instances and requests to reprocess, `generation` the latter alone."""

    id: int
    study_id: int
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    series_number: int | None
    description: str
    kind: str | None
    state: str
    reason_code: str | None
    reason_text: str | None
    input_version: int
    generation: int
    instance_count: int
    route_detail: Mapping[str, Any] | None
    last_instance_at: datetime
    calling_ae_title: str
    attempts: int
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """One stored SOP instance."""

    id: int
    series_id: int
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    sha256: str
    size_bytes: int
    storage_key: str
    instance_number: int | None
    received_at: datetime
    calling_ae_title: str


@dataclass(frozen=True, slots=True)
class Added:
    """What `add_instance` did.

    "new": a row was made. "identical": the same bytes were here already. "conflict": nothing was written and
    `reason_code`, `reason_text` say why; the caller quarantines the file. Ids are None where no such row exists.
    """

    outcome: AddOutcome
    study_id: int | None
    series_id: int | None
    instance_id: int | None
    input_version: int | None
    reason_code: str | None = None
    reason_text: str | None = None


@dataclass(frozen=True, slots=True)
class QuarantineRecord:
    """One instance set aside, with the reason."""

    id: int
    sop_instance_uid: str | None
    study_instance_uid: str | None
    series_instance_uid: str | None
    sha256: str
    size_bytes: int
    storage_key: str
    reason_code: str
    reason_text: str
    received_at: datetime
    calling_ae_title: str


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One line of a study's timeline."""

    id: int
    study_id: int | None
    series_id: int | None
    series_instance_uid: str | None
    job_id: int | None
    at: datetime
    kind: str
    text: str
    detail: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One analysis of one series input by one model under one configuration."""

    id: int
    series_id: int
    study_id: int
    study_instance_uid: str
    series_instance_uid: str
    analysis: str
    input_version: int
    generation: int
    src_digest: str
    model_name: str
    model_version: str
    model_sha256: str
    config_digest: str
    state: str
    provisional: bool
    reason_code: str | None
    reason_text: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """One result; `document` is the REST schema, `version` counts up per series and analysis."""

    id: int
    job_id: int
    study_id: int
    study_instance_uid: str
    series_id: int
    series_instance_uid: str
    analysis: str
    version: int
    state: str
    provisional: bool
    document: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewOutput:
    """One DICOM object that a job wrote and stored before it reports completion."""

    kind: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    storage_key: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ComparedWith:
    """The other score of the study that a report takes into account; `result_id` is None when there was none."""

    analysis: str
    result_id: int | None


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """One line of the ledger of our own objects."""

    id: int
    result_id: int
    kind: str
    sop_class_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    storage_key: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One output on its way to one destination; `dimse_status` is the last one heard (PS3.7 Annex C)."""

    id: int
    output_id: int
    destination: str
    state: str
    dimse_status: int | None
    last_error: str | None
    delivered_at: datetime | None
    attempts: int
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class WaitingDelivery:
    """A delivery that may be sent now, and the stored file that it sends."""

    id: int
    destination: str
    storage_key: str


@dataclass(frozen=True, slots=True)
class SeriesLease:
    """The exclusive right to settle one series until `expires_at`; `token` fences out a holder who came too late."""

    owner: str
    token: str
    expires_at: datetime
    record: SeriesRecord


@dataclass(frozen=True, slots=True)
class JobLease:
    """The exclusive right to run one job until `expires_at`."""

    owner: str
    token: str
    expires_at: datetime
    record: JobRecord


@dataclass(frozen=True, slots=True)
class DeliveryLease:
    """The exclusive right to send one output to one destination until `expires_at`."""

    owner: str
    token: str
    expires_at: datetime
    record: DeliveryRecord


Lease = SeriesLease | JobLease | DeliveryLease
