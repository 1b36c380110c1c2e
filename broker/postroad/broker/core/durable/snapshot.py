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
from .producer import ProducerSession
from .queue import Queue
from .schedule import Schedule
from .state import State
from .stream import GROUP_SEPARATOR, Stream
from .stream_log import StreamLog
from .topic.bindings import Binding, Bindings

VERSION = 1
"""Raise it when a field changes its meaning, keep the old reader, and add a journal to ``tests/recovery/journals/``."""

_LENGTH = struct.Struct("<I")


def take(state: State, leased: Mapping[int, list[tuple[int, int, int]]]) -> tuple[int, bytes]:
    """``(position, snapshot)`` of the durable state now; leased messages count as ready.

    Args:
        leased: ``(first, last, priority)`` of all that is leased, by number of the queue.
    """
    parts: list[bytes] = []
    queues = [
        _queue_json(queue, leased.get(number, []), parts)
        for number, queue in sorted(state.logs.items())
        if queue.stream is None
    ]
    streams = []
    for _, stream in sorted(state.stream_logs.items()):
        log, sizes = _log_json(stream.log, parts)
        groups = [_queue_json(group, leased.get(group.number, []), None) for _, group in sorted(stream.groups.items())]
        streams.append({
            "name": stream.name, "number": stream.number, "settings": stream.settings.to_json(), "log": log, "parts": sizes,
            "published": stream.published_total, "trimmed": stream.trimmed_total, "dedup": stream.dedup.to_list(),
            "groups": groups, "expiring": stream.expiring.flat_rows(), "compacted": stream.compacted_total,
            "trimmed_before": stream.trimmed_before,
            "compaction": stream.compaction.to_json() if stream.compaction else None,
        })  # fmt: skip
    header = orjson.dumps({
        "version": VERSION, "position": state.position, "at": state.at, "epochs": state.epochs,
        "next_log": state.next_log, "names": list(state.names.items()), "queues": queues, "streams": streams,
        "bindings": [[b.pattern, b.target, b.headers, b.any_header] for b in state.bindings.all],
        "schedules": [_schedule_json(schedule) for _, schedule in sorted(state.schedules.items())],
        "topic_dedup": [[topic, window.to_list()] for topic, window in sorted(state.topic_dedup.items()) if window.keys],
        "placements": [[*key, places] for key, places in sorted(state.placements.items())],
        "producers": [
            [session, producer.last_frame, producer.at, [[frame, *stored] for frame, stored in producer.frames.items()]]
            for session, producer in sorted(state.producers.items())
        ],
    })  # fmt: skip
    return state.position, b"".join([_LENGTH.pack(len(header)), header, *parts])


def _schedule_json(schedule: Schedule) -> dict[str, Any]:
    row = {field.name: getattr(schedule, field.name) for field in fields(Schedule)}
    return row | {"body": schedule.body.hex()}


def _log_json(log: Log, parts: list[bytes]) -> tuple[dict[str, Any], list[int]]:
    head, arrays = log.to_parts()
    parts.extend(arrays)
    return head, [len(part) for part in arrays]


def _queue_json(queue: Queue, leased: list[tuple[int, int, int]], parts: list[bytes] | None) -> dict[str, Any]:
    """A queue with its log in ``parts``; a group (``parts`` None) without, since its stream has it."""
    log, sizes = _log_json(queue.log, parts) if parts is not None else ({}, [])
    return {
        "name": queue.name, "number": queue.number, "settings": queue.settings.to_json(),
        "dead_letter_of": queue.dead_letter_of, "paused": queue.paused, "pause_reason": queue.pause_reason,
        "totals": queue.totals, "log": log, "parts": sizes, "group": queue.group.to_json(leased),
        "dedup": queue.dedup.to_list(),
    }  # fmt: skip


def restore(data: bytes | memoryview) -> State:
    """The state of a snapshot that the journal has proven whole.

    Raises:
        ValueError: it was written by a newer version.
    """
    view = memoryview(data)
    (length,) = _LENGTH.unpack_from(view)
    header: dict[str, Any] = orjson.loads(view[4 : 4 + length])
    if header["version"] != VERSION:
        raise ValueError(f"snapshot version {header['version']}, this program reads {VERSION}")
    state = State()
    state.position, state.at, state.next_log = header["position"], header["at"], header["next_log"]
    state.epochs = [(position, epoch) for position, epoch in header["epochs"]]
    state.names = dict(header["names"])
    state.bindings = Bindings()
    for pattern, target, headers, any_header in header["bindings"]:
        state.bindings.add(Binding(pattern, target, tuple((name, value) for name, value in headers), any_header))
    for row in header["schedules"]:
        schedule = Schedule(**row | {"body": bytes.fromhex(row["body"])})
        state.schedules[schedule.name] = schedule
    state.topic_dedup = {topic: DedupWindow.from_list(rows) for topic, rows in header["topic_dedup"]}
    parts = _Parts(view[4 + length :])
    for item in header["queues"]:
        queue = _queue(item, None)
        queue.log = Log.from_parts(item["log"], parts.take(item["parts"]))
        state.queues[queue.name] = state.logs[queue.number] = queue
    for item in header["streams"]:
        stream = Stream(item["name"], item["number"], StreamSettings(**item["settings"]))
        stream.log = StreamLog.from_parts(item["log"], parts.take(item["parts"]))
        stream.published_total, stream.trimmed_total = item["published"], item["trimmed"]
        stream.dedup = DedupWindow.from_list(item["dedup"])
        stream.expiring = Delayed.from_flat_rows(item.get("expiring", []))
        stream.compacted_total, stream.trimmed_before = (
            item.get("compacted", 0),
            item.get("trimmed_before", stream.log.first),
        )
        if (known := item.get("compaction")) is not None:
            stream.compaction = Compaction.from_json(known)
        state.streams[stream.name] = state.stream_logs[stream.number] = stream
        for group_item in item["groups"]:
            group = _queue(group_item, stream)
            stream.groups[group.name.partition(GROUP_SEPARATOR)[2]] = group
            state.queues[group.name] = state.logs[group.number] = group
    state.placements = {
        (position, index): [(log, sequence) for log, sequence in places]
        for position, index, places in header["placements"]
    }
    for session, last_frame, at, frames in header["producers"]:
        producer = state.producers[session] = ProducerSession()
        producer.last_frame, producer.at = last_frame, at
        producer.frames = {frame: (position, count) for frame, position, count in frames}
    return state


class _Parts:
    def __init__(self, view: memoryview) -> None:
        self._view = view

    def take(self, sizes: list[int]) -> list[bytes]:
        taken = []
        for size in sizes:
            taken.append(bytes(self._view[:size]))
            self._view = self._view[size:]
        return taken


def _queue(item: dict[str, Any], stream: Stream | None) -> Queue:
    settings = QueueSettings(**item["settings"])
    of_stream = (stream.number, stream.log) if stream is not None else (None, None)
    queue = Queue(item["name"], item["number"], settings, item["dead_letter_of"], *of_stream)
    queue.paused, queue.pause_reason = item["paused"], item["pause_reason"]
    queue.totals.update(item["totals"])
    queue.group = Group.from_json(item["group"])
    queue.dedup = DedupWindow.from_list(item["dedup"])
    return queue
