"""Durable state: the fold of all records.

``apply`` is the only thing that changes it, live and at recovery alike, and it never fails on a record that was journaled.
Nothing here depends on leases, connections or the clock: those are in ``machine.py`` and gone after a restart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from ...settings import QueueSettings, StreamSettings
from ..format.ids import id_prefix
from ..format.record import (
    RECORDS,
    Bind,
    Boot,
    Compact,
    Define,
    DefineGroup,
    DefineSchedule,
    DefineStream,
    Forget,
    Move,
    Pause,
    Publish,
    Record,
    RefuseSchedule,
    Reset,
    Return,
    Settle,
    Trim,
    Trust,
    Undefine,
    UndefineSchedule,
)  # fmt: skip
from .arrival import arrivals
from .dedup import DedupWindow
from .names import Names
from .placements import Placements
from .producer import ProducerSession
from .queue import Queue
from .schedule import Schedule
from .stream import GROUP_SEPARATOR, Stream
from .topic.bindings import Binding, Bindings


class State:
    """Attributes:
    position: Of the last applied record.
    at: Time of the last applied record, milliseconds.
    epochs: ``(position, epoch)`` of each start, oldest first.
    ahead_ms, held_until: As in the last ``Boot``; 0 after ``Trust``.
    queues: Queues, and groups as ``<stream>/<group>``, by name. ``logs``: the same by number.
    streams: By name. ``stream_logs``: the same by number.
    names: Of what exists, and of what was deleted lately.
    dropping: Journal positions of what was deleted, which are yet to be released: see ``take_dropped``.
    placements: Where messages are now that were placed by reference.
    retained, released: Journal positions that became needed, and no longer needed, since the owner last took them.
    """

    def __init__(self) -> None:
        self.position = 0
        self.at = 0
        self.epochs: list[tuple[int, int]] = []
        self.ahead_ms = 0
        self.held_until = 0
        self.queues: dict[str, Queue] = {}
        self.logs: dict[int, Queue] = {}
        self.streams: dict[str, Stream] = {}
        self.stream_logs: dict[int, Stream] = {}
        self.names = Names()
        self.next_log = 1
        self.bindings = Bindings()
        self.schedules: dict[str, Schedule] = {}
        self.topic_dedup: dict[str, DedupWindow] = {}
        self.producers: dict[str, ProducerSession] = {}
        self.placements = Placements(self.logs)
        self.retained: list[int] = []
        self.released: list[int] = []
        self.dropping: deque[Iterator[int]] = deque()
        self._apply: dict[type, Callable[[Any, int], None]] = {
            record: getattr(self, f"_{record.tag}") for record in RECORDS
        }

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

    def references(self) -> Iterator[int]:
        """Every journal position that is needed, with repetitions, for counting at start."""
        for queue in self.logs.values():
            if queue.stream is None:  # a group's messages are its stream's
                yield from queue.log.references()
        for stream in self.stream_logs.values():
            yield from stream.log.references()

    def take_dropped(self, limit: int) -> list[int]:
        """Up to ``limit`` positions that were needed by what was deleted: they are many, and are to be released a part at a time."""
        taken: list[int] = []
        while self.dropping and len(taken) < limit:
            part = list(islice(self.dropping[0], limit - len(taken)))
            taken.extend(part)
            if not part:
                self.dropping.popleft()
        return taken

    def target(self, number: int) -> Queue | Stream:
        """The queue or stream with this number."""
        return self.logs.get(number) or self.stream_logs[number]

    def dedup_window(self, topic: str | None, number: int) -> DedupWindow:
        """Dedup keys of the name published to: the topic, or the queue or stream ``number``."""
        if topic is None:
            return self.target(number).dedup
        return self.topic_dedup.setdefault(topic, DedupWindow())

    def _publish(self, record: Publish, position: int) -> None:
        attributes, duplicates = record.attributes, record.duplicates or {}
        if len(record.sizes) > len(duplicates):
            everything = arrivals(record.sizes, attributes, record.at)
            for log, first, only in record.targets:
                arrived = everything if only is None else arrivals(record.sizes, attributes, record.at, only)
                target = self.target(log)
                target.append(first, arrived, position)
                if isinstance(target, Stream) and target.compaction is not None:
                    target.compaction.arrive(first, record, only)
                self.retained.extend([position] * len(arrived.pieces))
            if record.digests is not None:
                keys = attributes.get("dedup_keys") or [attributes.get("dedup_key")] * len(record.sizes)
                window = self.dedup_window(record.topic, record.targets[0][0] if record.targets else 0)
                for index, key in enumerate(keys):
                    if key is not None and index not in duplicates:
                        window.add(key, position, index, record.digests[index], record.at)
        if record.schedule is not None and (schedule := self.schedules.get(record.schedule[0])) is not None:
            schedule.last_at, schedule.next_at = record.at, record.schedule[1]
            schedule.fired += 1
            schedule.last_error = None
        if record.producer is not None:
            session, frame = record.producer
            producer = self.producers.get(session)
            if producer is None:
                producer = self.producers[session] = ProducerSession()
            producer.stored(frame, position, len(record.sizes), record.at)

    def _settle(self, record: Settle, position: int) -> None:
        queue = self.logs[record.log]
        count = 0
        for first, last, _ in record.runs:
            if queue.stream is None:
                for a, b, *_ in queue.log.placed.within(first, last) if queue.log.placed.count else ():
                    for sequence in range(a, b + 1):
                        self.placements.remove(*queue.log.locate(sequence), record.log, sequence)
            self.released.extend(queue.settle(first, last))
            count += last - first + 1
        queue.totals[record.how] += count

    def _return(self, record: Return, position: int) -> None:
        queue = self.logs[record.log]
        first = last = -1
        alike: tuple[int, int, int] = (0, 0, 0)
        for sequence, *rest in record.entries:
            fate = (rest[0], rest[1], rest[2])
            if sequence == last + 1 and fate == alike:
                last = sequence
                continue
            if last >= 0:
                queue.group.put_back(first, last, *alike, record.at)
            first, last, alike = sequence, sequence, fate
        if last >= 0:
            queue.group.put_back(first, last, *alike, record.at)
        queue.totals["retried"] += len(record.entries)

    def _place(self, record: Move, position: int) -> None:
        queue = self.logs[record.log]
        source = self.logs.get(record.origin) or self.stream_logs.get(record.origin)
        for entry, (sequence, at, index, size, former, *_) in enumerate(record.entries):
            if queue.stream is not None:
                queue.group.reopen(sequence)
                continue
            key = source.log.key_of(former) if source else 0
            first = queue.log.append(1, at, index, size, record.at, [key] if key else None)
            assert first == sequence, f"{queue.name}: placed at {sequence}, log is at {first}"
            queue.log.placed.add(sequence, sequence, position, record.origin)
            queue.group.add_ready(sequence, sequence, record.priorities[entry] if record.priorities else 0)
            self.placements.add(at, index, record.log, sequence)
            self.retained.append(at)
            self.retained.append(position)

    def _define(self, record: Define, position: int) -> None:
        queue = self.logs.get(record.log)
        settings = QueueSettings(**record.settings)
        if queue is None:
            self._name(record.log, record.name)
            queue = Queue(record.name, record.log, settings, record.dead_letter_of)
            self.queues[record.name] = self.logs[record.log] = queue
        else:
            queue.change(settings)
            queue.dead_letter_of = record.dead_letter_of

    def _stream(self, record: DefineStream, position: int) -> None:
        stream = self.stream_logs.get(record.log)
        settings = StreamSettings(**record.settings)
        if stream is None:
            self._name(record.log, record.name)
            self.streams[record.name] = self.stream_logs[record.log] = Stream(record.name, record.log, settings)
        else:
            stream.change(settings)

    def _group(self, record: DefineGroup, position: int) -> None:
        stream = self.stream_logs[record.log]
        name = f"{stream.name}{GROUP_SEPARATOR}{record.name}"
        self._name(record.group, name)
        group = Queue(name, record.group, QueueSettings(**record.settings), stream=stream.number, log=stream.log)
        stream.begin(group, record.start)
        stream.groups[record.name] = self.queues[name] = self.logs[record.group] = group

    def _name(self, number: int, name: str) -> None:
        self.names[number] = name
        self.next_log = max(self.next_log, number + 1)

    def _undefine(self, record: Undefine, position: int) -> None:
        self.names.deleted(record.log)
        if (stream := self.stream_logs.pop(record.log, None)) is not None:
            del self.streams[stream.name]
            self.dropping.append(stream.log.references())
            for group in stream.groups.values():
                del self.queues[group.name], self.logs[group.number]
                self.names.deleted(group.number)
        else:
            queue = self.logs.pop(record.log)
            del self.queues[queue.name]
            if queue.stream is not None:
                del self.stream_logs[queue.stream].groups[queue.name.partition(GROUP_SEPARATOR)[2]]
                return
            self.dropping.append(queue.log.references())
            if queue.log.placed.count:
                self.placements.log_gone()
        self.bindings.remove_target(record.log)

    def _pause(self, record: Pause, position: int) -> None:
        queue = self.logs[record.log]
        queue.paused = record.paused
        queue.pause_reason = record.reason if record.paused else None

    def _trim(self, record: Trim, position: int) -> None:
        self.released.extend(self.stream_logs[record.log].trim(record.first))

    def _compact(self, record: Compact, position: int) -> None:
        stream = self.stream_logs[record.log]
        self.released.extend(stream.take_out(record))
        self.retained.extend(stream.log.pack())

    def _reset(self, record: Reset, position: int) -> None:
        group = self.logs[record.log]
        assert group.stream is not None, "only a group is reset"
        self.stream_logs[group.stream].begin(group, record.start)

    def _bind(self, record: Bind, position: int) -> None:
        binding = Binding(record.pattern, record.log, tuple(record.headers), record.any_header)
        if record.on:
            self.bindings.add(binding)
        else:
            self.bindings.remove(binding)

    def _schedule(self, record: DefineSchedule, position: int) -> None:
        self.schedules[record.name] = Schedule(
            name=record.name, cron=record.cron, every_ms=record.every_ms, zone=record.zone, kind=record.kind,
            target=record.target, attributes=record.attributes, body=bytes.fromhex(record.body), paused=record.paused,
            next_at=record.next_at, last_at=record.last_at, fired=record.fired, last_error=record.last_error,
        )  # fmt: skip

    def _refuse(self, record: RefuseSchedule, position: int) -> None:
        schedule = self.schedules[record.name]
        schedule.next_at = record.next_at
        schedule.last_error = {"at": record.at, "code": record.code, "message": record.message}

    def _unschedule(self, record: UndefineSchedule, position: int) -> None:
        del self.schedules[record.name]

    def _forget(self, record: Forget, position: int) -> None:
        for session in record.sessions:
            self.producers.pop(session, None)

    def _boot(self, record: Boot, position: int) -> None:
        self.epochs.append((position, record.epoch))
        self.ahead_ms, self.held_until = record.ahead_ms, record.held_until

    def _trust(self, record: Trust, position: int) -> None:
        self.ahead_ms = self.held_until = 0
