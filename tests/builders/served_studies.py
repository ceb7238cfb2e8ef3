"""A store with studies in it, as the receiver and the worker leave them behind, for tests of what is shown from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from agatha.dicom.facts import InstanceFacts, read_instance_facts
from agatha.report import ReportRequest, result_document, write_objects, write_series
from agatha.store.database import Database
from agatha.store.instance_files import LocalInstanceFiles
from agatha.store.migrate import upgrade
from agatha.store.records import JobRecord, NewOutput, ResultRecord, SeriesRecord
from builders.findings import (
    CALIBRATION,
    MODEL,
    PatientHeader,
    calcified_volume,
    detection_findings,
    detection_request,
    findings_of,
    report_request,
    write_ct_series,
)
from coronary.calcium import MassCalibration, Vessel
from coronary.contract import DetectionFindings, Refusal
from coronary.second_opinion import with_opinion_on_zero

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
GAP = Refusal("GAP_BETWEEN_SLICES", "A slice is missing between z = 12.0 mm and z = 18.0 mm.", {"z_mm": 15.0})


@dataclass(frozen=True)
class Store:
    """Database and instance files in one folder."""

    database: Database
    files: LocalInstanceFiles
    folder: Path


@cache
def empty_database() -> bytes:
    """Return the file of a migrated database without rows; migrating once is enough for all tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "agatha.db"
        upgrade(f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


def open_store(folder: Path) -> Store:
    path = folder / "agatha.db"
    path.write_bytes(empty_database())
    return Store(Database(f"sqlite:///{path}"), LocalInstanceFiles(folder / "instances"), folder)


def facts(study: str = "1.2.3", series: str = "1.2.3.1", instance: str = "1.2.3.1.1", **changes: Any) -> InstanceFacts:
    values: dict[str, Any] = {
        "study_instance_uid": study,
        "series_instance_uid": series,
        "sop_instance_uid": instance,
        "sop_class_uid": CT_IMAGE_STORAGE,
        "transfer_syntax_uid": EXPLICIT_LITTLE_ENDIAN,
        "patient_id": "PAT-1",
        "patient_birth_date": "19610203",
        "patient_sex": "F",
        "accession_number": "ACC-1",
        "study_date": "20260131",
        "study_description": "CT calcium score",
        "modality": "CT",
        "series_number": 3,
        "series_description": "CaScSeq 3.0",
        "instance_number": 1,
    }
    return InstanceFacts(**{**values, **changes})


def receive(store: Store, described: InstanceFacts, data: bytes = b"not a picture") -> SeriesRecord:
    """Store one instance as the receiver does; return its series."""
    with store.files.begin() as incoming:
        incoming.write(data)
        stored = incoming.commit(
            described.study_instance_uid, described.series_instance_uid, described.sop_instance_uid
        )
    with store.database.writing() as writing:
        writing.add_instance(described, stored, calling_ae_title="SCANNER", received_at=datetime.now(UTC))
        series = writing.series_by_uid(described.series_instance_uid)
    assert series is not None
    return series


def settle(store: Store, series: SeriesRecord, state: str, **outcome: Any) -> None:
    """Record what assembling and routing decided."""
    now = datetime.now(UTC)
    with store.database.writing() as writing:
        lease = writing.lease_series(series.id, "worker", now, timedelta(minutes=5))
        assert lease is not None
        assert writing.settle_series(lease, state=state, **outcome)
        writing.record_event(series_id=series.id, kind=f"SERIES_{state.upper()}", text=f"the series is {state}")


def queue_job(
    store: Store, series: SeriesRecord, request: ReportRequest | None = None, *, provisional: bool = False
) -> JobRecord:
    with store.database.writing() as writing:
        return writing.create_job(
            series.id,
            analysis=request.analysis if request else "csct-scoring",
            input_version=writing.series(series.id).input_version,
            src_digest=request.src_digest if request else "digest",
            model_name=MODEL.name,
            model_version=MODEL.version,
            model_sha256=MODEL.sha256,
            config_digest=request.config_digest if request else "config",
            provisional=provisional,
        )


def complete(
    store: Store,
    series: SeriesRecord,
    request: ReportRequest,
    *,
    provisional: bool = False,
    destinations: Sequence[str] = ("PACS",),
) -> ResultRecord:
    """Write the objects of a request and complete its job, as the worker does."""
    state: Literal["completed", "refused"] = "completed" if request.findings is not None else "refused"
    objects = [*write_objects(request), *write_series(request)]
    document = result_document(
        request, objects, state=state, provisional=provisional, series_instance_uid=series.series_instance_uid
    )
    outputs = []
    for one in objects:
        stored = store.files.put(f"outputs/{one.sop_instance_uid}.dcm", one.data)
        outputs.append(
            NewOutput(
                kind=one.kind,
                sop_class_uid=one.sop_class_uid,
                study_instance_uid=series.study_instance_uid,
                series_instance_uid=one.series_instance_uid,
                sop_instance_uid=one.sop_instance_uid,
                transfer_syntax_uid=one.transfer_syntax_uid,
                storage_key=stored.key,
                sha256=stored.sha256,
                size_bytes=stored.size_bytes,
            )
        )
    job = queue_job(store, series, request, provisional=provisional)
    with store.database.writing() as writing:
        lease = writing.lease_job(job.id, "worker", datetime.now(UTC), timedelta(minutes=5))
        assert lease is not None
        result = writing.complete_job(
            lease,
            state=state,
            provisional=provisional,
            document=document,
            outputs=outputs,
            destinations=destinations,
        )
        writing.record_event(job_id=job.id, kind="JOB_COMPLETED", text=f"{request.analysis} ended as {state}")
    assert result is not None
    return result


def write_scored_study(
    store: Store,
    *,
    refusal: Refusal | None = None,
    vessels: Sequence[Vessel] = (Vessel.LM, Vessel.LAD, Vessel.RCA),
    patient: PatientHeader | None = None,
    provisional: bool = False,
    calibration: MassCalibration | None = CALIBRATION,
    **facts_changes: Any,
) -> ResultRecord:
    """Receive a small CT series (UIDs of `builders.findings`) and score or refuse it, with real objects."""
    volume, labels = calcified_volume(vessels=vessels)
    paths = write_ct_series(store.folder / "source", volume, patient)
    for path in paths:
        series = receive(store, replace(read_instance_facts(path), **facts_changes), path.read_bytes())
    settle(store, series, "routed", kind="csct")
    if refusal is not None:
        request = report_request(paths, None, refusal=refusal)
    else:
        request = report_request(paths, volume, findings_of(volume, labels, calibration))
    return complete(store, series, request, provisional=provisional)


def write_zero_study(store: Store, opinion: Refusal | float) -> ResultRecord:
    """Receive a small CT series that scores zero, with the second opinion on it and the detection it came from.

    `opinion` is the probability of calcium in slice 5, or why the detection was refused.
    """
    volume, labels = calcified_volume(vessels=())
    paths = write_ct_series(store.folder / "source", volume)
    for path in paths:
        series = receive(store, read_instance_facts(path), path.read_bytes())
    settle(store, series, "routed", kind="csct")
    if isinstance(opinion, Refusal):
        detected: DetectionFindings | Refusal = opinion
        complete(store, series, report_request(paths, None, refusal=opinion, analysis="calcium-detection"))
    else:
        detected = detection_findings(volume, {4: opinion})
        complete(store, series, detection_request(paths, volume, detected))
    zero = with_opinion_on_zero(findings_of(volume, labels), lambda: detected)
    return complete(store, series, report_request(paths, volume, zero))
