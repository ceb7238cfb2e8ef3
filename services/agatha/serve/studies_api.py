"""REST of studies: listing, detail, results, timeline, and the request to analyse again.

Decides the shape of the answers (`documents`) and nothing about their content, which is the store's.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import TypeAdapter

from agatha.serve.conditional import cache_headers, entity_tag, not_modified
from agatha.serve.documents import (
    JobDocument,
    ModelIdentity,
    Reason,
    ReprocessDocument,
    SeriesDocument,
    StudyDetail,
    StudyPage,
    StudySummary,
    TimelineDocument,
    TimelineEvent,
)
from agatha.serve.links import API, Links
from agatha.serve.problems import problem_responses
from agatha.serve.result_schema import ResultDocument
from agatha.serve.standing import StudyRows, standing_of
from agatha.serve.study_queries import ServeContext, StudyFilter, read_study, reopen_study
from agatha.store.paired_scores import latest_results, paired_scores
from agatha.store.records import JobRecord, ResultRecord, SeriesRecord, StudyRecord

RESULTS = TypeAdapter(list[ResultDocument])


def studies_router(context: ServeContext) -> APIRouter:
    """Return the routes under /api/v1/studies that answer in JSON."""
    router = APIRouter(prefix=API, tags=["studies"])
    database, links = context.database, context.links

    @router.get("/studies", summary="List studies, newest first", responses=problem_responses(422, 503))
    def list_studies(wanted: Annotated[StudyFilter, Query()], response: Response) -> StudyPage:
        """Follow `next_cursor`, or the Link header with rel="next", until it is null."""
        with database.reading() as reading:
            page = reading.find_studies(**wanted.model_dump())
        if page.next_cursor is not None:
            response.headers["Link"] = f'<{links.studies(wanted.query(page.next_cursor))}>; rel="next"'
        return StudyPage(items=[study_summary(study, links) for study in page.items], next_cursor=page.next_cursor)

    @router.get("/studies/{study_instance_uid}", summary="One study", responses=problem_responses(404, 503))
    def show_study(study_instance_uid: str) -> StudyDetail:
        """Series with kind, state and reason; jobs; links."""
        with database.reading() as reading:
            return study_detail(read_study(reading, study_instance_uid), links)

    @router.get(
        "/studies/{study_instance_uid}/results",
        summary="Results, newest version first",
        response_model=list[ResultDocument],
        responses={304: {"description": "Not modified"}, **problem_responses(404, 503)},
    )
    def list_results(study_instance_uid: str, request: Request) -> Response:
        """Refusals and failures are results too, with a coded reason. Send If-None-Match to ask for changes only."""
        with database.reading() as reading:
            rows = read_study(reading, study_instance_uid)
        body = RESULTS.dump_json(result_documents(rows.results))
        tag = entity_tag(body)
        return not_modified(request, tag) or Response(
            body, media_type="application/json", headers=dict(cache_headers(tag))
        )

    @router.get(
        "/studies/{study_instance_uid}/timeline",
        summary="What happened, and why there is no score",
        responses=problem_responses(404, 503),
    )
    def show_timeline(study_instance_uid: str) -> TimelineDocument:
        """Events oldest first, then a summary in plain language and the time of the next attempt."""
        with database.reading() as reading:
            rows = read_study(reading, study_instance_uid)
            events = reading.timeline(study_instance_uid)
        standing = standing_of(rows)
        return TimelineDocument.model_validate(
            {
                "study_instance_uid": study_instance_uid,
                "state": rows.study.state,
                "events": [
                    TimelineEvent(
                        at=event.at,
                        kind=event.kind,
                        text=event.text,
                        series_instance_uid=event.series_instance_uid,
                        detail=event.detail,
                    )
                    for event in events
                ],
                "summary": standing.summary,
                "next_try_at": standing.next_try_at,
            }
        )

    @router.post(
        "/studies/{study_instance_uid}/reprocess",
        summary="Analyse again",
        status_code=202,
        responses=problem_responses(404, 409, 503),
    )
    def reprocess(study_instance_uid: str, response: Response) -> ReprocessDocument:
        """Every series is looked at anew and each result gets a new version. 409 while something still runs."""
        reopened = reopen_study(database, study_instance_uid)
        study_links = links.study(study_instance_uid)
        response.headers["Location"] = study_links.timeline
        return ReprocessDocument(study_instance_uid=study_instance_uid, series_reopened=reopened, links=study_links)

    return router


def study_summary(study: StudyRecord, links: Links) -> StudySummary:
    """Return one study as listed."""
    return StudySummary.model_validate(_study_values(study, links))


def study_detail(rows: StudyRows, links: Links) -> StudyDetail:
    """Return one study with its series and jobs."""
    return StudyDetail.model_validate(
        _study_values(rows.study, links)
        | {
            "series": [series_document(series) for series in rows.series],
            "jobs": [job_document(job) for job in rows.jobs],
        }
    )


def _study_values(study: StudyRecord, links: Links) -> dict[str, Any]:
    return {
        "study_instance_uid": study.study_instance_uid,
        "patient_id": study.patient_id,
        "patient_birth_date": study.patient_birth_date,
        "patient_sex": study.patient_sex,
        "accession_number": study.accession_number,
        "study_date": study.study_date,
        "study_description": study.study_description,
        "state": study.state,
        "created_at": study.created_at,
        "updated_at": study.updated_at,
        "links": links.study(study.study_instance_uid),
    }


def series_document(series: SeriesRecord) -> SeriesDocument:
    """Return one series and what was decided about it."""
    return SeriesDocument.model_validate(
        {
            "series_instance_uid": series.series_instance_uid,
            "modality": series.modality,
            "series_number": series.series_number,
            "description": series.description,
            "kind": series.kind,
            "state": series.state,
            "reason": reason_of(series.reason_code, series.reason_text),
            "instance_count": series.instance_count,
            "input_version": series.input_version,
            "last_instance_at": series.last_instance_at,
            "next_attempt_at": series.next_attempt_at,
        }
    )


def job_document(job: JobRecord) -> JobDocument:
    """Return one job."""
    return JobDocument.model_validate(
        {
            "analysis": job.analysis,
            "series_instance_uid": job.series_instance_uid,
            "state": job.state,
            "reason": reason_of(job.reason_code, job.reason_text),
            "provisional": job.provisional,
            "model": ModelIdentity(name=job.model_name, version=job.model_version, sha256=job.model_sha256),
            "input_version": job.input_version,
            "attempts": job.attempts,
            "created_at": job.created_at,
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "next_attempt_at": job.next_attempt_at,
        }
    )


def reason_of(code: str | None, text: str | None) -> Reason | None:
    """Return the reason, or None when neither code nor text was recorded."""
    return None if not code and not text else Reason(code=code or "UNKNOWN", text=text or "No text was recorded.")


def result_documents(results: Sequence[ResultRecord]) -> list[ResultDocument]:
    """Return the documents of all results of a study, in the order given.

    A current result shows the comparison of the study's two scores as it is now: whoever was reported first could not
    know of the other. An overtaken result keeps what its report says.
    """
    pair, current = paired_scores(results), {result.id for result in latest_results(results)}
    documents = []
    for result in results:
        live: dict[str, object] = {} if result.id not in current else {"concordance": None}
        if pair is not None and pair.holds(result):
            live = {"concordance": pair.concordance.as_dict()}
        documents.append(result_document(result, live))
    return documents


def result_document(result: ResultRecord, live: Mapping[str, object]) -> ResultDocument:
    """Return the document that the report stage wrote, with what only the store knows (version, whether final)."""
    of_the_row = {
        "analysis": result.analysis,
        "state": result.state,
        "provisional": result.provisional,
        "series_instance_uid": result.series_instance_uid,
        "version": result.version,
    }
    return ResultDocument.model_validate({"created_at": result.created_at, **result.document, **of_the_row, **live})
