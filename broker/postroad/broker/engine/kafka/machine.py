"""What a queue or group is, after the records of its log so far: every gateway that reads the log comes to the same.

So Kafka's order decides everything: who is handed which message, whether a settle came too late, which of two equal dedup keys was first. Time
comes with the records, never from a clock.

A message is *ready*, *waiting* (until it is due), or *held* by a gateway; then it is gone. Of an ordering key only the oldest message may be
handed out, the others stand in line until it is gone.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..engine import Json
from .memory import Fate, Memory
from .record import INDEX_BITS, Batch


@dataclass(slots=True, eq=False)
class Entry:
    """A message.

    Attributes:
        batch: Where it is stored; None: in the stream, at ``sequence``.
        due: When it may be handed out, if it is waiting.
        owner: The gateway that holds it.
    """

    sequence: int
    batch: Batch | None = None
    index: int = 0
    priority: int = 0
    key: str | None = None
    attempts: int = 0
    due: int = 0
    owner: str | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a record did.

    Attributes:
        absent: Sequences of what nobody holds, ``foreign``: of what another gateway does: it was not ours to settle.
    """

    fate: Fate = field(default_factory=Fate)
    entries: list[Entry] = field(default_factory=list)
    absent: list[int] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    count: int = 0


class Machine:
    """Attributes:
    entries: By sequence: all messages that are not gone. Of a group: those that were handed out at least once.
    outbox: Offset → what an ack publishes, and the gateway that does it.
    next: Of a group: offset of the first message never handed out.
    """

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.held: dict[str, dict[int, Entry]] = {}
        self.waiting: dict[int, Entry] = {}
        self.outbox: dict[int, tuple[Batch, str]] = {}
        self.next = 0
        self._ready: list[tuple[int, int]] = []
        self._due: list[tuple[int, int]] = []
        self._lines: dict[str, deque[int]] = {}
        self.memory = Memory()

    # Looking

    @property
    def leased(self) -> int:
        return sum(map(len, self.held.values()))

    @property
    def free(self) -> int:
        """Messages that are ready, or will be when their key's turn comes."""
        return len(self.entries) - len(self.waiting) - self.leased

    @property
    def retrying(self) -> int:
        return sum(1 for entry in self.waiting.values() if entry.attempts)

    def has_ready(self, now: int) -> bool:
        while self._ready and not self._is_ready(self._ready[0][1]):
            heapq.heappop(self._ready)
        return bool(self._ready) or (bool(self._due) and self._due[0][0] <= now)

    def next_due(self) -> int | None:
        while self._due:
            due, sequence = self._due[0]
            entry = self.waiting.get(sequence)
            if entry is not None and entry.due == due:
                return due
            heapq.heappop(self._due)
        return None

    def _is_ready(self, sequence: int) -> bool:
        entry = self.entries.get(sequence)
        return entry is not None and entry.owner is None and not entry.due and self._leads(entry)

    def _leads(self, entry: Entry) -> bool:
        return entry.key is None or self._lines[entry.key][0] == entry.sequence

    # Messages

    def messages(self, batch: Batch) -> Outcome:
        meta = batch.meta
        count = len(batch.headers)
        if "m" in meta and len(self.entries) + count > meta["m"] and not self.memory.knows(meta):
            return Outcome(fate=Fate(refused="full"))
        fate = self.memory.look(meta)
        if fate.refused or fate.replay:
            return Outcome(fate=fate)
        skip = fate.skip
        priorities, keys, dues = meta.get("p"), meta.get("k"), meta.get("d")
        sequence = batch.offset << INDEX_BITS
        entries, ready = self.entries, self._ready
        for index in range(count):
            if skip and index in skip:
                continue
            entry = entries[sequence] = Entry(sequence, batch, index)
            if priorities:
                entry.priority = priorities[index] or 0
            if keys and keys[index] is not None:
                entry.key = keys[index]
                self._lines.setdefault(keys[index], deque()).append(sequence)
            if dues and dues[index]:
                self._wait(entry, dues[index])
            else:
                heapq.heappush(ready, (-entry.priority, sequence))
            sequence += 1
        return Outcome(fate=fate)

    def done(self, batch: Batch) -> Outcome:
        """An ack that publishes."""
        outcome = Outcome()
        node = batch.meta["w"][0]
        if (entry := self._held_by(node, batch.meta["seq"], outcome)) is not None:
            self._gone(entry)
            self.outbox[batch.offset] = (batch, node)
        return outcome

    # Commands

    def command(self, command: Json) -> Outcome:
        outcome: Outcome = getattr(self, f"do_{command['do']}", self._ignored)(command)
        return outcome

    def _ignored(self, command: Json) -> Outcome:
        """Of a newer Postroad."""
        return Outcome()

    def do_take(self, command: Json) -> Outcome:
        """Hand ``n`` messages to gateway ``w``; it is ``at`` now. Of a group: the stream has offsets ``low`` … ``to`` - 1."""
        self._ripen(command["at"])
        node, most = command["w"][0], command["n"]
        granted: list[Entry] = []
        while len(granted) < most and self._ready:
            sequence = heapq.heappop(self._ready)[1]
            if self._is_ready(sequence):
                granted.append(self.entries[sequence])
                self.entries[sequence].owner = node
        if "to" in command:
            self.next = max(self.next, command["low"])
            fresh = range(self.next, max(min(self.next + most - len(granted), command["to"]), self.next))
            for sequence in fresh:
                self.entries[sequence] = Entry(sequence, owner=node)
                granted.append(self.entries[sequence])
            self.next = fresh.stop
        if granted:
            self.held.setdefault(node, {}).update((entry.sequence, entry) for entry in granted)
        return Outcome(entries=granted)

    def do_settle(self, command: Json) -> Outcome:
        """Of what gateway ``w`` holds: ``acks`` and ``rel``, runs; ``ret``: ``[sequence, attempts, due]``."""
        node = command["w"][0]
        outcome = Outcome()
        for sequence in _each(command.get("acks", ())):
            if (entry := self._held_by(node, sequence, outcome)) is not None:
                self._gone(entry)
        for sequence in _each(command.get("rel", ())):
            if (entry := self._held_by(node, sequence, outcome)) is not None:
                self._release(entry)
        for sequence, attempts, due in command.get("ret", ()):
            if (entry := self._held_by(node, sequence, outcome)) is not None:
                entry.attempts = attempts
                self._release(entry, due)
        return outcome

    def do_sent(self, command: Json) -> Outcome:
        """What the ack ``at`` an offset publishes is stored."""
        self.outbox.pop(command["at"], None)
        return Outcome()

    def do_reclaim(self, command: Json) -> Outcome:
        """Gateway ``of`` is dead: what it held is ready again."""
        taken = list(self.held.get(command["of"], {}).values())
        for entry in taken:
            self._release(entry)
        self.held.pop(command["of"], None)
        return Outcome(entries=taken, count=len(taken))

    def do_purge(self, command: Json) -> Outcome:
        """All that nobody holds is gone; of a group also what the stream has up to ``to``."""
        free = [entry for entry in self.entries.values() if entry.owner is None]
        for entry in free:
            self._gone(entry)
        fresh = 0
        if "to" in command:
            self.next = max(self.next, command["low"])
            fresh = max(command["to"] - self.next, 0)
            self.next += fresh
        return Outcome(count=len(free) + fresh)

    def do_remove(self, command: Json) -> Outcome:
        """These ``seqs`` are gone, whoever holds them."""
        found = [self.entries[sequence] for sequence in command["seqs"] if sequence in self.entries]
        for entry in found:
            self._gone(entry)
        return Outcome(entries=found)

    def do_back(self, command: Json) -> Outcome:
        """A group has these ``seqs`` of its stream once more."""
        for sequence in command["seqs"]:
            if sequence not in self.entries and sequence < self.next:
                self.entries[sequence] = Entry(sequence)
                heapq.heappush(self._ready, (0, sequence))
        return Outcome()

    def do_start(self, command: Json) -> Outcome:
        """A group goes on at offset ``to``, holding nothing."""
        self.entries.clear()
        self.held.clear()
        self.waiting.clear()
        self._ready.clear()
        self._due.clear()
        self.next = command["to"]
        return Outcome()

    # A group's log is cut by writing down what it comes to

    def state(self) -> Json:
        rows = [[entry.sequence, entry.attempts, entry.due, entry.owner] for entry in self.entries.values()]
        return {"next": self.next, "entries": rows}

    def load(self, state: Json) -> None:
        self.do_start({"to": state["next"]})
        for sequence, attempts, due, owner in state["entries"]:
            entry = self.entries[sequence] = Entry(sequence, attempts=attempts, owner=owner)
            if owner is not None:
                self.held.setdefault(owner, {})[sequence] = entry
            elif due:
                self._wait(entry, due)
            else:
                heapq.heappush(self._ready, (0, sequence))

    def do_state(self, command: Json) -> Outcome:
        """Nothing: who has read the log this far is there already."""
        return Outcome()

    # Steps

    def _ripen(self, now: int) -> None:
        while (due := self.next_due()) is not None and due <= now:
            entry = self.waiting.pop(heapq.heappop(self._due)[1])
            entry.due = 0
            if self._leads(entry):
                heapq.heappush(self._ready, (-entry.priority, entry.sequence))

    def _wait(self, entry: Entry, due: int) -> None:
        entry.due = due
        self.waiting[entry.sequence] = entry
        heapq.heappush(self._due, (due, entry.sequence))

    def _held_by(self, node: str, sequence: int, outcome: Outcome) -> Entry | None:
        entry = self.entries.get(sequence)
        if entry is not None and entry.owner == node:
            return entry
        (outcome.absent if entry is None or entry.owner is None else outcome.foreign).append(sequence)
        return None

    def _drop_hold(self, entry: Entry) -> None:
        if entry.owner is not None:
            held = self.held[entry.owner]
            del held[entry.sequence]
            if not held:
                del self.held[entry.owner]
            entry.owner = None

    def _release(self, entry: Entry, due: int = 0) -> None:
        self._drop_hold(entry)
        if due:
            self._wait(entry, due)
        else:
            heapq.heappush(self._ready, (-entry.priority, entry.sequence))

    def _gone(self, entry: Entry) -> None:
        self._drop_hold(entry)
        del self.entries[entry.sequence]
        self.waiting.pop(entry.sequence, None)
        if entry.key is None:
            return
        line = self._lines[entry.key]
        led = line[0] == entry.sequence
        line.remove(entry.sequence)
        if not line:
            del self._lines[entry.key]
        elif led and (heir := self.entries[line[0]]).owner is None and not heir.due:
            heapq.heappush(self._ready, (-heir.priority, heir.sequence))


def _each(found: Iterable[list[int]]) -> Iterator[int]:
    for first, count in found:
        yield from range(first, first + count)
