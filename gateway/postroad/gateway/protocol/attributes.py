"""Attributes in publish frames, as their sender names them: columns, scalars, and scalars of single messages (docs/protocol.md §4).

What a value may be is said in ``postroad.broker.attributes``; here is which field of the frame it came from. ``deliver_at`` is a delay from when
the frame arrives: engines know only ``delay_ms``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from postroad.broker.attributes import COLUMNS, FIELDS, SCALARS, check_attribute, check_keys_alone, column_of
from postroad.broker.checks import checked_integer, invalid
from postroad.broker.errors import InvalidRequest
from postroad.broker.limits import Limits

_DUE = "deliver_at"
_DUES = "delivers_at"


def columns_of(frame: Mapping[str, Any], count: int, limits: Limits) -> dict[str, Any]:
    """The attributes that a binary frame carries, checked.

    Raises:
        InvalidRequest: a wrong type or value, a column of another length than ``count``, an ordering key together
            with a delay or a priority, or a delay together with ``deliver_at``.
        LimitExceeded: a message's headers are too many or too large.
    """
    return _together(_checked(frame, count, limits), _dues(frame, count), count, limits)


def columns_from_messages(frame: Mapping[str, Any], messages: list[dict[str, Any]], limits: Limits) -> dict[str, Any]:
    """The attributes of a text frame, whose messages may each carry the scalar form, as columns and scalars.

    Raises: as ``columns_of``; fields are named ``messages[i].field``.
    """
    count = len(messages)
    columns = _checked(frame, count, limits)
    for scalar, column in COLUMNS.items():
        if scalar == "type" or not any(message.get(scalar) is not None for message in messages):
            continue
        common = columns.pop(scalar, None)
        entries = list(common) if type(common) is list else [common] * count
        if column != scalar:
            entries = columns.pop(column, entries)
        check = SCALARS[scalar]
        for index, message in enumerate(messages):
            value = message.get(scalar)
            if value is not None:
                check(value, f"messages[{index}].{scalar}", limits)
                entries[index] = value
        columns[column] = entries
    dues = _dues(frame, count)
    for index, message in enumerate(messages):
        if message.get(_DUE) is not None:
            dues = dues or [None] * count
            dues[index] = checked_integer(message[_DUE], f"messages[{index}].{_DUE}", 0)
    return _together(columns, dues, count, limits)


def _checked(frame: Mapping[str, Any], count: int, limits: Limits) -> dict[str, Any]:
    """Each attribute for itself."""
    found: dict[str, Any] = {}
    for field in frame.keys() & FIELDS:
        value = frame[field]
        if value is not None:
            check_attribute(field, value, count, limits)
            found[field] = value
    return found


def _dues(frame: Mapping[str, Any], count: int) -> list[int | None] | None:
    """The times of delivery that the frame itself has, one for each message; None: none."""
    column = frame.get(_DUES)
    if column is not None:
        if type(column) is not list or len(column) != count:
            raise invalid(_DUES, f"an array with one entry for each of the {count} messages")
        return [None if at is None else checked_integer(at, _DUES, 0) for at in column]
    due = frame.get(_DUE)
    return None if due is None else [checked_integer(due, _DUE, 0)] * count


def _together(found: dict[str, Any], dues: list[int | None] | None, count: int, limits: Limits) -> dict[str, Any]:
    """What attributes mean to each other."""
    if dues is not None:
        now_ms, delays = int(time.time() * 1000), column_of(found, "delay_ms", count)
        if any(at is not None and delay is not None for at, delay in zip(dues, delays, strict=True)):
            raise InvalidRequest("A message has either delay_ms or deliver_at.", field=_DUE)
        if any(at is not None and at - now_ms > limits.delay_ms_max for at in dues):
            raise invalid(_DUE, f"at most {limits.delay_ms_max} milliseconds ahead")
        found.pop("delay_ms", None)
        found["delays_ms"] = [d if at is None else max(at - now_ms, 0) for at, d in zip(dues, delays, strict=True)]
    check_keys_alone(found, count)
    return found
