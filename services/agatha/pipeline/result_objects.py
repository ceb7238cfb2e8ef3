"""From findings or a refusal to stored DICOM objects and the REST document: one report, written once per job.

Decides what identifies a report (so that a retry, or the same work asked for again, writes the same bytes) and where
its files go. What is in them is decided in `agatha.report`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, TypedDict

from agatha.pipeline.concordance import Comparison, compare_with_partner
from agatha.pipeline.context import PipelineContext
from agatha.pipeline.examination import Examination
from agatha.pipeline.series_outcome import sources_digest
from agatha.report import (
    DicomObject,
    ModelIdentity,
    PreviousReport,
    ReportRequest,
    result_document,
    write_objects,
    write_series,
)
from agatha.store.records import InstanceRecord, JobRecord, NewOutput, ResultRecord
from coronary.contract import AcquisitionFacts, Findings, Refusal
from coronary.ct_volume import CtVolume

ResultState = Literal["completed", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Report:
    """What `complete_job` records."""

    document: Mapping[str, Any]
    outputs: tuple[NewOutput, ...]
    text: str
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class _Lineage:
    """The place of a job's report among those of the same series and analysis; the same at every attempt."""

    first: JobRecord
    previous: PreviousReport | None
    version: int
    series_index: int


def is_superseded(job: JobRecord, seen: Examination, instances: Sequence[InstanceRecord]) -> bool:
    """Whether the series no longer gives the input the job was made for, or is no longer for its analysis."""
    is_for_it = any(decided.analysis == job.analysis for decided in seen.analyses)
    return not is_for_it or sources_digest(seen, instances) != job.src_digest


def write_report(
    context: PipelineContext,
    job: JobRecord,
    instances: Sequence[InstanceRecord],
    seen: Examination | None,
    *,
    findings: Findings | None,
    refusal: Refusal | None,
    state: ResultState,
) -> Report:
    """Write the objects of one result and store their files; nothing is in the database yet."""
    comparison = compare_with_partner(context, job, findings)
    lineage = _lineage(context, job, comparison)
    request = ReportRequest(
        analysis=job.analysis,
        model=ModelIdentity(job.model_name, job.model_version, job.model_sha256),
        src_digest=job.src_digest,
        config_digest=job.config_digest,
        content_time=lineage.first.created_at,
        series_index=lineage.series_index,
        findings=findings,
        refusal=refusal,
        sr_sop_class=context.config.sr_sop_class,
        result_version=lineage.version,
        previous_report=lineage.previous,
        concordance=comparison.concordance,
        limits_of_agreement=comparison.limits,
        **report_sources(seen, [context.files.path(row.storage_key) for row in instances]),
    )
    objects = chain(write_objects(request), write_series(request))
    outputs = tuple(_stored(context, job, item) for item in objects)
    document = result_document(
        request, outputs, state=state, provisional=job.provisional, series_instance_uid=job.series_instance_uid
    )
    text = refusal.text if refusal is not None else f"{job.analysis} finished."
    return Report(document, outputs, text, comparison)


class ReportSources(TypedDict):
    """The part of a report request that says what it is about."""

    source_paths: Sequence[Path]
    source_frames: Sequence[int | None]
    volume: CtVolume | None
    facts: AcquisitionFacts | None


def report_sources(seen: Examination | None, paths: Sequence[Path]) -> ReportSources:
    """The slices of the volume in its order, or all files of the series where there is no volume."""
    assembled = seen.assembled if seen is not None else None
    if assembled is None:
        return {"source_paths": paths, "source_frames": [], "volume": None, "facts": None}
    return {
        "source_paths": [piece.path for piece in assembled.slices],
        "source_frames": [piece.frame for piece in assembled.slices],
        "volume": assembled.volume,
        "facts": assembled.facts,
    }


def _stored(context: PipelineContext, job: JobRecord, item: DicomObject) -> NewOutput:
    # The hash in the key: a repeated attempt never replaces bytes that may be on their way to somebody.
    digest = hashlib.sha256(item.data).hexdigest()
    key = f"outputs/{digest[:2]}/{item.sop_instance_uid}-{digest[:16]}.dcm"
    stored = context.files.put(key, item.data)
    return NewOutput(
        kind=item.kind,
        sop_class_uid=item.sop_class_uid,
        study_instance_uid=job.study_instance_uid,
        series_instance_uid=item.series_instance_uid,
        sop_instance_uid=item.sop_instance_uid,
        transfer_syntax_uid=item.transfer_syntax_uid,
        storage_key=stored.key,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
    )


def _lineage(context: PipelineContext, job: JobRecord, comparison: Comparison) -> _Lineage:
    concordance = None if comparison.concordance is None else comparison.concordance.as_dict()
    with context.database.reading() as tx:
        jobs = tx.jobs_of_study(job.study_instance_uid)
        results = [row for row in tx.results_of_study(job.study_instance_uid) if _is_sibling(row, job)]
        series_uids = sorted(row.series_instance_uid for row in tx.series_of_study(job.study_instance_uid))
    compared = {row.job_id: row.document.get("concordance") for row in results}
    same_work = [other for other in jobs if _is_same_work(other, job)]
    # Segmentations are the same whatever the score is compared with; the SR is another one, with its own predecessor.
    same_report = [other.id for other in same_work if compared.get(other.id) == concordance]
    earlier = [row for row in results if row.job_id < min((*same_report, job.id))]
    return _Lineage(
        first=min(same_work, key=lambda other: other.id),
        previous=_previous_report(earlier[0]) if earlier else None,
        version=max((row.version for row in results), default=0) + 1,
        series_index=series_uids.index(job.series_instance_uid) + 1,
    )


def _is_sibling(result: ResultRecord, job: JobRecord) -> bool:
    return (result.series_id, result.analysis) == (job.series_id, job.analysis)


def _is_same_work(other: JobRecord, job: JobRecord) -> bool:
    """Equal but for the generation: asked for again, it is to give the same objects under the same UIDs."""
    return all(
        getattr(other, name) == getattr(job, name)
        for name in ("series_id", "analysis", "src_digest", "model_sha256", "config_digest")
    )


def _previous_report(result: ResultRecord) -> PreviousReport | None:
    # From the document, not from the ledger: there an object belongs to the last result that wrote it again.
    for output in result.document.get("outputs", ()):
        if output["kind"] == "sr":
            return PreviousReport(
                output["sop_class_uid"], output["series_instance_uid"], output["sop_instance_uids"][0]
            )
    return None
