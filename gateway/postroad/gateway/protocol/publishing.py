"""Publish frames → ``PublishBatch`` (docs/protocol.md §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroad.broker.checks import exceeded, invalid
from postroad.broker.engine.engine import Buffer, PublishBatch
from postroad.broker.errors import InvalidRequest, LimitExceeded
from postroad.broker.limits import Limits
from postroad.broker.users_json import stored_body

from .attributes import columns_from_messages, columns_of
from .fields import boolean, integer, objects, queue_of, target_of

_PLAIN = frozenset({"op", "id", "queue", "frame", "sizes", "declare", "stream", "topic", "mandatory"})


def publish_batch(frame: Mapping[str, Any], bodies: Buffer, limits: Limits, body_bytes_max: int) -> PublishBatch:
    """A publish frame, binary (with ``sizes``, already found to add up) or text (with ``messages``).

    Without attributes nothing here is done per message.

    Args:
        body_bytes_max: The largest body this caller may publish, bytes.

    Raises:
        InvalidRequest, InvalidName: a wrong or missing field.
        LimitExceeded: too many messages, or too large.
    """
    kind, queue = ("queue", queue_of(frame)) if "queue" in frame else target_of(frame, topics=True)
    sizes = frame.get("sizes")
    if sizes is None or "messages" in frame:
        if bodies:
            raise InvalidRequest("A frame has either sizes or messages.", field="messages")
        return inline_batch(frame, queue, limits, body_bytes_max, kind=kind)
    count = len(sizes)
    _check_count(count, limits, "sizes")
    if max(sizes) > body_bytes_max:
        raise _too_large(body_bytes_max)
    attributes = columns_of(frame, count, limits) if frame.keys() - _PLAIN else {}
    batch = PublishBatch(
        queue=queue, sizes=sizes, bodies=bodies, attributes=attributes, declare=boolean(frame, "declare", True),
        checked=True,
    )  # fmt: skip
    return batch if kind == "queue" else _of_kind(batch, kind, frame)


def _of_kind(batch: PublishBatch, kind: str, frame: Mapping[str, Any]) -> PublishBatch:
    """The batch for a stream or a topic.

    Raises:
        InvalidRequest: an attribute that a stream does not take.
    """
    batch.kind = kind
    if kind == "topic":
        batch.mandatory = boolean(frame, "mandatory", False)
    elif kind == "stream":
        for field in ("delay_ms", "delays_ms", "priority", "priorities"):
            if field in batch.attributes:
                raise InvalidRequest("A stream takes neither delay nor priority.", field=field)
    return batch


def inline_batch(
    frame: Mapping[str, Any], queue: str, limits: Limits, body_bytes_max: int, *, kind: str = "queue"
) -> PublishBatch:
    """A frame whose bodies are inside its ``messages``; raises as ``publish_batch``."""
    if "messages" not in frame:
        raise InvalidRequest("messages is missing.", field="messages")
    messages = objects(frame["messages"], "messages", limits.messages_max, "messages_max")
    _check_count(len(messages), limits, "messages")
    columns = columns_from_messages(frame, messages, limits)
    common = columns.pop("type", None)
    types = columns.pop("types", None)
    forms: list[str] = []
    bodies: list[bytes] = []
    for index, message in enumerate(messages):
        field = f"messages[{index}]"
        if "body" not in message:
            raise InvalidRequest(f"{field}.body is missing.", field=f"{field}.body")
        form = message.get("type") or (types[index] if types else None) or common or "json"
        if type(form) is not str or form not in ("json", "text", "bytes"):
            raise invalid(f"{field}.type", '"json", "text" or "bytes"')
        body = stored_body(message["body"], form, f"{field}.body")
        if len(body) > body_bytes_max:
            raise _too_large(body_bytes_max)
        forms.append(form)
        bodies.append(body)
    if len(set(forms)) > 1:
        columns["types"] = forms
    elif forms[0] != "json":
        columns["type"] = forms[0]
    batch = PublishBatch(
        queue=queue,
        sizes=[len(body) for body in bodies],
        bodies=b"".join(bodies),
        attributes=columns,
        declare=boolean(frame, "declare", True),
        checked=True,
    )
    return batch if kind == "queue" else _of_kind(batch, kind, frame)


def frame_number(frame: Mapping[str, Any], session: str | None) -> tuple[str, int] | None:
    """Producer session and number of a numbered frame.

    Raises:
        InvalidRequest: the number is not an integer from 1, or there is no session.
    """
    number = integer(frame, "frame", 1)
    if number is None:
        return None
    if session is None:
        raise InvalidRequest("A numbered frame needs a session, named in hello.", field="frame")
    return session, number


def _check_count(count: int, limits: Limits, field: str) -> None:
    if not count:
        raise InvalidRequest("A publish frame holds at least one message.", field=field)
    if count > limits.messages_max:
        raise exceeded(f"A publish frame may hold {limits.messages_max} messages.", "messages_max", limits.messages_max)


def _too_large(body_bytes_max: int) -> LimitExceeded:
    return exceeded(f"A body may have {body_bytes_max} bytes.", "body_bytes_max", body_bytes_max)
