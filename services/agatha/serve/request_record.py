"""The outermost layer of every request: an id, security headers, one canonical log line, one count.

Decides what is known about a request afterwards: method, route template, status, duration. Paths, query values,
addresses and exception messages are not recorded, because they may identify a patient.
"""

import time
import traceback
import uuid
from collections.abc import Collection, MutableMapping
from typing import Any

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agatha.serve.metrics import METHODS, RequestMetrics
from agatha.serve.page_templates import PageTemplates
from agatha.serve.problems import UNEXPECTED, problem_response

#: Pages are plain HTML with one style sheet and pictures of our own; nothing else may load, and no script runs.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

#: Sent with every answer. `same-origin` as referrer policy keeps the Origin header of our own forms intact.
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

#: Label of a request that met no route; its path is the client's invention.
UNMATCHED = "unmatched"

log = structlog.get_logger("agatha.serve")


class RequestRecord:
    """ASGI middleware; also the last resort for exceptions nobody expected.

    Parameters
    ----------
    plain_paths
        Fixed paths that the framework serves without a route object, e.g. the OpenAPI document.
    """

    def __init__(
        self, app: ASGIApp, *, metrics: RequestMetrics, templates: PageTemplates, plain_paths: Collection[str]
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._templates = templates
        self._plain_paths = frozenset(plain_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = str(uuid.uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        failure: dict[str, Any] = {}

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                add_headers(message, request_id)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 - the edge: a request ends with an answer, and its text may hold PHI
            failure = where_it_failed(error)
            if status == 0:
                await problem_response(scope, UNEXPECTED, self._templates)(scope, receive, send_with_headers)
        finally:
            self._record(scope, request_id, status, time.perf_counter() - started, failure)

    def _record(
        self, scope: Scope, request_id: str, status: int, duration_s: float, failure: MutableMapping[str, Any]
    ) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path", None)
        if route is None:
            route = scope["path"] if scope["path"] in self._plain_paths else UNMATCHED
        self._metrics.record(method, route, status, duration_s)
        write = log.error if failure or status >= 500 else log.info
        write(
            "http_request",
            method=method,
            route=route,
            status=status,
            duration_s=round(duration_s, 4),
            request_id=request_id,
            **failure,
        )


def add_headers(message: Message, request_id: str) -> None:
    """Add the security headers and the request id to the start of an answer."""
    headers = MutableHeaders(scope=message)
    for name, value in SECURITY_HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")
    headers["X-Request-ID"] = request_id


def where_it_failed(error: BaseException) -> dict[str, str]:
    """Return the kind of exception and the innermost lines it passed, without any message."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return {
        "error": type(error).__name__,
        "at": " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames)),
    }
