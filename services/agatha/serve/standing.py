"""Where a study stands, in plain language: the answer to "why is there no score?".

Decides the sentences and the time of the next attempt from what the database holds; it judges nothing anew. A study
without a score always gets a reason, and a refusal is never worded so that it could be read as a score of zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agatha.dicom.analysis_terms import ANALYSIS_TERMS, NO_ZERO
from agatha.serve.display_text import moment, number
from agatha.store.paired_scores import latest_results, paired_scores
from agatha.store.records import DeliveryRecord, JobRecord, ResultRecord, SeriesRecord, StudyRecord
from coronary.detection_findings import presence_text
from coronary.reasons import NEEDS_READING


@dataclass(frozen=True, slots=True)
class Standing:
    """Summary for a person, and when something is tried next (None when nothing is due)."""

    summary: str
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True)
class StudyRows:
    """All rows of one study, read in one transaction."""

    study: StudyRecord
    series: Sequence[SeriesRecord]
    jobs: Sequence[JobRecord]
    results: Sequence[ResultRecord]
    deliveries: Sequence[DeliveryRecord]
    quarantined: int


def standing_of(rows: StudyRows) -> Standing:
    """Return where the study stands."""
    names = {series.series_instance_uid: series_name(series) for series in rows.series}
    present = present_jobs(rows)
    results = latest_results(rows.results)
    sentences = [
        *doubts_of_zero(results),
        *(_result_sentence(result, names) for result in results),
        *_discordance_sentence(rows.results),
        *(_job_sentence(job, names) for job in present),
        *(sentence for series in rows.series if (sentence := _series_sentence(series))),
        *_delivery_sentences(rows.deliveries),
    ]
    if rows.quarantined:
        sentences.append(
            f"{rows.quarantined} received instance(s) were set aside because they contradict what was stored before."
        )
    if not any(result.document.get("calcium") for result in rows.results):
        sentences.insert(0, "There is no score yet." if is_moving(rows) else "There is no score.")
    return Standing(" ".join(sentences), next_try_at(rows))


def doubts_of_zero(results: Sequence[ResultRecord]) -> list[str]:
    """Return why scores of zero need reading; empty where none does."""
    notes = [note for result in results for note in result.document.get("quality", ())]
    return [note["text"] for note in notes if note["code"] in NEEDS_READING]


def is_moving(rows: StudyRows) -> bool:
    """Say whether something is still being received or analysed."""
    return any(series.state in {"receiving", "assembling"} for series in rows.series) or any(
        job.state in {"queued", "running"} for job in present_jobs(rows)
    )


def present_jobs(rows: StudyRows) -> list[JobRecord]:
    """Return the jobs on the present input of their series that have no result yet."""
    input_versions = {series.id: series.input_version for series in rows.series}
    with_result = {result.job_id for result in rows.results}
    return [
        job
        for job in rows.jobs
        if job.id not in with_result and job.input_version == input_versions.get(job.series_id, job.input_version)
    ]


def next_try_at(rows: StudyRows) -> datetime | None:
    """Return the earliest appointed attempt of a series, a job or a delivery."""
    appointed = [
        *(series.next_attempt_at for series in rows.series if series.state in {"receiving", "assembling"}),
        *(job.next_attempt_at for job in present_jobs(rows) if job.state in {"queued", "running"}),
        *(delivery.next_attempt_at for delivery in rows.deliveries if delivery.state in {"pending", "sending"}),
    ]
    return min((attempt for attempt in appointed if attempt is not None), default=None)


def series_name(series: SeriesRecord) -> str:
    """Name a series for a person: its number and description."""
    number = "without number" if series.series_number is None else str(series.series_number)
    return f"series {number} ({series.description})" if series.description else f"series {number}"


def _result_sentence(result: ResultRecord, names: dict[str, str]) -> str:
    of = f"{names.get(result.series_instance_uid, 'a series')}, result version {result.version}"
    if result.state == "completed":
        calcium = result.document.get("calcium")
        provisional = (
            " It is provisional: it is not certain that all images have arrived." if result.provisional else ""
        )
        if (detection := result.document.get("detection")) is not None:
            return f"{result.analysis}: {presence_text(detection['presence'])} for {of}.{provisional}"
        if calcium is None:
            return f"{result.analysis} completed for {of}.{provisional}"
        score = number(calcium["agatston"]["total"])
        name = "Agatston score" if result.document.get("contrast") is None else "estimated Agatston equivalent"
        return f"{result.analysis}: {name} {score} ({calcium['risk_category']}) for {of}.{provisional}"
    reason = result.document.get("reason") or {"code": "UNKNOWN", "text": "No reason was recorded."}
    verb = "refused" if result.state == "refused" else "failed on"
    terms = ANALYSIS_TERMS[result.analysis]
    return f"{result.analysis} {verb} {of}: {_ended(reason['text'])} ({reason['code']}) {terms.refusal}"


def _discordance_sentence(results: Sequence[ResultRecord]) -> list[str]:
    pair = paired_scores(results)
    if pair is None or not pair.concordance.is_discordant:
        return []
    return [f"The two scores are discordant. {pair.concordance.text}"]


def _job_sentence(job: JobRecord, names: dict[str, str]) -> str:
    what = f"{job.analysis} of {names.get(job.series_instance_uid, 'a series')}"
    if job.state == "running":
        return f"{what} is running (attempt {job.attempts})."
    if job.state == "queued":
        return f"{what} waits for {_wait(job.attempts, job.next_attempt_at, job.reason_text)}"
    return f"{what} ended as {job.state}{_because(job.reason_code, job.reason_text)} {NO_ZERO}"


def _series_sentence(series: SeriesRecord) -> str | None:
    name = series_name(series).replace("series", "Series", 1)
    if series.state == "receiving":
        if series.attempts or series.next_attempt_at is not None:
            return f"{name} waits for {_wait(series.attempts, series.next_attempt_at, series.reason_text)}"
        return (
            f"{name} is being received: {series.instance_count} instance(s) so far, the last at "
            f"{moment(series.last_instance_at)}; it is looked at when no more arrive."
        )
    if series.state == "assembling":
        return f"{name} is being checked for completeness."
    if series.state == "routed":
        return None
    verdict = {"refused": "was refused", "not_applicable": "is not analysed", "failed": "could not be read"}
    zero = f" {NO_ZERO}" if series.state != "not_applicable" else ""
    return f"{name} {verdict[series.state]}{_because(series.reason_code, series.reason_text)}{zero}"


def _delivery_sentences(deliveries: Sequence[DeliveryRecord]) -> list[str]:
    if not deliveries:
        return []
    delivered, dead = (sum(delivery.state == state for delivery in deliveries) for state in ("delivered", "dead"))
    parts = [f"{delivered} of {len(deliveries)} delivered"]
    if waiting := len(deliveries) - delivered - dead:
        parts.append(f"{waiting} waiting to be sent")
    if dead:
        parts.append(f"{dead} given up")
    return [f"Outputs: {', '.join(parts)}."]


def _wait(attempts: int, next_attempt_at: datetime | None, reason: str | None) -> str:
    before = f" after {attempts} attempt(s)" if attempts else ""
    why = f"; the last one ended with: {_ended(reason)}" if reason else "."
    if next_attempt_at is None:
        return f"a free worker{before}{why}"
    return f"its next try at {moment(next_attempt_at)}{before}{why}"


def _because(code: str | None, text: str | None) -> str:
    if not text:
        return f" ({code})." if code else "."
    return f": {_ended(text)}" + (f" ({code})" if code else "")


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
