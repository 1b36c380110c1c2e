"""A shared position on a log: which messages are ready, waiting or settled, and how often each was tried.

Every sequence of the log is in exactly one of these states, kept as runs:

- *settled*: below ``floor``, or in ``settled``;
- *ready*: in ``ready``, by priority;
- *delayed* or *retrying*: waiting for its time;
- *parked*: its ordering key is held by an earlier one (``order``);
- *leased*: in none of the above. Leases are volatile, and so are parked keys: after a restart, and in a snapshot, both are ready.

Only messages that were tried and failed have an entry of their own (``attempts``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .arrival import Arrivals
from .delayed import Delayed
from .log import Log
from .ordering import KeyOrder
from .runs import Runs, gaps
from .stream_log import StreamLog


class Group:
    """Attributes:
    floor: Every sequence below it is settled.
    attempts: Sequence → counted attempts, where there are any.
    expiring: When messages expire, where they do; the row stays until the message is settled.
    """

    __slots__ = ("attempts", "delayed", "expiring", "floor", "order", "ready", "retrying", "settled")

    def __init__(self) -> None:
        self.floor = 0
        self.settled = Runs()
        self.ready: dict[int, Runs] = {}
        self.delayed = Delayed()
        self.retrying = Delayed()
        self.attempts: dict[int, int] = {}
        self.expiring = Delayed()
        self.order = KeyOrder()

    @property
    def ready_count(self) -> int:
        return sum(runs.count for runs in self.ready.values())

    @property
    def has_ready(self) -> bool:
        for runs in self.ready.values():  # noqa: SIM110  # asked for each message where priorities alternate: any() costs twice as much
            if runs.count:
                return True
        return False

    @property
    def waiting_count(self) -> int:
        """Ready, parked, delayed and retrying; not what is leased."""
        waiting = self.delayed.members.count + self.retrying.members.count + self.order.parked.count
        return self.ready_count + waiting

    def waiting(self) -> Runs:
        """All that is unsettled and not leased, by sequence."""
        waiting = Runs()
        for runs in (*self.ready.values(), self.order.parked, self.delayed.members, self.retrying.members):
            for first, last in runs:
                waiting.add(first, last)
        return waiting

    def is_waiting(self, sequence: int) -> bool:
        sources = (*self.ready.values(), self.order.parked, self.delayed.members, self.retrying.members)
        return any(sequence in runs for runs in sources)

    def waiting_from(self, sequence: int, limit: int) -> list[tuple[int, int]]:
        """The first ``limit`` messages that wait from ``sequence`` on, as runs."""
        return list(Runs((found, found) for found in self.waiting().after(sequence - 1, limit)))

    def waiting_within(self, first: int, last: int) -> list[tuple[int, int]]:
        """The parts of ``first`` … ``last`` that wait."""
        return self.waiting().within(first, last)

    def priority_of(self, sequence: int) -> int:
        """Priority of a message that waits."""
        return self.priorities_of((sequence,)).get(sequence, 0)

    def priorities_of(self, sequences: Iterable[int]) -> dict[int, int]:
        """Priority of those of ``sequences`` that wait here with another one than 0."""
        wanted = Runs((s, s) for s in sequences)
        found: dict[int, int] = {}
        rows = [(first, last, priority) for priority, runs in self.ready.items() if priority for first, last in runs]
        for first, last, priority in (*rows, *self.delayed.prioritised(), *self.retrying.prioritised()):
            for a, b in wanted.within(first, last):
                found.update(dict.fromkeys(range(a, b + 1), priority))
        return found

    def is_settled(self, sequence: int) -> bool:
        return sequence < self.floor or sequence in self.settled

    def arrive(self, sequence: int, arrived: Arrivals, expire_ms: int | None = None) -> None:
        """New messages: ready, or waiting for their time; those without an expiry of their own have ``expire_ms``."""
        for first, last, due, priority in arrived.waits:
            if due:
                self.delayed.add(due, sequence + first, sequence + last, priority)
            else:
                self.add_ready(sequence + first, sequence + last, priority)
        for due, first, last in arrived.expiries:
            self.expiring.add(due, sequence + first, sequence + last, 0)
        if expire_ms is not None:
            for first, last in gaps(0, arrived.count - 1, [(first, last) for _, first, last in arrived.expiries]):
                self.expiring.add(arrived.at + expire_ms, sequence + first, sequence + last, 0)

    def reopen(self, sequence: int) -> None:
        """A settled message of a stream is ready again, for this group."""
        if sequence < self.floor:
            if sequence < self.floor - 1:
                self.settled.add(sequence + 1, self.floor - 1)
            self.floor = sequence
        else:
            self.settled.remove(sequence, sequence)
        self.add_ready(sequence, sequence, 0)

    def start_at(self, sequence: int, log: StreamLog) -> None:
        """Everything before ``sequence`` is settled, everything that is kept from there on ready."""
        self.__init__()  # type: ignore[misc]  # the shortest way to say "as new"
        self.floor = at = sequence
        for first, last in log.kept(sequence, log.next - 1):
            if at < first:
                self._note_settled(at, first - 1)
            self.add_ready(first, last, 0)
            at = last + 1
        if at < log.next:
            self._note_settled(at, log.next - 1)

    def add_ready(self, first: int, last: int, priority: int) -> None:
        runs = self.ready.get(priority)
        if runs is None:
            runs = Runs()
            self.ready[priority] = runs
            if len(self.ready) > 1:
                self.ready = dict(sorted(self.ready.items(), reverse=True))
        runs.add(first, last)

    def take_ready(self, count: int) -> tuple[int, int, int] | None:
        """Remove up to ``count`` messages in order of (priority, sequence): ``(first, last, priority)``; None: none is ready."""
        for priority, runs in self.ready.items():
            if runs.count:
                first, last = runs.take(count)
                return first, last, priority
        return None

    def remove_ready(self, first: int, last: int) -> list[tuple[int, int, int]]:
        """Remove what of ``first`` … ``last`` is ready: ``(first, last, priority)`` each."""
        return [(a, b, priority) for priority, runs in self.ready.items() for a, b in runs.remove(first, last)]

    def come_due(self, at_ms: int, limit: int = 1 << 62) -> bool:
        """Move what is due to ready; True: there is more. Called with the time of every record, so that time needs no record of its own."""
        for waiting in (self.delayed, self.retrying):
            if waiting.members:
                for first, last, priority in waiting.take_due(at_ms):
                    self.add_ready(first, last, priority)
        return False

    def next_due(self) -> int | None:
        dues = [due for due in (self.delayed.next_due(), self.retrying.next_due()) if due is not None]
        return min(dues) if dues else None

    def put_back(self, first: int, last: int, attempts: int, due_ms: int, priority: int) -> None:
        """Deliveries came back with an attempt counted: to their places among the ready, or to wait until ``due_ms``."""
        self.remove_ready(first, last)
        self.attempts.update(dict.fromkeys(range(first, last + 1), attempts))
        if due_ms:
            self.retrying.add(due_ms, first, last, priority)
        else:
            self.add_ready(first, last, priority)

    def settle(self, first: int, last: int, log: Log) -> None:
        """``first`` … ``last``, none of them settled yet, are done with."""
        if log.keyed:
            for sequence in range(first, last + 1):
                following = self.order.settled(log.key_of(sequence), sequence)
                if following is not None:
                    self.add_ready(following, following, 0)
        for runs in self.ready.values():
            if runs.count and runs.first <= last:
                runs.remove(first, last)
        for waiting in (self.delayed, self.retrying, self.expiring):
            if waiting.members:
                waiting.remove(first, last)
        if self.attempts:
            if last - first < len(self.attempts):
                for sequence in range(first, last + 1):
                    self.attempts.pop(sequence, None)
            else:
                for sequence in [s for s in self.attempts if first <= s <= last]:
                    del self.attempts[sequence]
        self._note_settled(first, last)

    def _note_settled(self, first: int, last: int) -> None:
        settled = self.settled
        if first == self.floor and not settled:
            self.floor = last + 1
            return
        settled.add(first, last)
        if settled.first == self.floor:
            self.floor = settled.take(1 << 62)[1] + 1

    def unsettled_within(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The parts of ``first`` … ``last`` that are not settled."""
        at = max(first, self.floor)
        for a, b in self.settled.within(at, last):
            if at < a:
                yield at, a - 1
            at = b + 1
        if at <= last:
            yield at, last

    def to_json(self, leased: list[tuple[int, int, int]]) -> dict[str, object]:
        """Durable form: leases are volatile, so ``leased`` runs ``(first, last, priority)`` count as ready."""
        ready = {priority: Runs(runs) for priority, runs in self.ready.items() if runs}
        for first, last in self.order.parked:
            ready.setdefault(0, Runs()).add(first, last)
        for first, last, priority in leased:
            ready.setdefault(priority, Runs()).add(first, last)
        return {
            "floor": self.floor,
            "settled": self.settled.to_list(),
            "ready": [[priority, runs.to_list()] for priority, runs in sorted(ready.items(), reverse=True)],
            "delayed": self.delayed.flat_rows(),
            "retrying": self.retrying.flat_rows(),
            "attempts": sorted(self.attempts.items()),
            "expiring": self.expiring.flat_rows(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Group:
        group = cls()
        group.floor = data["floor"]
        group.settled = Runs.from_list(data["settled"])
        group.ready = {priority: Runs.from_list(flat) for priority, flat in data["ready"]}
        group.delayed = Delayed.from_flat_rows(data["delayed"])
        group.retrying = Delayed.from_flat_rows(data["retrying"])
        group.attempts = dict(data["attempts"])
        group.expiring = Delayed.from_flat_rows(data["expiring"])
        return group
