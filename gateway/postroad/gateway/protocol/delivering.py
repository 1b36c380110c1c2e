"""``deliver`` frames (docs/protocol.md §5), in both formats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from postroad.broker.attributes import COLUMNS
from postroad.broker.engine.engine import Buffer, DeliveryBatch

from .bodies import from_bytes
from .frame import encode_binary

_SCALARS_OF = {"attempt": "attempts", "topic": "topics"} | {
    name: COLUMNS[name] for name in ("headers", "key", "priority")
}


def binary_delivery(sub: int, batch: DeliveryBatch) -> list[Buffer]:
    """The parts of a binary frame; bodies are passed by reference."""
    header: dict[str, Any] = {
        "op": "deliver",
        "sub": sub,
        "number": batch.number,
        "runs": [[run.sequence, run.count, run.id_prefix, run.index, run.published_at] for run in batch.runs],
        "sizes": batch.sizes,
    }
    if batch.attributes:
        header.update(batch.attributes)
    return [encode_binary(orjson.dumps(header)), *batch.bodies]


def binary_messages(sub: int, batch: DeliveryBatch, trimmed: int | None) -> list[Buffer]:
    """A ``messages`` frame of a reader: as ``deliver``, without number and attempts."""
    header: dict[str, Any] = {
        "op": "messages",
        "sub": sub,
        "runs": [[run.sequence, run.count, run.id_prefix, run.index, run.published_at] for run in batch.runs],
        "sizes": batch.sizes,
        **batch.attributes,
    }
    if trimmed is not None:
        header["trimmed"] = trimmed
    return [encode_binary(orjson.dumps(header)), *batch.bodies]


def text_messages(sub: int, batch: DeliveryBatch, trimmed: int | None) -> list[Buffer]:
    frame: dict[str, Any] = {"op": "messages", "sub": sub, "messages": list(read_messages(batch))}
    if trimmed is not None:
        frame["trimmed"] = trimmed
    return [orjson.dumps(frame)]


def read_messages(batch: DeliveryBatch) -> Iterator[dict[str, Any]]:
    """Messages of a stream: with their offset, without what belongs to a delivery."""
    for message in inline_messages(batch):
        rest = {name: value for name, value in message.items() if name not in ("number", "sequence", "attempt")}
        yield {"offset": message["sequence"], **rest}


def text_delivery(sub: int, batch: DeliveryBatch) -> list[Buffer]:
    return [orjson.dumps({"op": "deliver", "sub": sub, "messages": list(inline_messages(batch))})]


def inline_messages(batch: DeliveryBatch) -> Iterator[dict[str, Any]]:
    """Each message as an object with its body inside, for text frames and HTTP."""
    data = batch.bodies[0] if len(batch.bodies) == 1 else b"".join(batch.bodies)
    view = memoryview(data)
    attributes = batch.attributes
    types: list[str | None] | None = attributes.get("types")
    common = attributes.get("type") or "json"
    places = (
        (run.sequence + k, f"{run.id_prefix}{run.index + k}", run.published_at)
        for run in batch.runs
        for k in range(run.count)
    )
    start = 0
    for index, (size, (sequence, message_id, published_at)) in enumerate(zip(batch.sizes, places, strict=True)):
        kind, body = from_bytes(bytes(view[start : start + size]), (types[index] if types else None) or common)
        start += size
        message: dict[str, Any] = {
            "number": batch.number + index,
            "id": message_id,
            "sequence": sequence,
            "attempt": 1,
            "published_at": published_at,
            "type": kind,
        }
        for scalar, column in _SCALARS_OF.items():
            value = attributes.get(column)
            if type(value) is list:
                value = value[index]
            elif scalar != "headers":
                value = attributes.get(scalar)
            if value is not None:
                message[scalar] = value
        message["body"] = body
        yield message
