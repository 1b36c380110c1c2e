"""``query``, ``operate`` and ``watch`` requests → arguments for the engine (docs/protocol.md §6, §7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroad.broker.engine.engine import WatchSpec
from postroad.broker.errors import InvalidRequest

from ..auth.rights import Verb
from .fields import JSON_INT_MAX, integer, invalid, queue_of, required, string

ID_LENGTH_MAX = 100
LIST_MAX = 10_000

QUERIES = ("overview", "queues", "queue", "messages", "message", "events")
OPERATIONS: dict[str, Verb] = {
    "redrive": "redrive", "discard": "redrive", "purge": "manage", "cancel": "manage", "pause": "manage",
    "resume": "manage",
}  # fmt: skip
"""Operation → the right it needs."""

STATES = ("ready", "delayed", "leased", "dead")


def query_args(what: object, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Raises: InvalidRequest, InvalidName."""
    if what not in QUERIES:
        raise invalid("what", "one of " + ", ".join(QUERIES))
    args: dict[str, Any] = {}
    if what in ("queue", "messages") or (what == "events" and request.get("queue") is not None):
        args["queue"] = queue_of(request)
    if what == "messages":
        state = request.get("state", "ready")
        if state not in STATES:
            raise invalid("state", "one of " + ", ".join(STATES))
        limit = integer(request, "limit", 1, 200)
        args |= {"state": state, "limit": 50 if limit is None else limit}
        after = integer(request, "after", 0, JSON_INT_MAX)
        if after is not None:
            args["after"] = after
    elif what == "message":
        args["message"] = message_id(request, "message")
    elif what == "events":
        last = integer(request, "last", 0, 1000)
        args["last"] = 100 if last is None else last
    assert isinstance(what, str)
    return what, args


def operate_args(do: object, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Raises: InvalidRequest, InvalidName."""
    if not isinstance(do, str) or do not in OPERATIONS:
        raise invalid("do", "one of " + ", ".join(OPERATIONS))
    if do == "cancel":
        return do, {"message": message_id(request, "message")}
    args: dict[str, Any] = {"queue": queue_of(request)}
    if do == "discard" or (do == "redrive" and request.get("messages") is not None):
        args["messages"] = _ids(request)
    if do == "redrive" and (limit := integer(request, "limit", 1, JSON_INT_MAX)) is not None:
        args["limit"] = limit
    if do == "pause" and (reason := string(request, "reason", 200)) is not None:
        args["reason"] = reason
    return do, args


def watch_spec(request: Mapping[str, Any]) -> WatchSpec:
    """Raises: InvalidRequest, InvalidName."""
    if request.get("message") is not None:
        return WatchSpec(message=message_id(request, "message"))
    return WatchSpec(
        queue=queue_of(request) if request.get("queue") is not None else None,
        from_position=integer(request, "from", 0, JSON_INT_MAX),
        last=integer(request, "last", 0, 1000) or 0,
    )


def sub_of(request: Mapping[str, Any]) -> int:
    return required(integer(request, "sub", 0, JSON_INT_MAX), "sub")


def message_id(request: Mapping[str, Any], field: str) -> str:
    value = request.get(field)
    if value is None:
        raise InvalidRequest(f"{field} is missing.", field=field)
    if type(value) is not str or not 0 < len(value) <= ID_LENGTH_MAX:
        raise invalid(field, "a message's id")
    return value


def _ids(request: Mapping[str, Any]) -> list[str]:
    value = request.get("messages")
    if type(value) is not list or not 0 < len(value) <= LIST_MAX:
        raise invalid("messages", f"an array of 1 to {LIST_MAX} ids")
    return [message_id({"messages": item}, "messages") for item in value]
