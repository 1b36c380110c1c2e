"""Requests as JSON, with users' values cut out of them as they are (``Raw``): bodies, and results of handlers.

What is ours becomes Python values; what is the user's is neither built nor read, so it costs nothing and stays byte for byte. Where it is:

=============================  ==========================================================
``messages[i].body``           publish, also inside ``done[i].publish``
``message.body``               the message of a schedule
``with.body``                  the message that replaces a dead one
``done[i].result``             and ``done[i].results[j]``
=============================  ==========================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import orjson
from msgspec import Raw
from postroad.broker.limits import INTEGER_MAX, Limits

USERS = frozenset(("messages", "message", "with", "done"))
"""Fields of a request that a user's value may be in."""

FORGIVEN_BYTES = 64 * 1024
ITEMS_MAX = max(Limits().settle_items_max, Limits().messages_max)
_OBJECT, _ARRAY = b"{["

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_ITEMS = msgspec.json.Decoder(list[Raw])
_Member = Callable[[Raw], Any]


class PlainDone(msgspec.Struct, forbid_unknown_fields=True):
    """A delivery that is done, with nothing but a result: what a handler's return value makes, so there are many of these."""

    number: int
    result: Raw | None = None


_PLAIN = msgspec.json.Decoder(list[PlainDone])


def parse(text: bytes | memoryview) -> Any:
    """JSON in UTF-8, which the caller has proven to be UTF-8; what is no object is parsed as it is.

    Raises:
        ValueError: no JSON, nested too deep, or something of ours that is no value that JSON parsers agree on.
    """
    try:
        if bytes(text[:64]).lstrip(b" \t\r\n")[:1] != b"{":
            return orjson.loads(text)
        return _object(text, _REQUEST)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def request_id(text: bytes) -> int | None:
    """The id of a request that cannot be carried out since something in it is no text (half of a surrogate pair, say), if it can be told.

    Only what is small is looked at: it takes a parser that is slow, and forgives.
    """
    if len(text) > FORGIVEN_BYTES:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    number = found.get("id") if type(found) is dict else None
    return number if type(number) is int and 0 <= number <= INTEGER_MAX else None


def _object(text: Raw | bytes | memoryview, members: Mapping[str, _Member]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in _MEMBERS.decode(text).items():
        member = members.get(name)
        found[name] = orjson.loads(memoryview(value)) if member is None else member(value)
    return found


def _if_object(members: Mapping[str, _Member]) -> _Member:
    def read(value: Raw) -> Any:
        view = memoryview(value)
        return _object(value, members) if view[0] == _OBJECT else orjson.loads(view)

    return read


def _each(read: _Member) -> _Member:
    def read_all(value: Raw) -> Any:
        view = memoryview(value)
        if view[0] != _ARRAY:
            return orjson.loads(view)
        items = _ITEMS.decode(value)
        # More than any list may have: that alone is refused later, so nothing of it is read.
        return [read(item) for item in items] if len(items) <= ITEMS_MAX else items

    return read_all


def _as_it_is(value: Raw) -> Raw:
    return value


def _done(value: Raw) -> Any:
    try:
        return _PLAIN.decode(value)
    except msgspec.ValidationError:
        return _each(_if_object(_COMPLETION))(value)


_MESSAGE: dict[str, _Member] = {"body": _as_it_is}
_PUBLISH: dict[str, _Member] = {"messages": _each(_if_object(_MESSAGE))}
_COMPLETION: dict[str, _Member] = {
    "result": _as_it_is,
    "results": _each(_as_it_is),
    "publish": _each(_if_object(_PUBLISH)),
}
_REQUEST: dict[str, _Member] = {
    "messages": _each(_if_object(_MESSAGE)),
    "message": _if_object(_MESSAGE),
    "with": _if_object(_MESSAGE),
    "done": _done,
}
