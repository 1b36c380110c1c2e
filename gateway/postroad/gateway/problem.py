"""Errors over HTTP: RFC 9457 problem documents with the codes of docs/protocol.md §1.3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from postroad.broker.errors import LimitExceeded, NotAuthenticated, PostroadError, Unavailable
from starlette.responses import Response

from .protocol.errors import error_fields

TITLES = {
    400: "Bad request", 401: "Not authenticated", 403: "Not allowed", 404: "Not found", 405: "Method not allowed",
    409: "Conflict", 410: "Gone", 413: "Too large", 429: "Too much", 500: "Internal error", 501: "Not supported",
    503: "Unavailable", 507: "Storage full",
}  # fmt: skip
_PACED = ("bindings_max", "queues_max", "prefetch_max", "subscriptions_max")
"""Limits that a caller may try again later; the others are about the size of one request."""


class Json(Response):
    """JSON by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


class ProblemResponse(Json):
    media_type = "application/problem+json"


def problem(error: PostroadError) -> ProblemResponse:
    """The answer that tells of an error."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, NotAuthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, Unavailable):
        headers["retry-after"] = "1"
    return _response(status, error_fields(error), headers)


def plain_problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> ProblemResponse:
    """A failure of HTTP itself: no such path, a method that is not allowed."""
    return _response(status, {"code": "invalid-request", "message": detail, "retryable": False}, headers or {})


def status_of(error: PostroadError) -> int:
    if isinstance(error, LimitExceeded) and error.details.get("limit") in _PACED:
        return 429
    return error.http_status


def _response(status: int, fields: Mapping[str, Any], headers: Mapping[str, str]) -> ProblemResponse:
    detail = fields["message"]
    rest = {name: value for name, value in fields.items() if name != "message"}
    document = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail, **rest}
    return ProblemResponse(document, status, headers=dict(headers))
