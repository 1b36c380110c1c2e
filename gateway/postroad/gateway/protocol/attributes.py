"""Attributes of published messages: a scalar for the whole frame, or a column with an entry a message (docs §4).

``deliver_at`` is a delay from when the frame arrives, by the wall clock: engines know only ``delay_ms``, which no jump of that clock
makes shorter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from postroad.broker.clock import wall_ms
from postroad.broker.errors import InvalidRequest, LimitExceeded, PostroadError
from postroad.broker.limits import Limits

from .fields import JSON_INT_MAX, invalid

Check = Callable[[object, str, Limits], None]
"""Raises for a value that its attribute cannot have; gets the value, the field's name and the limits."""


def columns_of(frame: Mapping[str, Any], count: int, limits: Limits) -> dict[str, Any]:
    """The attributes that a binary frame carries, checked.

    Raises:
        InvalidRequest: a wrong type or value, a column of another length than ``count``, an ordering key together
            with a delay or a priority, or a delay together with ``deliver_at``.
        LimitExceeded: a message's headers are too many or too large.
    """
    return _together(_checked(frame, count, limits), count, limits)


def _checked(frame: Mapping[str, Any], count: int, limits: Limits) -> dict[str, Any]:
    """Each attribute for itself."""
    found: dict[str, Any] = {}
    for field in frame.keys() & _FIELDS:
        value = frame[field]
        if value is None:
            continue
        scalar = SCALARS.get(field)
        if scalar is not None and (field != "headers" or type(value) is not list):
            scalar(value, field, limits)
        else:
            _check_column(field, value, count, limits)
        found[field] = value
    return found


def _together(found: dict[str, Any], count: int, limits: Limits) -> dict[str, Any]:
    """What attributes mean to each other."""
    if "deliver_at" in found or "delivers_at" in found:
        _delay_until(found, count, limits)
    if ("key" in found or "keys" in found) and not _EXCLUDED_BY_KEY.isdisjoint(found):
        _check_keys_alone(found, count)
    return found


def _delay_until(found: dict[str, Any], count: int, limits: Limits) -> None:
    now_ms = wall_ms()
    due, delays = _column(found, "deliver_at", count), _column(found, "delay_ms", count)
    if any(at is not None and delay is not None for at, delay in zip(due, delays, strict=True)):
        raise InvalidRequest("A message has either delay_ms or deliver_at.", field="deliver_at")
    if any(at is not None and at - now_ms > limits.delay_ms_max for at in due):
        raise invalid("deliver_at", f"at most {limits.delay_ms_max} milliseconds ahead")
    for name in ("deliver_at", "delivers_at", "delay_ms"):
        found.pop(name, None)
    found["delays_ms"] = [delay if at is None else max(at - now_ms, 0) for at, delay in zip(due, delays, strict=True)]


def columns_from_messages(frame: Mapping[str, Any], messages: list[dict[str, Any]], limits: Limits) -> dict[str, Any]:
    """The attributes of a text frame, whose messages may each carry the scalar form, as columns and scalars.

    Raises: as ``columns_of``; fields are named ``messages[i].field``.
    """
    columns = _checked(frame, len(messages), limits)
    for scalar, column in COLUMNS.items():
        if scalar == "type" or not any(message.get(scalar) is not None for message in messages):
            continue
        common = columns.pop(scalar, None)
        entries = list(common) if type(common) is list else [common] * len(messages)
        if column != scalar:
            entries = columns.pop(column, entries)
        check = SCALARS[scalar]
        for index, message in enumerate(messages):
            value = message.get(scalar)
            if value is not None:
                check(value, f"messages[{index}].{scalar}", limits)
                entries[index] = value
        columns[column] = entries
    return _together(columns, len(messages), limits)


def _check_column(field: str, value: object, count: int, limits: Limits) -> None:
    if type(value) is not list or len(value) != count:
        raise invalid(field, f"an array with one entry for each of the {count} messages")
    check = SCALARS[_SCALAR_OF[field]]
    for index, entry in enumerate(value):
        if entry is not None:
            try:
                check(entry, field, limits)
            except PostroadError as error:
                error.details.setdefault("index", index)
                raise


def _check_keys_alone(found: Mapping[str, Any], count: int) -> None:
    keys = _column(found, "key", count)
    for other in ("delay_ms", "priority"):
        values = _column(found, other, count)
        if any(key is not None and value for key, value in zip(keys, values, strict=True)):
            raise InvalidRequest(f"A message with an ordering key cannot have {other}.", field=other)


def _column(found: Mapping[str, Any], scalar: str, count: int) -> list[Any]:
    column: list[Any] | None = found.get(COLUMNS[scalar])
    return column if column is not None else [found.get(scalar)] * count


def _type(value: object, field: str, limits: Limits) -> None:
    if value not in ("json", "text", "bytes"):
        raise invalid(field, '"json", "text" or "bytes"')


def _headers(value: object, field: str, limits: Limits) -> None:
    if type(value) is not dict:
        raise invalid(field, "an object of strings")
    if len(value) > limits.headers_max:
        raise LimitExceeded(
            f"A message may have {limits.headers_max} headers.", limit="headers_max", value=limits.headers_max
        )
    size = 0
    for name, text in value.items():
        if type(text) is not str:
            raise invalid(field, "an object of strings")
        size += len(name.encode()) + len(text.encode())
    if size > limits.headers_bytes_max:
        raise LimitExceeded(
            f"A message's headers may have {limits.headers_bytes_max} bytes.",
            limit="headers_bytes_max",
            value=limits.headers_bytes_max,
        )


def _integer(low: int, high: Callable[[Limits], int]) -> Check:
    def check(value: object, field: str, limits: Limits) -> None:
        if type(value) is not int or not low <= value <= high(limits):
            raise invalid(field, f"an integer from {low} to {high(limits)}")

    return check


def _string(bytes_max: int) -> Check:
    def check(value: object, field: str, limits: Limits) -> None:
        if type(value) is not str or not 0 < len(value.encode()) <= bytes_max:
            raise invalid(field, f"a string of 1 to {bytes_max} bytes")

    return check


SCALARS: dict[str, Check] = {
    "type": _type,
    "headers": _headers,
    "delay_ms": _integer(0, lambda limits: limits.delay_ms_max),
    "deliver_at": _integer(0, lambda limits: JSON_INT_MAX),
    "dedup_key": _string(200),
    "priority": _integer(0, lambda limits: 9),
    "key": _string(128),
    "expire_ms": _integer(1, lambda limits: JSON_INT_MAX),
}
COLUMNS = {
    "type": "types", "headers": "headers", "delay_ms": "delays_ms", "deliver_at": "delivers_at",
    "dedup_key": "dedup_keys", "priority": "priorities", "key": "keys", "expire_ms": "expires_ms",
}  # fmt: skip
_SCALAR_OF = {column: scalar for scalar, column in COLUMNS.items()}
_FIELDS = frozenset(SCALARS) | frozenset(_SCALAR_OF)
_EXCLUDED_BY_KEY = frozenset({"delay_ms", "delays_ms", "priority", "priorities"})
