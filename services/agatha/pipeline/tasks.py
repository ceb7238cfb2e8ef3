"""The whole flow on one page: a series becomes jobs, a job a result with its DICOM objects, an object a receipt.

Decides the order of the stages and where transactions begin and end. Each flow loads by id in a short transaction that
takes the lease, runs its stages outside any, and records the outcome in a second one that the lease fences. Errors and
retries are sorted in `leased_work`; everything here may run twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from agatha.deliver import Transfer
from agatha.infer import run_analysis
from agatha.pipeline.consequences import WORKER_LOST, Consequence, PermanentError, TransientError
from agatha.pipeline.context import PipelineContext
from agatha.pipeline.examination import Examination, examine_series
from agatha.pipeline.leased_work import LEASE_DURATION, run_leased
from agatha.pipeline.lifecycle import check_transition
from agatha.pipeline.result_objects import Report, ResultState, is_superseded, write_report
from agatha.pipeline.series_outcome import job_columns, route_detail, series_outcome
from agatha.pipeline.stage_times import stage, stage_seconds
from agatha.store.errors import ComparisonOutdated
from agatha.store.records import (
    SCORES_AGREE,
    SCORES_DISCORDANT,
    SUPERSEDED,
    DeliveryLease,
    InstanceRecord,
    JobLease,
    Lease,
    SeriesLease,
)
from coronary.contract import Refusal
from coronary.registry import family_named

_log = structlog.get_logger(__name__)

#: Reports that one attempt writes of the same score; each but the first because the study's other score changed.
MAX_REPORTS: Final = 3

#: Objects that one task sends over its association; a derived series has hundreds.
LARGEST_TRANSFER: Final = 100

# ── a settled series → jobs ──────────────────────────────────────────────────────────────────────────────────────────


def assemble_series(context: PipelineContext, series_id: int) -> str:
    """Decide what a series is and which analyses it gets."""

    def take() -> SeriesLease | None:
        with context.database.writing() as tx:
            return tx.lease_series(series_id, context.owner, context.clock(), LEASE_DURATION)

    flow = partial(_assemble_series, context)
    return run_leased(context, "assemble_series", "series", take, flow, partial(_fail_series, context))


def _assemble_series(context: PipelineContext, lease: SeriesLease) -> str:
    series = lease.record
    with context.database.reading() as tx:
        instances = tx.instances_of_series(series.id)
        is_own = tx.is_own_series(series.series_instance_uid)
    if is_own:
        own = Refusal("OWN_OUTPUT", "This series was written by this service; it is not analysed again.")
        return _settle(context, lease, instances, Examination(None, None, own, is_candidate=False, analyses=()), True)
    examination = examine_series([context.files.path(row.storage_key) for row in instances], context.families)
    is_proven = examination.assembled is not None and examination.assembled.is_proven_complete
    is_final = is_proven or context.clock() >= series.last_instance_at + context.config.quiet_period
    # Only good news may be early: a gap can still be filled, and a refusal that a late slice lifts again helps nobody.
    if not examination.is_positive and not is_final:
        return _wait_for_more(context, lease, examination)
    return _settle(context, lease, instances, examination, is_final)


def _wait_for_more(context: PipelineContext, lease: SeriesLease, examination: Examination) -> str:
    check_transition("series", "assembling", "receiving")
    quiet_at = lease.record.last_instance_at + context.config.quiet_period
    _, _, reason = series_outcome(examination)
    with context.database.writing() as tx:
        text = (
            f"Not ready: {reason.text} Looked at again when no instance has arrived for {context.config.quiet_s:g} s."
        )
        if tx.release_for_retry(lease, next_attempt_at=quiet_at, reason_text=text):
            tx.record_event(series_id=lease.record.id, kind="SERIES_WAITING", text=text, detail={"code": reason.code})
    return "waiting"


def _settle(
    context: PipelineContext, lease: SeriesLease, instances: list[InstanceRecord], seen: Examination, is_final: bool
) -> str:
    state, kind, reason = series_outcome(seen)
    check_transition("series", "assembling", state)
    code, text = (None, None) if state == "routed" else (reason.code, reason.text)
    detail = route_detail(seen)
    with context.database.writing() as tx:
        if not tx.settle_series(lease, state=state, kind=kind, reason_code=code, reason_text=text, route_detail=detail):
            return "moved_on"
        tx.record_event(series_id=lease.record.id, kind=f"SERIES_{state.upper()}", text=reason.text, detail=detail)
        columns = [job_columns(context, seen, decided.analysis, instances) for decided in seen.analyses]
        version = lease.record.input_version
        jobs = [
            tx.create_job(lease.record.id, input_version=version, provisional=not is_final, **job) for job in columns
        ]
    context.hint("jobs", [job.id for job in jobs if job.state == "queued"])
    return state


def _fail_series(context: PipelineContext, lease: SeriesLease, why: Consequence) -> bool:
    """Give up on a series: a failed job with its result and SR says so, unless touching it kills workers."""
    if why.code == WORKER_LOST or not context.families:
        return _park(context, lease, why)
    with context.database.writing() as tx:
        instances = tx.instances_of_series(lease.record.id)
        if not tx.settle_series(lease, state="failed", reason_code=why.code, reason_text=why.text):
            return False
        tx.record_event(series_id=lease.record.id, kind="SERIES_FAILED", text=why.text, detail={"code": why.code})
        columns = job_columns(context, None, context.families[0].name, instances)
        version = lease.record.input_version
        job = tx.create_job(lease.record.id, input_version=version, provisional=False, **columns)
        job_lease = tx.lease_job(job.id, context.owner, context.clock(), LEASE_DURATION)
    # Killed here, the job stays queued: it then runs like any other, and either has a score or fails by itself.
    if job_lease is not None:
        _fail_job(context, job_lease, why)
    return True


# ── a job → a result and its DICOM objects ───────────────────────────────────────────────────────────────────────────


def analyze_job(context: PipelineContext, job_id: int) -> str:
    """Run one analysis, or write down why it is refused; either way there is a result with an SR."""

    def take() -> JobLease | None:
        with context.database.writing() as tx:
            lease = tx.lease_job(job_id, context.owner, context.clock(), LEASE_DURATION)
            if lease is not None:
                text = f"{lease.record.analysis} started, attempt {lease.record.attempts}."
                tx.record_event(job_id=job_id, kind="JOB_STARTED", text=text)
            return lease

    return run_leased(context, "analyze_job", "jobs", take, partial(_analyze_job, context), partial(_fail_job, context))


def _analyze_job(context: PipelineContext, lease: JobLease) -> str:
    job = lease.record
    with context.database.reading() as tx:
        instances = tx.instances_of_series(job.series_id)
    seen = examine_series([context.files.path(row.storage_key) for row in instances], context.families)
    if is_superseded(job, seen, instances):
        return _supersede(context, lease)
    refusal, findings = seen.refusal_of(job.analysis), None
    if refusal is None and seen.assembled is not None:
        with stage("infer"):
            family = family_named(job.analysis)
            outcome = run_analysis(context.runtime(), family, seen.assembled, seen.notes, lambda _done: None)
            findings, refusal = (None, outcome) if isinstance(outcome, Refusal) else (outcome, None)
    state: ResultState = "completed" if findings is not None else "refused"
    write = partial(write_report, context, job, instances, seen, findings=findings, refusal=refusal, state=state)
    return _report(context, lease, write, state)


def _report(context: PipelineContext, lease: JobLease, write: Callable[[], Report], state: ResultState) -> str:
    """Write a report and record it; write it again when the study's other analysis ended in between."""
    reports_left = MAX_REPORTS
    while True:
        with stage("report"):
            report = write()
        try:
            return _complete(context, lease, report, state)
        except ComparisonOutdated:
            reports_left -= 1
            if not reports_left:
                raise


