"""Who may ask: the optional API token, the host names we answer to, and no changes on behalf of foreign sites.

Decides access before routing, so that an answer without credentials says nothing about what exists. Without a token
the service must only be bound to loopback; that decision belongs to whoever composes the process.
"""

import base64
import binascii
import hmac
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from agatha.serve.page_templates import PageTemplates
from agatha.serve.problems import FOREIGN_ORIGIN, UNAUTHORIZED, UNKNOWN_HOST, Problem, problem_response

#: Liveness tells nothing but that the process answers, and orchestrators ask without credentials.
OPEN_PATH = "/health/live"

#: Methods that change nothing (RFC 9110 section 9.2.1).
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class AccessGuard:
    """ASGI middleware.

    Parameters
    ----------
    api_token
        Expected as bearer token or as password of basic authentication (a browser can only send the latter). None
        asks for nothing.
    allowed_hosts
        Host names without port that requests may use; empty accepts all. Guards an unauthenticated loopback service
        against web sites whose name resolves to loopback.
    """

    def __init__(
        self, app: ASGIApp, *, api_token: str | None, allowed_hosts: Collection[str], templates: PageTemplates
    ) -> None:
        if api_token is not None and not api_token.strip():
            raise ValueError("the API token is empty; leave it unset to serve without one")
        self._app = app
        self._token = api_token
        self._hosts = frozenset(host.lower().strip("[]") for host in allowed_hosts)
        self._templates = templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with the reason why not."""
        problem = self._refusal(scope) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(scope, problem, self._templates)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        if scope["path"] == OPEN_PATH:
            return None
        if self._hosts and host_name(headers.get("host", "")) not in self._hosts:
            return UNKNOWN_HOST
        if self._token is not None and not has_token(headers.get("authorization", ""), self._token):
            return UNAUTHORIZED
        if scope["method"] not in SAFE_METHODS and is_foreign(headers):
            return FOREIGN_ORIGIN
        return None


def host_name(host_header: str) -> str:
    """Return the name in a Host header, lower case, without port and brackets; "" when it is malformed."""
    try:
        return (urlsplit(f"//{host_header}").hostname or "").lower()
    except ValueError:
        return ""


def has_token(authorization: str, token: str) -> bool:
    """Say whether an Authorization header carries the token; takes the same time for every wrong one."""
    scheme, _, credentials = authorization.partition(" ")
    given = credentials.strip()
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.encode(), token.encode())


def is_foreign(headers: Headers) -> bool:
    """Say whether a browser sent this on behalf of another site (Fetch Metadata; the Origin header where that is new).

    A program that is no browser sends neither header and is not affected.
    """
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    return origin is not None and origin_host(origin) != headers.get("host", "").lower()


def origin_host(origin: str) -> str:
    """Return host and port of an Origin header, lower case; "" when it is opaque or malformed."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
