"""Bodies inside JSON, for text frames and HTTP: by ``type`` a JSON value, a string or base64 (docs §4)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from postroad.broker.users_json import fragment, is_json


def from_bytes(body: bytes, kind: str) -> tuple[str, Any]:
    """A stored body as ``(type, value)`` to put into JSON; JSON is put in as it is.

    A producer may have called something JSON that is not: then the type that fits is told instead.
    """
    if kind == "json":
        if is_json(body):
            return "json", fragment(body)
        kind = "text"
    if kind == "text":
        try:
            return "text", body.decode()
        except UnicodeDecodeError:
            pass
    return "bytes", b64encode(body).decode()
