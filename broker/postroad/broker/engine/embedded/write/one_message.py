"""One message given as JSON in an operation, as in the text frames of docs/protocol.md §4."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from ....errors import InvalidRequest

NOT_HERE = ("delay_ms", "deliver_at", "dedup_key")
"""Better refused than silently dropped: a schedule has its own times, and an edited message is new."""

ATTRIBUTES = ("headers", "priority", "key", "expire_ms")


def one_message(given: object) -> tuple[bytes, dict[str, Any]]:
    """``{"body", "type"?, "headers"?, …}`` as body and attributes.

    Raises:
        InvalidRequest: another shape.
    """
    if not isinstance(given, dict) or "body" not in given:
        raise InvalidRequest("A message must be an object with a body.", field="message")
    refused = [name for name in NOT_HERE if given.get(name) is not None]
    if refused:
        raise InvalidRequest(f"{refused[0]} has no meaning here.", field=refused[0])
    kind, body = given.get("type", "json"), given["body"]
    attributes = {name: given[name] for name in ATTRIBUTES if given.get(name) is not None}
    headers = attributes.get("headers", {})
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise InvalidRequest("headers must be flat: strings to strings.", field="headers")
    if not all(
        type(attributes[name]) is int and attributes[name] >= 0
        for name in ("priority", "expire_ms")
        if name in attributes
    ):
        raise InvalidRequest("priority and expire_ms must be integers.", field="priority")
    if not isinstance(attributes.get("key", ""), str):
        raise InvalidRequest("key must be a string.", field="key")
    if kind == "json":
        return orjson.dumps(body), attributes
    if not isinstance(body, str) or kind not in ("text", "bytes"):
        raise InvalidRequest("type must be json, text or bytes; a body of the latter two is a string.", field="type")
    attributes["type"] = kind
    try:
        return (base64.b64decode(body, validate=True) if kind == "bytes" else body.encode()), attributes
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidRequest("The body is not what its type says.", field="body") from error
