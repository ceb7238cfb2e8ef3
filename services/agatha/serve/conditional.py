"""Conditional GET (RFC 9110 section 13): an entity tag per representation, 304 when the client has it already."""

import hashlib
from collections.abc import Mapping

from fastapi import Request, Response

#: The answer may be kept by the one who asked, and must be checked before every use: it holds patient data.
REVALIDATE = "private, no-cache"


def entity_tag(*parts: bytes | str) -> str:
    """Return a strong entity tag of what the parts determine."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return f'"{digest.hexdigest()[:32]}"'


def not_modified(request: Request, tag: str) -> Response | None:
    """Return 304 when If-None-Match names the tag (weak comparison, RFC 9110 section 13.1.2), else None."""
    given = [item.strip().removeprefix("W/") for item in ",".join(request.headers.getlist("if-none-match")).split(",")]
    if tag in given or "*" in given:
        return Response(status_code=304, headers=cache_headers(tag))
    return None


def cache_headers(tag: str) -> Mapping[str, str]:
    """Return the headers that let a client ask again conditionally."""
    return {"ETag": tag, "Cache-Control": REVALIDATE}
