"""Typed access to the fields of a request; every refusal names the field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroad.broker.checks import (
    checked_integer,
    checked_list,
    checked_range,
    checked_start,
    checked_text,
    exceeded,
    invalid,
)
from postroad.broker.errors import InvalidName, InvalidRequest, PostroadError
from postroad.broker.limits import INTEGER_MAX, Limits
from postroad.broker.names import queue_name, topic_name


def integer(request: Mapping[str, Any], field: str, low: int, high: int = INTEGER_MAX, prefix: str = "") -> int | None:
    """An optional integer; absent and ``null`` are the same.

    Raises:
        InvalidRequest: another type, or out of range.
    """
    value = request.get(field)
    return None if value is None else checked_integer(value, prefix + field, low, high)


def bounded(request: Mapping[str, Any], field: str, low: int, limit: str, high: int) -> int | None:
    """As ``integer``, but above ``high`` it is the named limit that is hit.

    Raises:
        InvalidRequest: another type, or below ``low``.
        LimitExceeded: above ``high``.
    """
    value = integer(request, field, low)
    if value is not None and value > high:
        raise exceeded(f"{field} may be at most {high}.", limit, high)
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


def string(request: Mapping[str, Any], field: str, bytes_max: int, prefix: str = "") -> str | None:
    """An optional string of at most ``bytes_max`` bytes of UTF-8."""
    value = request.get(field)
    return None if value is None else checked_text(value, prefix + field, bytes_max)


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
    return "latest" if given is None else checked_start(given, field)


def ranges(value: object, field: str, limits: Limits) -> list[tuple[int, int]]:
    """``[[first, last], …]``, inclusive, from 1.

    Raises:
        InvalidRequest: anything else. LimitExceeded: too many.
    """
    out: list[tuple[int, int]] = []
    for item in checked_list(value, field, limits.settle_items_max, "settle_items_max"):
        if type(item) is not list or len(item) != 2:
            raise invalid(field, "an array of [first, last]")
        first, last = item
        if type(first) is not int or type(last) is not int or not 1 <= first <= last <= INTEGER_MAX:
            checked_range(first, last, field)
        out.append((first, last))
    return out


def objects(value: object, field: str, items_max: int, limit: str) -> list[dict[str, Any]]:
    """Raises: InvalidRequest: no array of objects. LimitExceeded: more than ``items_max``, the bound ``limit``."""
    if type(value) is not list:
        raise invalid(field, "an array of objects")
    checked_list(value, field, items_max, limit)
    if not all(type(item) is dict for item in value):
        raise invalid(field, "an array of objects")
    return value


def _named(error: PostroadError, field: str) -> PostroadError:
    error.details.setdefault("field", field)
    return error
