"""Checks of single values from outside. Each returns the value, or refuses it with an error that names the field.

Strings are measured in bytes of UTF-8; one that UTF-8 cannot hold (half of a surrogate pair) is refused, since nothing could write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import InvalidRequest, LimitExceeded
from .limits import INTEGER_MAX


def invalid(field: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"{field} must be {expected}.", field=field)


def exceeded(text: str, limit: str, value: int, **details: Any) -> LimitExceeded:
    return LimitExceeded(text, limit=limit, value=value, **details)


def checked_integer(value: object, field: str, low: int, high: int = INTEGER_MAX) -> int:
    """Raises: InvalidRequest: no integer (a boolean is none), or out of range."""
    if type(value) is not int or not low <= value <= high:
        raise invalid(field, f"an integer from {low} to {high}")
    return value


def bytes_of(text: str, field: str) -> int:
    """Length in UTF-8.

    Raises:
        InvalidRequest: half of a surrogate pair, which UTF-8 cannot hold.
    """
    try:
        return len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise invalid(field, "text that UTF-8 can hold") from None


def checked_text(value: object, field: str, bytes_max: int, low: int = 0) -> str:
    """Raises: InvalidRequest: no string, too long, too short, or not to be held by UTF-8."""
    if type(value) is not str or not low <= bytes_of(value, field) <= bytes_max:
        raise invalid(
            field, f"a string of {low} to {bytes_max} bytes" if low else f"a string of at most {bytes_max} bytes"
        )
    return value


def checked_list(value: object, field: str, items_max: int, limit: str) -> Sequence[Any]:
    """Raises: InvalidRequest: no list. LimitExceeded: too long."""
    if not isinstance(value, list | tuple):
        raise invalid(field, "an array")
    if len(value) > items_max:
        raise exceeded(f"{field} may have {items_max} items.", limit, items_max, field=field)
    return value


def checked_start(given: object, field: str = "from") -> str | tuple[str, int]:
    """A place in a stream as clients name it: ``"earliest"``, ``"latest"``, ``{"offset": n}``, ``{"at": milliseconds}`` or ``{"last": n}``.

    Raises:
        InvalidRequest: anything else.
    """
    if isinstance(given, str) and given in ("earliest", "latest"):
        return given
    if type(given) is dict and len(given) == 1:
        ((kind, value),) = given.items()
        if kind in ("offset", "at", "last") and type(value) is int and 0 <= value <= INTEGER_MAX:
            return kind, value
    raise invalid(field, '"earliest", "latest", {"offset": n}, {"at": milliseconds} or {"last": n}')


def checked_range(first: object, last: object, field: str) -> None:
    """Raises: InvalidRequest: not ``1 ≤ first ≤ last``, both integers."""
    if type(first) is not int or type(last) is not int or not 1 <= first <= last <= INTEGER_MAX:
        raise invalid(field, "an array of [first, last] with 1 ≤ first ≤ last")
