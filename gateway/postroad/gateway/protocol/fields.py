"""Typed access to the fields of a request; every refusal names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroad.broker.errors import InvalidName, InvalidRequest, LimitExceeded, PostroadError
from postroad.broker.names import queue_name, topic_name

JSON_INT_MAX = 2**53 - 1


def invalid(field: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"{field} must be {expected}.", field=field)


def integer(request: Mapping[str, Any], field: str, low: int, high: int, prefix: str = "") -> int | None:
    """An optional integer; absent and ``null`` are the same.

    Raises:
        InvalidRequest: another type, or out of range.
    """
    value = request.get(field)
    if value is None:
        return None
    if type(value) is not int or not low <= value <= high:
        raise invalid(prefix + field, f"an integer from {low} to {high}")
    return value


def bounded(request: Mapping[str, Any], field: str, low: int, limit: str, high: int) -> int | None:
    """As ``integer``, but above ``high`` it is the named limit that is hit.

    Raises:
        InvalidRequest: another type, or below ``low``.
        LimitExceeded: above ``high``.
    """
    value = integer(request, field, low, JSON_INT_MAX)
    if value is not None and value > high:
        raise LimitExceeded(f"{field} may be at most {high}.", limit=limit, value=high)
    return value


def required(value: int | None, field: str) -> int:
    if value is None:
        raise InvalidRequest(f"{field} is missing.", field=field)
    return value


def boolean(request: Mapping[str, Any], field: str, default: bool, prefix: str = "") -> bool:
    value = request.get(field, default)
    if value is None:
        return default
    if type(value) is not bool:
        raise invalid(prefix + field, "true or false")
    return value


def string(request: Mapping[str, Any], field: str, length_max: int, prefix: str = "") -> str | None:
    """An optional string of at most ``length_max`` characters that UTF-8 can hold."""
    value = request.get(field)
    if value is None:
        return None
    if type(value) is not str or len(value) > length_max:
        raise invalid(prefix + field, f"a string of at most {length_max} characters")
    return value


def queue_of(request: Mapping[str, Any], field: str = "queue") -> str:
    """A required queue name.

    Raises:
        InvalidRequest: missing. InvalidName: against the rules.
    """
    if field not in request:
        raise InvalidRequest(f"{field} is missing.", field=field)
    try:
        return queue_name(request[field])
    except InvalidName as error:
        raise _named(error, field) from None


def target_of(request: Mapping[str, Any], *, topics: bool = False) -> tuple[str, str]:
    """Kind (``queue``, ``stream`` or, where allowed, ``topic``) and name of what a request is about.

    Raises:
        InvalidRequest: none is named, or more than one. InvalidName: against the rules.
    """
    kinds = [kind for kind in (("queue", "stream", "topic") if topics else ("queue", "stream")) if kind in request]
    if len(kinds) > 1:
        raise InvalidRequest(f"Name either a {kinds[0]} or a {kinds[1]}.", field=kinds[1])
    if kinds == ["topic"]:
        try:
            return "topic", topic_name(request["topic"])
        except InvalidName as error:
            raise _named(error, "topic") from None
    kind = kinds[0] if kinds else "queue"
    return kind, queue_of(request, kind)


def start_of(request: Mapping[str, Any], field: str = "from") -> str | tuple[str, int]:
    """Where in a stream to begin: ``latest`` (default), ``earliest``, an offset, a time, or the last n.

    Raises:
        InvalidRequest: anything else.
    """
    given = request.get(field)
    if given is None:
        return "latest"
    if isinstance(given, str) and given in ("earliest", "latest"):
        return given
    if type(given) is dict and len(given) == 1:
        ((kind, value),) = given.items()
        if kind in ("offset", "at", "last") and type(value) is int and 0 <= value <= JSON_INT_MAX:
            return kind, value
    raise invalid(field, '"earliest", "latest", {"offset": n}, {"at": milliseconds} or {"last": n}')


def ranges(value: object, field: str) -> list[tuple[int, int]]:
    """``[[first, last], …]``, inclusive, from 1.

    Raises:
        InvalidRequest: anything else.
    """
    if type(value) is not list:
        raise invalid(field, "an array of [first, last]")
    out: list[tuple[int, int]] = []
    for item in value:
        if type(item) is not list or len(item) != 2:
            raise invalid(field, "an array of [first, last]")
        first, last = item
        if type(first) is not int or type(last) is not int or not 1 <= first <= last <= JSON_INT_MAX:
            raise invalid(field, "an array of [first, last] with 1 ≤ first ≤ last")
        out.append((first, last))
    return out


def objects(value: object, field: str) -> list[dict[str, Any]]:
    if type(value) is not list or not all(type(item) is dict for item in value):
        raise invalid(field, "an array of objects")
    return value


def _named(error: PostroadError, field: str) -> PostroadError:
    error.details.setdefault("field", field)
    return error
