"""Errors of the HTTP edge: which exception becomes which RFC 9457 problem, or the same as a page for a browser.

One table, `PROBLEMS`, sorts the exceptions of the store and of this package. A problem never repeats a value of the
request and never carries the text of an unexpected exception: both may identify a patient.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from agatha.serve.documents import InvalidParameter, ProblemDocument
from agatha.serve.page_templates import PageTemplates
from agatha.serve.pictures import NotDisplayable
from agatha.store.errors import InvalidCursor, SchemaMismatch, StorageFull, StoreUnavailable

MEDIA_TYPE = "application/problem+json"

#: Seconds after which a client may ask again while the database is away (RFC 9110 section 10.2.3).
RETRY_AFTER_S = 5

#: A parameter name that may be repeated in an answer; anything else was invented by the client.
PARAMETER_NAME = re.compile(r"[a-z_]{1,40}")


class StudyNotFound(LookupError):
    """No study with this UID."""


class InstanceNotFound(LookupError):
    """No such object among the outputs (or, for pictures, the images) of this study."""


class StoredFileMissing(Exception):
    """The ledger names a file that the storage does not hold."""


class StillRunning(Exception):
    """The study is being received or analysed right now."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What a client is told."""

    status: int
    title: str
    detail: str
    headers: Mapping[str, str] | None = None
    errors: Sequence[InvalidParameter] | None = None


PROBLEMS: Mapping[type[Exception], Problem] = {
    StudyNotFound: Problem(404, "Study not found", "No study with this Study Instance UID has been received."),
    InstanceNotFound: Problem(404, "Instance not found", "This study has no such object to hand out."),
    NotDisplayable: Problem(406, "No picture of this object", "This object or frame cannot be shown as an image."),
    StillRunning: Problem(
        409, "Study is still being processed", "Images are arriving or an analysis is running; ask again when it ended."
    ),
    InvalidCursor: Problem(422, "Invalid cursor", "The cursor was not handed out by this service."),
    StoredFileMissing: Problem(500, "Stored file is missing", "The object is in the ledger but not in the storage."),
    SchemaMismatch: Problem(
        500, "Database is of another version", "The tables do not fit this version; run `agatha db upgrade`."
    ),
    StoreUnavailable: Problem(
        503, "Database unavailable", "The database does not answer.", headers={"Retry-After": str(RETRY_AFTER_S)}
    ),
    StorageFull: Problem(503, "Storage full", "There is no room left.", headers={"Retry-After": str(RETRY_AFTER_S)}),
}

UNEXPECTED = Problem(500, "Internal error", "Something unexpected happened; the log holds the details under this id.")
UNAUTHORIZED = Problem(
    401,
    "Credentials needed",
    "Send the API token as bearer token, or as password of HTTP basic authentication.",
    headers={"WWW-Authenticate": 'Bearer realm="agatha", Basic realm="agatha", charset="UTF-8"'},
)
FOREIGN_ORIGIN = Problem(403, "Foreign origin", "Requests that change something must come from this site itself.")
UNKNOWN_HOST = Problem(421, "Unknown host", "This service is not known under the host name of the request.")

#: How `problem_response` writes: the kinds of OpenAPI responses that a route may name.
DESCRIPTIONS = {
    401: "Credentials needed",
    404: "Not found",
    406: "No picture of this object",
    409: "Still being processed",
    422: "A parameter is invalid",
    503: "Database unavailable",
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI `responses` of a route for these statuses."""
    schema = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}
    return {status: {"description": DESCRIPTIONS[status], "content": {MEDIA_TYPE: schema}} for status in statuses}


def problem_response(scope: Mapping[str, Any], problem: Problem, templates: PageTemplates) -> Response:
    """Return the problem as JSON, or as a page when a browser asks for one outside the API.

    Parameters
    ----------
    scope
        ASGI scope of the request; `state["request_id"]` names the occurrence.
    """
    state = scope.get("state") or {}
    document = ProblemDocument(
        type="about:blank",
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        instance=f"urn:uuid:{state.get('request_id', '00000000-0000-0000-0000-000000000000')}",
        errors=list(problem.errors) if problem.errors else None,
    )
    headers = {"Cache-Control": "no-store", **(problem.headers or {})}
    if wants_page(scope):
        return HTMLResponse(templates.render("error.html", problem=document), problem.status, headers)
    body = document.model_dump(mode="json", exclude_none=True)
    return JSONResponse(body, problem.status, headers, media_type=MEDIA_TYPE)


def wants_page(scope: Mapping[str, Any]) -> bool:
    """Say whether the answer is read by a person: not under /api, /health or /metrics, and HTML is accepted."""
    if str(scope.get("path", "")).startswith(("/api/", "/health/", "/metrics", "/openapi.json")):
        return False
    return any(name == b"accept" and b"text/html" in value for name, value in scope.get("headers", ()))


def problem_of_http_error(error: HTTPException) -> Problem:
    """Return the problem of an error that the framework raised itself (unknown path, wrong method)."""
    try:
        title = HTTPStatus(error.status_code).phrase
    except ValueError:
        title = "Error"
    detail = {404: "There is nothing at this address.", 405: "This address does not accept this method."}
    return Problem(error.status_code, title, detail.get(error.status_code, title), headers=error.headers)


def problem_of_validation(error: RequestValidationError) -> Problem:
    """Return the problem of invalid parameters: where and what was expected, never the value."""
    errors = [
        InvalidParameter(location=".".join(_safe(part) for part in item["loc"]), message=_message(item))
        for item in error.errors()
    ]
    return Problem(422, "Invalid request", "A parameter was not accepted; see `errors`.", errors=errors)


def _safe(part: str | int) -> str:
    text = str(part)
    return text if PARAMETER_NAME.fullmatch(text) else "?"


def _message(item: Mapping[str, Any]) -> str:
    return "unknown parameter" if item["type"] == "extra_forbidden" else str(item["msg"])


def add_problem_handlers(app: FastAPI, templates: PageTemplates) -> None:
    """Make `app` answer every error that is known here with its problem."""

    def handler(problem_of: Callable[[Any], Problem]) -> Callable[[Request, Exception], Awaitable[Response]]:
        async def answer(request: Request, error: Exception) -> Response:
            return problem_response(request.scope, problem_of(error), templates)

        return answer

    for kind in PROBLEMS:
        app.add_exception_handler(kind, handler(problem_of_known_error))
    app.add_exception_handler(HTTPException, handler(problem_of_http_error))
    app.add_exception_handler(RequestValidationError, handler(problem_of_validation))


def problem_of_known_error(error: Exception) -> Problem:
    """Return the row of `PROBLEMS` for an exception of one of its kinds."""
    return next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)
