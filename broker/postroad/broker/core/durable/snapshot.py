"""Durable state ↔ bytes.

::

    u32 header length (little-endian) · header (JSON) · array parts back to back, lengths in the header

The journal puts a checksum around it. A snapshot and the records after its position give the state that all records give.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import orjson

from ...settings import QueueSettings, StreamSettings
from .compaction import Compaction
from .dedup import DedupWindow
from .delayed import Delayed
from .group import Group
from .log import Log
from .names import Names
from .parts import PartReader, PartWriter
from .producer import ProducerSession
from .queue import Queue
from .run_map import RunMap
from .schedule import Schedule
from .state import State
from .stream import GROUP_SEPARATOR, Stream
from .stream_log import StreamLog
from .topic.bindings import Binding, Bindings

VERSION = 2
"""Raise it when a field changes its meaning, keep the old reader, and add a journal to ``tests/recovery/journals/``.

1: runs, rows and attempts are lists in the header; a message's expiry is a row, wherever it comes from; placements are in it.
2: they are array parts; the expiry by a queue's setting is a rule; placements are found from the logs.
"""

_LENGTH = struct.Struct("<I")


Leased = tuple[int, int, int]
"""First, last and priority of messages that somebody holds."""


def take(state: State, leased: Mapping[int, list[Leased]]) -> tuple[int, bytes]:
    """``(position, snapshot)`` of the durable state now; leased messages count as ready.

    Args:
        leased: ``(first, last, priority)`` of all that is leased, by number of the queue.
    """
    parts = PartWriter()
    queues = [
        _queue_json(queue, leased.get(number, []), parts)
        for number, queue in sorted(state.logs.items())
        if queue.stream is None
    ]
    streams = [_stream_json(stream, leased, parts) for _, stream in sorted(state.stream_logs.items())]
    header = orjson.dumps({
        "version": VERSION, "position": state.position, "at": state.at, "epochs": state.epochs,
        "ahead_ms": state.ahead_ms, "held_until": state.held_until,
        "next_log": state.next_log, "names": list(state.names.items()), "former": list(state.names.former), "queues": queues, "streams": streams,
        "bindings": [[b.pattern, b.target, b.headers, b.any_header] for b in state.bindings.all],
        "schedules": [_schedule_json(schedule) for _, schedule in sorted(state.schedules.items())],
        "topic_dedup": [
            [topic, window.to_json(parts)] for topic, window in sorted(state.topic_dedup.items()) if len(window)
        ],
        "producers": [
            [session, producer.last_frame, producer.at, [[frame, *stored] for frame, stored in producer.frames.items()]]
            for session, producer in sorted(state.producers.items())
        ],
    })  # fmt: skip
    return state.position, b"".join([_LENGTH.pack(len(header)), header, *parts.parts])


def _schedule_json(schedule: Schedule) -> dict[str, Any]:
    row = {field.name: getattr(schedule, field.name) for field in fields(Schedule)}
    return row | {"body": schedule.body.hex()}


def _queue_json(queue: Queue, leased: list[Leased], parts: PartWriter) -> dict[str, Any]:
    """A queue with its log; a group without, since its stream has it."""
    return {
        "name": queue.name, "number": queue.number, "settings": queue.settings.to_json(),
        "dead_letter_of": queue.dead_letter_of, "paused": queue.paused, "pause_reason": queue.pause_reason,
        "totals": queue.totals, "log": queue.log.to_json(parts) if queue.stream is None else None,
        "group": queue.group.to_json(leased, parts), "dedup": queue.dedup.to_json(parts),
    }  # fmt: skip


def _stream_json(stream: Stream, leased: Mapping[int, list[Leased]], parts: PartWriter) -> dict[str, Any]:
    return {
        "name": stream.name, "number": stream.number, "settings": stream.settings.to_json(),
        "published": stream.published_total, "trimmed": stream.trimmed_total,
        "compacted": stream.compacted_total, "trimmed_before": stream.trimmed_before,
        "log": stream.log.to_json(parts), "expiring": parts.put(*stream.expiring.to_arrays()),
        "compaction": stream.compaction.to_json(parts) if stream.compaction else None,
        "dedup": stream.dedup.to_json(parts),
        "groups": [
            _queue_json(group, leased.get(group.number, []), parts) for group in stream.groups.values()
        ],
    }  # fmt: skip


def restore(data: bytes | memoryview) -> State:
    """The state of a snapshot that the journal has proven whole.

    Raises:
        ValueError: it was written by a newer version.
    """
    view = memoryview(data)
    (length,) = _LENGTH.unpack_from(view)
    header: dict[str, Any] = orjson.loads(view[4 : 4 + length])
    if header["version"] not in (1, VERSION):
        raise ValueError(f"snapshot version {header['version']}, this program reads {VERSION}")
    is_first = header["version"] == 1
    state = State()
    state.position, state.at, state.next_log = header["position"], header["at"], header["next_log"]
    state.epochs = [(position, epoch) for position, epoch in header["epochs"]]
    state.ahead_ms, state.held_until = header.get("ahead_ms", 0), header.get("held_until", 0)
    state.names = Names(header["names"], header.get("former", ()))
    state.bindings = Bindings()
    for pattern, target, headers, any_header in header["bindings"]:
        state.bindings.add(Binding(pattern, target, tuple((name, value) for name, value in headers), any_header))
    for row in header["schedules"]:
        schedule = Schedule(**row | {"body": bytes.fromhex(row["body"])})
        state.schedules[schedule.name] = schedule
    parts = PartReader(view[4 + length :])
    for item in header["queues"]:
        queue = _queue(item, parts, state.at, None, is_first)
        state.queues[queue.name] = state.logs[queue.number] = queue
    state.placements.take_up(list(state.logs.values()))
    for item in header["streams"]:
        stream = _stream(item, parts, is_first)
        state.streams[stream.name] = state.stream_logs[stream.number] = stream
        for group_item in item["groups"]:
            group = _queue(group_item, parts, state.at, stream, is_first)
            stream.groups[group.name.partition(GROUP_SEPARATOR)[2]] = group
            state.queues[group.name] = state.logs[group.number] = group
    state.topic_dedup = {topic: _dedup(item, parts, is_first) for topic, item in header["topic_dedup"]}
    if is_first:
        state.names.former.extend(sorted(state.names.keys() - state.logs.keys() - state.stream_logs.keys()))
    for session, last_frame, at, frames in header["producers"]:
        producer = state.producers[session] = ProducerSession()
        producer.last_frame, producer.at = last_frame, at
        producer.frames = {frame: (position, count) for frame, position, count in frames}
    return state


def _queue(item: dict[str, Any], parts: PartReader, at_ms: int, stream: Stream | None, is_first: bool) -> Queue:
    settings = QueueSettings(**item["settings"])
    of_stream = (stream.number, stream.log) if stream is not None else (None, None)
    queue = Queue(item["name"], item["number"], settings, item["dead_letter_of"], *of_stream)
    queue.paused, queue.pause_reason = item["paused"], item["pause_reason"]
    queue.totals.update(item["totals"])
    if stream is None:
        queue.log = Log.from_json(item["log"], parts, item["parts"] if is_first else None)
        queue.set_up_log()
    if is_first:
        queue.group = Group.from_version_1(item["group"], at_ms)
        queue.group.expiring.change(queue.log.next, settings.expire_ms)
    else:
        queue.group = Group.from_json(item["group"], parts, at_ms)
    queue.dedup = _dedup(item["dedup"], parts, is_first)
    return queue


def _stream(item: dict[str, Any], parts: PartReader, is_first: bool) -> Stream:
    stream = Stream(item["name"], item["number"], StreamSettings(**item["settings"]))
    stream.log = StreamLog.from_json(item["log"], parts, item["parts"] if is_first else None)
    stream.published_total, stream.trimmed_total = item["published"], item["trimmed"]
    stream.compacted_total = item.get("compacted", 0)
    stream.trimmed_before = item.get("trimmed_before", stream.log.first)
    if is_first:
        rows = Delayed.from_rows(item.get("expiring", []), 0)
        for first, last, due, _ in rows:
            stream.expiring.add(first, last, due)
    else:
        stream.expiring = RunMap.from_views("Q", parts.views("QIQ", item["expiring"]))
    if (known := item.get("compaction")) is not None:
        stream.compaction = Compaction.from_json(known, None if is_first else parts)
    stream.dedup = _dedup(item["dedup"], parts, is_first)
    return stream


def _dedup(item: Any, parts: PartReader, is_first: bool) -> DedupWindow:
    return DedupWindow.from_rows(item) if is_first else DedupWindow.from_json(item, parts)
