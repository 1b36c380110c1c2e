"""JSON that users send: it is theirs, and stays as it is, byte for byte.

What is inside is never built as objects: ``msgspec`` cuts slices out (``Raw``), ``orjson`` puts them in as they are (``Fragment``). So an integer
beyond 2⁶⁴, a number that no double holds, a key that is there twice, white space and 300 levels come back as they were sent.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Iterable
from itertools import accumulate

import msgspec
import orjson
from msgspec import Raw

from .checks import exceeded, invalid
from .limits import Limits

_SKIP = msgspec.json.Decoder(Raw)
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_OTHERS = bytes(code for code in range(256) if code not in _STEPS)


def is_json(text: bytes) -> bool:
    """Whether it is one JSON value in UTF-8 that a parser will take: without half surrogates, and nested less than about 900 levels."""
    try:
        _SKIP.decode(text)
        text.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def stored_body(body: object, kind: str, field: str) -> bytes:
    """The stored form of a body that came inside JSON: a slice of it (``Raw``), or a value.

    Raises:
        InvalidRequest: the body does not fit its ``type``, or is nothing that JSON can say.
    """
    if kind == "json":
        return bytes(body) if isinstance(body, Raw) else _written(body, field)
    try:
        value = orjson.loads(memoryview(body)) if isinstance(body, Raw) else body
        if type(value) is str:
            return value.encode() if kind == "text" else b64decode(value, validate=True)
    except ValueError:
        pass
    raise invalid(field, "a string, as its type is text" if kind == "text" else "base64, as its type is bytes")


def _written(value: object, field: str) -> bytes:
    """A Python value, as only calls inside this process have it, as JSON: slow, but exact, and without NaN."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError):
        raise invalid(field, "a JSON value") from None


def fragment(text: bytes) -> orjson.Fragment:
    """Proven JSON (``is_json``), to be written as it is."""
    return orjson.Fragment(text)


def depth_of(text: bytes) -> int:
    """How deep valid JSON is nested; 0: no array or object. It costs about 30 ns a byte, so ask only for what is small."""
    brackets: Iterable[int] = _STRING.sub(b"", text).translate(None, _OTHERS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0)


def stays_when_parsed(text: bytes) -> bool:
    """Whether valid JSON is the same, byte for byte, when it was parsed and written again: most is."""
    try:
        return orjson.dumps(orjson.loads(text)) == text
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return False


def checked_result(text: bytes, field: str, limits: Limits) -> bytes:
    """Raises: InvalidRequest: no JSON. LimitExceeded: too large, or nested too deep."""
    if type(text) is not bytes or not is_json(text):
        raise invalid(field, "JSON")
    check_result_size(text, limits)
    return text


def check_result_size(text: bytes, limits: Limits) -> None:
    """Of a result that is proven JSON. Raises: LimitExceeded: too large, or nested too deep."""
    if len(text) > limits.result_bytes_max:
        raise exceeded(
            f"A result may have {limits.result_bytes_max} bytes of JSON.", "result_bytes_max", limits.result_bytes_max
        )
    deep = limits.result_depth_max
    if len(text) > 2 * deep and text.count(b"[") + text.count(b"{") > deep and depth_of(text) > deep:
        raise exceeded(f"A result may be nested {deep} levels deep.", "result_depth_max", deep)
