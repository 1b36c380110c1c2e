"""One message given as JSON in an operation, as in the text frames of docs/protocol.md §4."""

from __future__ import annotations

from typing import Any

from ....attributes import check_attributes
from ....checks import invalid
from ....errors import InvalidRequest
from ....limits import Limits
from ....users_json import stored_body

NOT_HERE = ("delay_ms", "deliver_at", "dedup_key")
"""Better refused than silently dropped: a schedule has its own times, and an edited message is new."""

ATTRIBUTES = ("headers", "priority", "key", "expire_ms")


def one_message(given: object, limits: Limits) -> tuple[bytes, dict[str, Any]]:
    """``{"body", "type"?, "headers"?, …}`` as body and attributes. ``body``: a slice of JSON (``msgspec.Raw``), or a value.

    Raises:
        InvalidRequest: another shape. LimitExceeded: the body or the headers are too large.
    """
    if not isinstance(given, dict) or "body" not in given:
        raise InvalidRequest("A message must be an object with a body.", field="message")
    refused = [name for name in NOT_HERE if given.get(name) is not None]
    if refused:
        raise InvalidRequest(f"{refused[0]} has no meaning here.", field=refused[0])
    kind = given.get("type") or "json"
    if type(kind) is not str or kind not in ("json", "text", "bytes"):
        raise invalid("type", '"json", "text" or "bytes"')
    attributes = {name: given[name] for name in ATTRIBUTES if given.get(name) is not None}
    if not isinstance(attributes.get("headers", {}), dict):
        raise invalid("headers", "an object of strings")
    check_attributes(attributes, 1, limits)
    body = stored_body(given["body"], kind, "body")
    if kind != "json":
        attributes["type"] = kind
    return body, attributes
