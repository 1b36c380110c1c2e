"""Bodies inside JSON, for text frames and HTTP: by ``type`` a JSON value, a string or base64 (docs §4)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import orjson

from .fields import invalid


def to_bytes(body: object, kind: str, field: str) -> bytes:
    """The stored form of an inline body.

    Raises:
        InvalidRequest: the value does not fit its ``type``.
    """
    if kind == "json":
        return orjson.dumps(body)
    if type(body) is not str:
        raise invalid(field, "a string, as its type is text" if kind == "text" else "base64, as its type is bytes")
    if kind == "text":
        return body.encode()
    try:
        return b64decode(body, validate=True)
    except ValueError:
        raise invalid(field, "base64, as its type is bytes") from None


def from_bytes(body: bytes, kind: str) -> tuple[str, Any]:
    """A stored body as ``(type, value)`` to put into JSON.

    A producer may have called something JSON that is not: then the type that fits is told instead.
    """
    if kind == "json":
        try:
            return "json", orjson.loads(body)
        except orjson.JSONDecodeError:
            kind = "text"
    if kind == "text":
        try:
            return "text", body.decode()
        except UnicodeDecodeError:
            pass
    return "bytes", b64encode(body).decode()
