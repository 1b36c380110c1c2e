"""Durable state: the fold of all records.

``apply`` is the only thing that changes it, live and at recovery alike, and it never fails on a record that was journaled.
Nothing here depends on leases, connections or the clock: those are in ``machine.py`` and gone after a restart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from ..settings import QueueSettings
from .ids import id_prefix
from .producer import ProducerSession
from .queue import Queue
from .record import Boot, Define, Forget, Pause, Place, Publish, Record, Return, Settle, Undefine


class State:
    """Attributes:
    position: Of the last applied record.
    at: Time of the last applied record, milliseconds.
    epochs: ``(position, epoch)`` of each start, oldest first.
    queues: By name. ``logs``: the same by log number. ``names``: of all logs there ever were.
    placements: (position, index) → (log, sequence) now, for messages that were placed by reference.
    retained, released: Journal positions that became needed, and no longer needed, since the owner last took them.
    """

    def __init__(self) -> None:
        self.position = 0
        self.at = 0
        self.epochs: list[tuple[int, int]] = []
        self.queues: dict[str, Queue] = {}
        self.logs: dict[int, Queue] = {}
        self.names: dict[int, str] = {}
        self.next_log = 1
        self.producers: dict[str, ProducerSession] = {}
        self.placements: dict[tuple[int, int], tuple[int, int]] = {}
        self.retained: list[int] = []
        self.released: list[int] = []
        self._apply: dict[type, Callable[[Any, int], None]] = {
            Publish: self._publish, Settle: self._settle, Return: self._return, Place: self._place,
            Define: self._define, Undefine: self._undefine, Pause: self._pause, Forget: self._forget, Boot: self._boot,
        }  # fmt: skip

    def apply(self, record: Record, position: int) -> None:
        """Take over one record. ``position`` must be the next one."""
        assert position == self.position + 1, f"record {position} applied after {self.position}"
        self.position = position
        self.at = max(self.at, record.at)
        self._apply[type(record)](record, position)

    @property
    def epoch(self) -> int:
        return self.epochs[-1][1] if self.epochs else 0

    def epoch_of(self, position: int) -> int:
        """The epoch in which the record at ``position`` was written."""
        at = bisect_right(self.epochs, position, key=lambda start: start[0]) - 1
        return self.epochs[at][1] if at >= 0 else 0

    def id_prefix(self, position: int) -> str:
        epochs = self.epochs
        return id_prefix(epochs[-1][1] if epochs[-1][0] <= position else self.epoch_of(position), position)

    def _publish(self, record: Publish, position: int) -> None:
        duplicates = record.duplicates or {}
        if record.sizes:
            for log, first in record.targets:
                queue = self.logs[log]
                queue.append(first, record.sizes, record.attributes, record.at, position)
                self.retained.append(position)
            keys = record.attributes.get("dedup_keys")
            if keys is None and "dedup_key" in record.attributes:
                keys = [record.attributes["dedup_key"]] * len(record.sizes)
            if keys is not None and record.digests is not None:
                window = self.logs[record.targets[0][0]].dedup
                for index, key in enumerate(keys):
                    if key is not None:
                        window.add(key, position, index, record.digests[index], record.at)
        if record.producer is not None:
            session, frame = record.producer
            producer = self.producers.get(session)
            if producer is None:
                producer = self.producers[session] = ProducerSession()
            producer.stored(frame, position, len(record.sizes) + len(duplicates), record.at)

    def _settle(self, record: Settle, position: int) -> None:
        queue = self.logs[record.log]
        queue.group.come_due(record.at)
        count = 0
        for first, last, _ in record.runs:
            if queue.log.placed:
                for sequence in range(first, last + 1):
                    if sequence in queue.log.placed:
                        place = queue.log.locate(sequence)
                        if self.placements.get(place) == (record.log, sequence):
                            del self.placements[place]
            queue.group.settle(first, last, queue.log)
            self.released.extend(queue.log.settle(first, last))
            count += last - first + 1
        queue.totals[record.how] += count

    def _return(self, record: Return, position: int) -> None:
        queue = self.logs[record.log]
        queue.group.come_due(record.at)
        for sequence, attempts, due, priority, *_ in record.entries:
            queue.group.put_back(sequence, attempts, due, priority)
        queue.totals["retried"] += len(record.entries)

    def _place(self, record: Place, position: int) -> None:
        queue, origin = self.logs[record.log], self.logs.get(record.origin)
        for sequence, at, index, size, former, *_ in record.entries:
            key = origin.log.key_of(former) if origin else 0
            first = queue.log.append(1, at, index, size, record.at, [key] if key else None)
            assert first == sequence, f"{queue.name}: placed at {sequence}, log is at {first}"
            queue.log.placed[sequence] = (position, record.origin)
            queue.group.add_ready(sequence, sequence, 0)
            self.placements[at, index] = (record.log, sequence)
            self.retained.append(at)
            self.retained.append(position)

    def _define(self, record: Define, position: int) -> None:
        self.names[record.log] = record.name
        queue = self.queues.get(record.name)
        settings = QueueSettings(**record.settings)
        if queue is None:
            queue = Queue(record.name, record.log, settings, record.dead_letter_of)
            self.queues[record.name] = self.logs[record.log] = queue
            self.next_log = max(self.next_log, record.log + 1)
        else:
            queue.settings = settings

    def _undefine(self, record: Undefine, position: int) -> None:
        queue = self.queues.pop(record.name)
        del self.logs[record.log]
        self.released.extend(queue.log.references())
        self.placements = {key: place for key, place in self.placements.items() if place[0] != record.log}

    def _pause(self, record: Pause, position: int) -> None:
        queue = self.logs[record.log]
        queue.paused = record.paused
        queue.pause_reason = record.reason if record.paused else None

    def _forget(self, record: Forget, position: int) -> None:
        for session in record.sessions:
            self.producers.pop(session, None)

    def _boot(self, record: Boot, position: int) -> None:
        self.epochs.append((position, record.epoch))
