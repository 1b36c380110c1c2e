"""What every engine does the same with the arguments of a query and with a body that it shows."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from ..errors import InvalidRequest
from .engine import Buffer, Json


def text_of(args: Mapping[str, Any], name: str) -> str:
    """Raises: InvalidRequest: the field is missing or no string."""
    value = args.get(name)
    if not isinstance(value, str):
        raise InvalidRequest(f"{name} must be a string.", field=name)
    return value


def integer_of(args: Mapping[str, Any], name: str, default: int) -> int:
    """Raises: InvalidRequest: it is there, and no integer from -1 on."""
    value = args.get(name)
    if value is None:
        return default
    if type(value) is not int or value < -1:
        raise InvalidRequest(f"{name} must be an integer.", field=name)
    return value


def shown_body(kind: str, body: Buffer) -> Json:
    """The body as JSON can carry it; what is not what its type says comes as base64, marked."""
    raw = bytes(body)
    try:
        if kind == "json":
            return {"body": orjson.loads(raw)}
        if kind == "text":
            return {"body": raw.decode()}
    except ValueError:
        pass
    return {"body": base64.b64encode(raw).decode(), "body_encoding": "base64"}
