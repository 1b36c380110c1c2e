"""What every engine does the same with the arguments of a query and with a body that it shows."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ..checks import bytes_of, checked_integer
from ..errors import InvalidRequest
from ..users_json import fragment, is_json
from .engine import Buffer, Json


def text_of(args: Mapping[str, Any], name: str) -> str:
    """Raises: InvalidRequest: the field is missing, no string, or none that UTF-8 can hold."""
    value = args.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be a string.", field=name)
    bytes_of(value, name)
    return value


def integer_of(args: Mapping[str, Any], name: str, default: int) -> int:
    """Raises: InvalidRequest: it is there, and no integer from -1 on."""
    value = args.get(name)
    if value is None:
        return default
    return checked_integer(value, name, -1)


def shown_body(kind: str, body: Buffer) -> Json:
    """The body as JSON can carry it; JSON is put in as it is. What is not what its type says comes as base64, marked."""
    raw = bytes(body)
    try:
        if kind == "json" and is_json(raw):
            return {"body": fragment(raw)}
        if kind == "text":
            return {"body": raw.decode()}
    except ValueError:
        pass
    return {"body": base64.b64encode(raw).decode(), "body_encoding": "base64"}
