"""``query``, ``operate`` and ``watch`` requests → arguments for the engine (docs/protocol.md §6, §7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroad.broker.attributes import check_headers
from postroad.broker.checks import checked_list, checked_text, invalid
from postroad.broker.engine.bounds import CRON_BYTES_MAX, ID_BYTES_MAX, SEARCH_BYTES_MAX
from postroad.broker.engine.engine import WatchSpec
from postroad.broker.errors import InvalidRequest
from postroad.broker.limits import LIMITS

from ..auth.rights import Verb
from .fields import boolean, integer, queue_of, required, start_of, string, target_of

PAGE_MAX, PAGE_DEFAULT = 200, 50
EVENTS_MAX = 1000

QUERIES = (
    "overview", "queues", "queue", "messages", "message", "logs", "events", "streams", "stream", "offset", "schedules",
    "bindings", "operations",
)  # fmt: skip
OPERATIONS: dict[str, Verb] = {
    "redrive": "redrive", "discard": "redrive", "purge": "manage", "cancel": "manage", "pause": "manage",
    "resume": "manage", "edit": "redrive", "reset": "manage", "replay": "manage", "schedule": "manage",
    "schedule_delete": "manage", "schedule_pause": "manage", "schedule_resume": "manage", "schedule_run": "manage",
    "confirm_clock": "manage",
    "stop": "manage",
}  # fmt: skip
"""Operation → the right it needs; ``stop`` needs that of the operation that is to stop."""

LONG = frozenset(("redrive", "discard", "purge", "replay"))
"""Operations on many messages: they are listed while they go on, can be stopped, and hold up nobody."""

STATES = ("ready", "parked", "delayed", "leased", "dead")


def is_long(do: object) -> bool:
    return isinstance(do, str) and do in LONG


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
        limit = integer(request, "limit", 1, PAGE_MAX)
        args |= {"state": state, "limit": PAGE_DEFAULT if limit is None else limit}
        after = integer(request, "after", 0)
        if after is not None:
            args["after"] = after
        args |= _search(request)
    elif what in ("stream", "offset"):
        args["stream"] = queue_of(request, "stream")
        if what == "offset":
            args["at"] = required(integer(request, "at", 0), "at")
    elif what in ("message", "logs"):
        args["message"] = message_id(request, "message")
    elif what == "events":
        last = integer(request, "last", 0, EVENTS_MAX)
        args["last"] = 100 if last is None else last
    assert isinstance(what, str)
    return what, args


def operate_args(do: object, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Raises: InvalidRequest, InvalidName."""
    if not isinstance(do, str) or do not in OPERATIONS:
        raise invalid("do", "one of " + ", ".join(OPERATIONS))
    if do == "confirm_clock":
        return do, {}
    if do == "cancel":
        return do, {"message": message_id(request, "message")}
    if do == "stop":
        return do, {"operation": queue_of(request, "operation")}
    if do.startswith("schedule"):
        return do, _schedule(do, request)
    own: dict[str, Any] = {}
    if do in LONG and request.get("operation") is not None:
        own["operation"] = queue_of(request, "operation")
    if do in ("reset", "replay"):
        return do, _stream_args(do, request) | own
    args: dict[str, Any] = {"queue": queue_of(request), **own}
    if do == "edit":
        given = request.get("with")
        if type(given) is not dict:
            raise invalid("with", "an object with a body")
        return do, args | {"message": message_id(request, "message"), "with": given}
    if do == "discard" or (do == "redrive" and request.get("messages") is not None):
        args["messages"] = _ids(request)
    if do == "redrive" and (limit := integer(request, "limit", 1)) is not None:
        args["limit"] = limit
    if do == "pause" and (reason := string(request, "reason", LIMITS.note_bytes_max)) is not None:
        args["reason"] = reason
    return do, args


def watch_spec(request: Mapping[str, Any]) -> WatchSpec:
    """Raises: InvalidRequest, InvalidName."""
    if request.get("message") is not None:
        return WatchSpec(message=message_id(request, "message"))
    name = None
    if request.get("stream") is not None:
        name = queue_of(request, "stream")
        if request.get("group") is not None:
            name = f"{name}/{queue_of(request, 'group')}"
    elif request.get("queue") is not None:
        name = queue_of(request)
    return WatchSpec(
        queue=name,
        from_position=integer(request, "from", 0),
        last=integer(request, "last", 0, 1000) or 0,
    )


def bind_args(request: Mapping[str, Any]) -> dict[str, Any]:
    """Raises: InvalidRequest, InvalidName."""
    kind, name = target_of(request)
    pattern = string(request, "topic", 200)
    if not pattern:
        raise InvalidRequest("topic is missing.", field="topic")
    args: dict[str, Any] = {"topic": pattern, kind: name}
    headers = request.get("headers")
    if headers is not None:
        if type(headers) is not dict:
            raise invalid("headers", "an object with match and values")
        args["headers"] = headers
    return args


def _search(request: Mapping[str, Any]) -> dict[str, Any]:
    args: dict[str, Any] = {}
    for field in ("text", "key"):
        if (value := string(request, field, SEARCH_BYTES_MAX)) is not None:
            args[field] = value
    headers = request.get("headers")
    if headers is not None:
        check_headers(headers, "headers", LIMITS)
        args["headers"] = headers
    return args


def _stream_args(do: str, request: Mapping[str, Any]) -> dict[str, Any]:
    args: dict[str, Any] = {"stream": queue_of(request, "stream")}
    if do == "reset":
        start_of(request, "to")
        return args | {"group": queue_of(request, "group"), "to": request.get("to") or "latest"}
    for field in ("first", "last"):
        if (offset := integer(request, field, 0)) is not None:
            args[field] = offset
    return args | {"queue": queue_of(request), "dry_run": boolean(request, "dry_run", False)}


def _schedule(do: str, request: Mapping[str, Any]) -> dict[str, Any]:
    args: dict[str, Any] = {"schedule": queue_of(request, "schedule")}
    if do != "schedule":
        return args
    kind, name = target_of(request, topics=True)
    args[kind] = name
    for field in ("cron", "zone"):
        if (text := string(request, field, CRON_BYTES_MAX)) is not None:
            args[field] = text
    if (every_ms := integer(request, "every_ms", 1000)) is not None:
        args["every_ms"] = every_ms
    message = request.get("message")
    if type(message) is not dict:
        raise invalid("message", "an object with a body")
    return args | {"message": message, "paused": boolean(request, "paused", False)}


def sub_of(request: Mapping[str, Any]) -> int:
    return required(integer(request, "sub", 0), "sub")


def message_id(request: Mapping[str, Any], field: str) -> str:
    value = request.get(field)
    if value is None:
        raise InvalidRequest(f"{field} is missing.", field=field)
    return checked_text(value, field, ID_BYTES_MAX, 1)


def _ids(request: Mapping[str, Any]) -> list[str]:
    value = request.get("messages")
    if not checked_list(value, "messages", LIMITS.ids_max, "ids_max"):
        raise invalid("messages", "an array of ids, at least one")
    return [message_id({"messages": item}, "messages") for item in request["messages"]]