def _complete(context: PipelineContext, lease: JobLease, report: Report, state: ResultState) -> str:
    check_transition("jobs", "running", state)
    with context.database.writing() as tx:
        result = tx.complete_job(
            lease,
            state=state,
            provisional=lease.record.provisional,
            document=report.document,
            outputs=report.outputs,
            destinations=list(context.config.destinations),
            compared_with=report.comparison.compared_with,
        )
        if result is None:
            return "superseded"
        detail = {"version": result.version, "stage_seconds": stage_seconds()}
        tx.record_event(job_id=lease.record.id, kind=f"JOB_{state.upper()}", text=report.text, detail=detail)
        concordance = report.comparison.concordance
        if concordance is not None:
            kind = SCORES_DISCORDANT if concordance.is_discordant else SCORES_AGREE
            tx.record_event(job_id=lease.record.id, kind=kind, text=concordance.text, detail=concordance.as_dict())
        rows = tx.deliveries_of_study(result.study_instance_uid)
    context.hint("deliveries", [row.id for row in rows if row.state == "pending" and row.attempts == 0])
    return state


def _supersede(context: PipelineContext, lease: JobLease) -> str:
    """Close a job whose input the series no longer has: the new input has a job of its own."""
    check_transition("jobs", "running", "failed")
    text = "Instances arrived after this job was made; the series was looked at again."
    with context.database.writing() as tx:
        if tx.park(lease, reason_code=SUPERSEDED, reason_text=text):
            tx.record_event(job_id=lease.record.id, kind="JOB_SUPERSEDED", text=text)
    return "superseded"


