"""Attributes of published messages: a scalar for the whole frame, or a column with an entry a message (docs/protocol.md §4).

This is their one check: gateways call it with the names of their fields, engines for what did not come through a gateway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .checks import bytes_of, checked_text, exceeded, invalid
from .errors import InvalidRequest, PostroadError
from .limits import INTEGER_MAX, Limits

Check = Callable[[object, str, Limits], None]
"""Raises for a value that its attribute cannot have; gets the value, the field's name and the limits."""


def check_attributes(found: Mapping[str, Any], count: int, limits: Limits) -> None:
    """Check each attribute for itself, and what they mean to each other. ``None`` stands for "absent".

    Raises:
        InvalidRequest: an attribute that there is not, a wrong type or value, a column of another length than ``count``, or an ordering key
            together with a delay or a priority.
        LimitExceeded: a message's headers are too many or too large.
    """
    for field, value in found.items():
        if field not in FIELDS:
            raise InvalidRequest(
                f"There is no attribute {field[:40]!a}.", field=field[:40].encode(errors="replace").decode()
            )
        if value is not None:
            check_attribute(field, value, count, limits)
    check_keys_alone(found, count)


def check_attribute(field: str, value: object, count: int, limits: Limits) -> None:
    """One attribute, scalar or column. Raises: as ``check_attributes``."""
    scalar = SCALARS.get(field)
    if scalar is not None and (field != "headers" or type(value) is not list):
        scalar(value, field, limits)
        return
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


def check_keys_alone(found: Mapping[str, Any], count: int) -> None:
    """Raises: InvalidRequest: a message with an ordering key has a delay or a priority."""
    if ("key" not in found and "keys" not in found) or _EXCLUDED_BY_KEY.isdisjoint(found):
        return
    keys = column_of(found, "key", count)
    for other in ("delay_ms", "priority"):
        values = column_of(found, other, count)
        if any(key is not None and value for key, value in zip(keys, values, strict=True)):
            raise InvalidRequest(f"A message with an ordering key cannot have {other}.", field=other)


def column_of(found: Mapping[str, Any], scalar: str, count: int) -> list[Any]:
    column: list[Any] | None = found.get(COLUMNS[scalar])
    return column if column is not None else [found.get(scalar)] * count


def _type(value: object, field: str, limits: Limits) -> None:
    if type(value) is not str or value not in ("json", "text", "bytes"):
        raise invalid(field, '"json", "text" or "bytes"')


def check_headers(value: object, field: str, limits: Limits) -> None:
    """Raises: InvalidRequest: no flat object of strings. LimitExceeded: too many, or too large."""
    if type(value) is not dict:
        raise invalid(field, "an object of strings")
    if len(value) > limits.headers_max:
        raise exceeded(f"A message may have {limits.headers_max} headers.", "headers_max", limits.headers_max)
    size = 0
    for name, text in value.items():
        if type(name) is not str or type(text) is not str:
            raise invalid(field, "an object of strings")
        size += bytes_of(name, field) + bytes_of(text, field)
    if size > limits.headers_bytes_max:
        raise exceeded(
            f"A message's headers may have {limits.headers_bytes_max} bytes.",
            "headers_bytes_max",
            limits.headers_bytes_max,
        )


def _integer(low: int, high: Callable[[Limits], int]) -> Check:
    def check(value: object, field: str, limits: Limits) -> None:
        if type(value) is not int or not low <= value <= high(limits):
            raise invalid(field, f"an integer from {low} to {high(limits)}")

    return check


def _string(bytes_max: Callable[[Limits], int]) -> Check:
    def check(value: object, field: str, limits: Limits) -> None:
        # Nearly all are short and ASCII, and there may be one for each message.
        if type(value) is not str or not value.isascii() or not 0 < len(value) <= bytes_max(limits):
            checked_text(value, field, bytes_max(limits), 1)

    return check


SCALARS: dict[str, Check] = {
    "type": _type,
    "headers": check_headers,
    "delay_ms": _integer(0, lambda limits: limits.delay_ms_max),
    "dedup_key": _string(lambda limits: limits.dedup_key_bytes_max),
    "priority": _integer(0, lambda limits: limits.priority_max),
    "key": _string(lambda limits: limits.key_bytes_max),
    "expire_ms": _integer(1, lambda limits: INTEGER_MAX),
}
COLUMNS = {
    "type": "types", "headers": "headers", "delay_ms": "delays_ms", "dedup_key": "dedup_keys", "priority": "priorities",
    "key": "keys", "expire_ms": "expires_ms",
}  # fmt: skip
FIELDS = frozenset(SCALARS) | frozenset(COLUMNS.values())
_SCALAR_OF = {column: scalar for scalar, column in COLUMNS.items()}
_EXCLUDED_BY_KEY = frozenset({"delay_ms", "delays_ms", "priority", "priorities"})
