"""The tables: columns, unique keys and indexes. Every uniqueness that the product promises is a constraint here.

Decides shape, not behaviour: transitions, leases and versions are written by the modules named after the tables.
A change here needs a migration under alembic/versions; a test compares the two.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from agatha.store.column_types import CleanText, UtcDateTime
from agatha.store.records import DELIVERY_STATES, JOB_STATES, RESULT_STATES, SERIES_KINDS, SERIES_STATES, STUDY_STATES

# Named constraints: SQLite can only alter a table by copying it, and alembic needs the names for that.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """Return the constraint that `column` holds one of `values`."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"known_{column}")


class Base(DeclarativeBase):
    """Declarative base; text, moments and JSON have one representation each."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {str: CleanText, datetime: UtcDateTime, dict[str, Any]: JSON(none_as_null=True)}  # noqa: RUF012


class LeaseColumns:
    """The columns by which workers exclude one another and wait between attempts.

    `lease_token` is new with every lease: whoever still holds an older one writes nothing (fencing).
    `enqueued_at` is when the sweep last put a task on the queue; it is a hint, like the queue itself.
    """

    lease_owner: Mapped[str | None]
    lease_token: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None]
    enqueued_at: Mapped[datetime | None]


class Study(Base):
    """One study; `state` is derived from its series and jobs in the same transaction that changes them."""

    __tablename__ = "studies"
    __table_args__ = (one_of("state", STUDY_STATES),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(unique=True)
    patient_id: Mapped[str] = mapped_column(index=True)
    patient_birth_date: Mapped[str]
    patient_sex: Mapped[str]
    accession_number: Mapped[str] = mapped_column(index=True)
    study_date: Mapped[str] = mapped_column(index=True)
    study_description: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Series(LeaseColumns, Base):
    """One series; `input_version` grows with every new instance, `generation` with every request to reprocess."""

    __tablename__ = "series"
    __table_args__ = (
        one_of("state", SERIES_STATES),
        one_of("kind", SERIES_KINDS),
        Index(None, "state", "last_instance_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    series_instance_uid: Mapped[str] = mapped_column(unique=True)
    modality: Mapped[str]
    series_number: Mapped[int | None] = mapped_column(BigInteger)  # an IS value has up to 12 characters
    description: Mapped[str]
    kind: Mapped[str | None]
    state: Mapped[str]
    reason_code: Mapped[str | None]
    reason_text: Mapped[str | None]
    input_version: Mapped[int]
    generation: Mapped[int] = mapped_column(default=0)
    instance_count: Mapped[int]
    route_detail: Mapped[dict[str, Any] | None]
    last_instance_at: Mapped[datetime]
    calling_ae_title: Mapped[str]


class Instance(Base):
    """One stored SOP instance; the SOP Instance UID is unique, so a twin cannot exist."""

    __tablename__ = "instances"

    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), index=True)
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    sop_class_uid: Mapped[str]
    transfer_syntax_uid: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    storage_key: Mapped[str]
    instance_number: Mapped[int | None] = mapped_column(BigInteger)
    received_at: Mapped[datetime]
    calling_ae_title: Mapped[str]


class QuarantinedInstance(Base):
    """One instance set aside; its UIDs are claims, so they refer to nothing."""

    __tablename__ = "quarantined_instances"

    id: Mapped[int] = mapped_column(primary_key=True)
    sop_instance_uid: Mapped[str | None]
    study_instance_uid: Mapped[str | None] = mapped_column(index=True)
    series_instance_uid: Mapped[str | None]
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    storage_key: Mapped[str] = mapped_column(index=True)
    reason_code: Mapped[str]
    reason_text: Mapped[str]
    received_at: Mapped[datetime]
    calling_ae_title: Mapped[str]


class Job(LeaseColumns, Base):
    """One analysis of one input; the unique key makes a second request for the same work find the first."""

    __tablename__ = "jobs"
    __table_args__ = (
        one_of("state", JOB_STATES),
        UniqueConstraint(
            "series_id", "analysis", "src_digest", "model_sha256", "config_digest", "generation", name="uq_jobs_work"
        ),
        Index(None, "state", "next_attempt_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"))
    analysis: Mapped[str]
    input_version: Mapped[int]
    generation: Mapped[int]
    src_digest: Mapped[str]
    model_name: Mapped[str]
    model_version: Mapped[str]
    model_sha256: Mapped[str]
    config_digest: Mapped[str]
    state: Mapped[str]
    provisional: Mapped[bool]
    reason_code: Mapped[str | None]
    reason_text: Mapped[str | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Event(Base):
    """One line of a timeline."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int | None] = mapped_column(ForeignKey("studies.id"), index=True)
    series_id: Mapped[int | None] = mapped_column(ForeignKey("series.id"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    text: Mapped[str]
    detail: Mapped[dict[str, Any] | None]


class Result(Base):
    """One result; a job has at most one, and versions count up per series and analysis."""

    __tablename__ = "results"
    __table_args__ = (one_of("state", RESULT_STATES), UniqueConstraint("series_id", "analysis", "version"))

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), unique=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("studies.id"), index=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"))
    analysis: Mapped[str]
    version: Mapped[int]
    state: Mapped[str]
    provisional: Mapped[bool] = mapped_column(index=True)
    document: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class Output(Base):
    """The ledger of our own objects: what comes back from a PACS under these UIDs is not analysed again."""

    __tablename__ = "outputs"

    id: Mapped[int] = mapped_column(primary_key=True)
    result_id: Mapped[int] = mapped_column(ForeignKey("results.id"), index=True)
    kind: Mapped[str]
    sop_class_uid: Mapped[str]
    study_instance_uid: Mapped[str] = mapped_column(index=True)
    series_instance_uid: Mapped[str] = mapped_column(index=True)
    sop_instance_uid: Mapped[str] = mapped_column(unique=True)
    transfer_syntax_uid: Mapped[str]
    storage_key: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)


class Delivery(LeaseColumns, Base):
    """One output on its way to one destination."""

    __tablename__ = "deliveries"
    __table_args__ = (
        one_of("state", DELIVERY_STATES),
        UniqueConstraint("output_id", "destination"),
        Index(None, "state", "next_attempt_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    output_id: Mapped[int] = mapped_column(ForeignKey("outputs.id"))
    destination: Mapped[str]
    state: Mapped[str]
    dimse_status: Mapped[int | None]
    last_error: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
