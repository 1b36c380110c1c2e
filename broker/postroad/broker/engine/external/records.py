"""The record of a publish (see ``chronicle.py``)."""

from __future__ import annotations

from typing import Any

import orjson

from ..engine import Json
from .backend import Send

SIZES_MAX = 256
"""Sizes, types and priorities are told of frames up to this length: they are for looking at single messages."""


def publish_record(send: Send, firsts: list[int], duplicates: dict[int, str] | None) -> Json:
    """``p``: where the messages are, as ``[queue, first sequence, indexes or None, kind]``."""
    count = len(send.headers)
    kept = [index for index in range(count) if index not in duplicates] if duplicates else None
    record: Json = {
        "k": "published",
        "q": send.targets[0].name if send.targets else None,
        "n": count if kept is None else len(kept),
        "i": [[send.prefix, 0, count]] if kept is None else [[send.prefix, index, 1] for index in kept],
        "p": [],
    }
    for at, target in enumerate(send.targets):
        first = firsts[at] if at < len(firsts) else None
        only = target.only if kept is None else [i for i in kept if target.only is None or i in target.only]
        record["p"].append([target.name, first, only, target.kind])
    if send.topic is not None:
        record |= {"topic": send.topic, "queues": [target.name for target in send.targets]}
    if send.producer is not None:
        record["f"] = list(send.producer)
        record["fc"] = count
        if duplicates:
            record["u"] = {str(index): id for index, id in duplicates.items()}
    if count <= SIZES_MAX:
        record["z"] = [len(body) for body in send.bodies]
        for name, values in (("d", send.dues), ("pr", send.priorities), ("y", _types(send))):
            if values is not None:
                record[name] = values
    return record


def _types(send: Send) -> list[Any] | None:
    if len(send.headers[0]) < 64 and b'"y"' not in b"".join(send.headers):
        return None
    return [orjson.loads(header).get("y", "json") for header in send.headers]
