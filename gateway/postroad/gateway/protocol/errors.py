"""Errors on the wire (docs/protocol.md §1.3): what a peer sees of a ``PostroadError``."""

from __future__ import annotations

from typing import Any

from postroad.broker.errors import ERRORS, PostroadError

WIRE_CODES = frozenset(error.code for error in ERRORS)

_RESERVED = frozenset({"op", "id", "code", "message", "retryable"})


def error_fields(error: PostroadError) -> dict[str, Any]:
    """``code``, ``message``, ``retryable`` and the error's own fields."""
    fields: dict[str, Any] = {"code": error.code, "message": error.message, "retryable": error.retryable}
    fields.update((name, value) for name, value in error.details.items() if name not in _RESERVED)
    return fields


def error_frame(error: PostroadError, request_id: int | None) -> dict[str, Any]:
    frame: dict[str, Any] = {"op": "error"}
    if request_id is not None:
        frame["id"] = request_id
    frame.update(error_fields(error))
    return frame