def _fail_job(context: PipelineContext, lease: JobLease, why: Consequence) -> bool:
    """Give up on a job: with a failed result and its SR when they can be written, otherwise with the reason alone."""
    if why.code != WORKER_LOST:  # whatever killed the workers must not be touched again
        try:
            job, refusal = lease.record, Refusal(why.code, why.text)
            with context.database.reading() as tx:
                instances = tx.instances_of_series(job.series_id)
            report = write_report(context, job, instances, None, findings=None, refusal=refusal, state="failed")
            return _complete(context, lease, report, "failed") == "failed"
        except Exception as error:  # noqa: BLE001 - the failure on record stays the first one
            _log.warning("failed_result_not_written", row=lease.record.id, error=type(error).__name__)
    return _park(context, lease, why)


# ── an object → a receipt from each destination ──────────────────────────────────────────────────────────────────────


def deliver_output(context: PipelineContext, delivery_id: int) -> str:
    """Send one object to one destination, and over the same association what else of its result waits for it.

    Returns what became of the one object; the others have tasks of their own, which then find nothing to do.
    """
    with context.database.reading() as tx:
        waiting = tx.deliveries_waiting_with(delivery_id, context.clock(), LARGEST_TRANSFER)
    if not waiting:
        return "busy"
    destination = context.config.destinations.get(waiting[0].destination)
    paths = [context.files.path(row.storage_key) for row in waiting]
    outcomes: list[str] = []
    with ExitStack() as stack:
        transfer = None
        if destination is not None:
            transfer = stack.enter_context(Transfer(paths, destination, context.config.calling_ae_title))
        for row, path in zip(waiting, paths, strict=True):
            take, flow = partial(_take_delivery, context, row.id), partial(_deliver_output, context, transfer, path)
            outcomes.append(run_leased(context, "deliver_output", "deliveries", take, flow, partial(_park, context)))
            if outcomes[-1] == "retry":
                break
    return outcomes[0]


def _take_delivery(context: PipelineContext, delivery_id: int) -> DeliveryLease | None:
    with context.database.writing() as tx:
        return tx.lease_delivery(delivery_id, context.owner, context.clock(), LEASE_DURATION)


def _deliver_output(context: PipelineContext, transfer: Transfer | None, path: Path, lease: DeliveryLease) -> str:
    if transfer is None:
        raise PermanentError("UNKNOWN_DESTINATION", "The destination is no longer configured.")
    receipt = transfer.send(path)
    if receipt.is_transient:
        text = f"The destination could not take the object ({receipt.reason})."
        raise TransientError("NOT_DELIVERED", text, receipt.dimse_status)
    if not receipt.is_delivered:
        text = f"The destination refused the object ({receipt.reason})."
        raise PermanentError("DESTINATION_REFUSED", text, receipt.dimse_status)
    check_transition("deliveries", "sending", "delivered")
    with context.database.writing() as tx:
        is_held = tx.complete_delivery(lease, dimse_status=receipt.dimse_status, now=context.clock())
    return "delivered" if is_held else "lease_lost"


# ── giving up ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _park(context: PipelineContext, lease: Lease, why: Consequence) -> bool:
    with context.database.writing() as tx:
        is_held = tx.park(lease, reason_code=why.code, reason_text=why.text, dimse_status=why.dimse_status)
        if is_held and isinstance(lease, SeriesLease):
            tx.record_event(series_id=lease.record.id, kind="SERIES_FAILED", text=why.text, detail={"code": why.code})
        if is_held and isinstance(lease, JobLease):
            tx.record_event(job_id=lease.record.id, kind="JOB_FAILED", text=why.text, detail={"code": why.code})
    return is_held
