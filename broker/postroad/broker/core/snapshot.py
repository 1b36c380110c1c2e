"""Durable state ↔ bytes.

::

    u32 header length (little-endian) · header (JSON) · array parts back to back, lengths in the header

The journal puts a checksum around it. A snapshot and the records after its position give the state that all records give.
"""

from __future__ import annotations

import struct
from typing import Any

import orjson

from ..settings import QueueSettings
from .group import Group
from .log import Log
from .machine import Machine
from .producer import ProducerSession
from .queue import Queue
from .state import State

VERSION = 1
"""Raise it when a field changes its meaning, keep the old reader, and add a journal to ``tests/recovery/journals/``."""

_LENGTH = struct.Struct("<I")


def take(machine: Machine) -> tuple[int, bytes]:
    """``(position, snapshot)`` of the durable state now; leased messages count as ready."""
    state = machine.state
    leased: dict[int, list[tuple[int, int, int]]] = {}
    for subscription in machine.subscriptions.values():
        runs = leased.setdefault(subscription.queue.number, [])
        runs.extend((held.sequence, held.sequence + held.count - 1, held.priority) for held in subscription.leases)
    parts: list[bytes] = []
    queues = []
    for _, queue in sorted(state.logs.items()):
        log, arrays = queue.log.to_parts()
        parts.extend(arrays)
        queues.append({
            "name": queue.name, "number": queue.number, "settings": queue.settings.to_json(),
            "dead_letter_of": queue.dead_letter_of, "paused": queue.paused, "pause_reason": queue.pause_reason,
            "totals": queue.totals, "log": log, "parts": [len(part) for part in arrays],
            "group": queue.group.to_json(leased.get(queue.number, [])),
            "dedup": [[key, *entry] for key, entry in queue.dedup.keys.items()],
        })  # fmt: skip
    header = orjson.dumps({
        "version": VERSION, "position": state.position, "at": state.at, "epochs": state.epochs,
        "next_log": state.next_log, "names": list(state.names.items()), "queues": queues,
        "placements": [[*key, *place] for key, place in sorted(state.placements.items())],
        "producers": [
            [session, producer.last_frame, producer.at, [[frame, *stored] for frame, stored in producer.frames.items()]]
            for session, producer in sorted(state.producers.items())
        ],
    })  # fmt: skip
    return state.position, b"".join([_LENGTH.pack(len(header)), header, *parts])


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
    offset = 4 + length
    for item in header["queues"]:
        parts = []
        for size in item["parts"]:
            parts.append(bytes(view[offset : offset + size]))
            offset += size
        queue = Queue(item["name"], item["number"], QueueSettings(**item["settings"]), item["dead_letter_of"])
        queue.paused, queue.pause_reason = item["paused"], item["pause_reason"]
        queue.totals.update(item["totals"])
        queue.log = Log.from_parts(item["log"], parts)
        queue.group = Group.from_json(item["group"])
        queue.dedup.keys = {key: (position, index, digest, at) for key, position, index, digest, at in item["dedup"]}
        state.queues[queue.name] = state.logs[queue.number] = queue
    state.placements = {(position, index): (log, sequence) for position, index, log, sequence in header["placements"]}
    for session, last_frame, at, frames in header["producers"]:
        producer = state.producers[session] = ProducerSession()
        producer.last_frame, producer.at = last_frame, at
        producer.frames = {frame: (position, count) for frame, position, count in frames}
    return state
