"""A shared position on a log: which messages are ready, waiting or settled, and how often each was tried.

Every sequence of the log is in exactly one of these states, kept as runs:

- *settled*: below ``floor``, or in ``settled``;
- *ready*: in ``ready``, by priority;
- *delayed* or *retrying*: waiting for its time;
- *parked*: its ordering key is held by an earlier one (``order``);
- *leased*: in none of the above. Leases are volatile, and so are parked keys: after a restart, and in a snapshot, both are ready.

Ready, delayed, retrying and parked are *waiting*: nobody holds them. A row of ``delayed`` or ``retrying`` whose time has passed is the same as
ready: when it is moved there is volatile, so what a record changes must never depend on it, and takes a sequence from wherever it waits.

Only messages that were tried and failed have an entry of their own (``attempts``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from typing import Any

from .arrival import Arrivals
from .delayed import Delayed
from .expiring import Expiring, Rule
from .log import Log
from .ordering import KeyOrder
from .parts import PartReader, PartWriter
from .run_map import RunMap
from .runs import Range, Runs
from .stream_log import StreamLog

ATTEMPTS_MAX = 2**32 - 1


class Group:
    """Attributes:
    floor: Every sequence below it is settled.
    attempts: Sequence → counted attempts, where there are any.
    expiring: When messages expire, where they do.
    """

    __slots__ = ("attempts", "delayed", "expiring", "floor", "order", "ready", "retrying", "settled")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self.floor = 0
        self.settled = Runs()
        self.ready: dict[int, Runs] = {}
        self.delayed = Delayed()
        self.retrying = Delayed()
        self.attempts = RunMap("I")
        self.expiring = Expiring()
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

    # What waits

    @property
    def waiting_count(self) -> int:
        """Ready, parked, delayed and retrying; not what is leased."""
        return self.ready_count + self.delayed.count + self.retrying.count + self.order.parked.count

    def is_waiting(self, sequence: int) -> bool:
        return (
            any(sequence in runs for runs in self.ready.values())
            or sequence in self.order.parked
            or sequence in self.delayed
            or sequence in self.retrying
        )

    def waiting_starting(self, sequence: int) -> Iterator[Range]:
        """The runs of what waits from ``sequence`` on, in order; neighbours may be apart, so that no more is visited than is asked for.

        The group must not change meanwhile.
        """
        sources: list[Iterator[Range]] = [runs.starting(sequence) for runs in self.ready.values() if runs.count]
        if self.order.parked.count:
            sources.append(self.order.parked.starting(sequence))
        sources.extend(waiting.starting(sequence) for waiting in (self.delayed, self.retrying) if waiting.count)
        return merge(*sources)

    def waiting_from(self, sequence: int, limit: int) -> list[Range]:
        """The first ``limit`` messages that wait from ``sequence`` on, as runs; visits only those."""
        found: list[Range] = []
        for first, last in self.waiting_starting(sequence):
            last = min(last, first + limit - 1)
            _join(found, first, last)
            limit -= last - first + 1
            if limit <= 0:
                break
        return found

    def waiting_within(self, first: int, last: int) -> list[Range]:
        """The parts of ``first`` … ``last`` that wait."""
        parts = [part for runs in self.ready.values() if runs.count for part in runs.within(first, last)]
        if self.order.parked.count:
            parts.extend(self.order.parked.within(first, last))
        for waiting in (self.delayed, self.retrying):
            if waiting.count:
                parts.extend((row[0], row[1]) for row in waiting.within(first, last))
        if len(parts) < 2:
            return parts
        found: list[Range] = []
        for a, b in sorted(parts):
            _join(found, a, b)
        return found

    def priority_of(self, sequence: int) -> int:
        """Priority of a message that waits."""
        for priority, runs in self.ready.items():
            if sequence in runs:
                return priority
        for waiting in (self.delayed, self.retrying):
            if waiting.count and (row := waiting.row_at(sequence)) is not None:
                return row[3]
        return 0

    def priorities_of(self, sequences: Iterable[int]) -> dict[int, int]:
        """Priority of those of ``sequences`` that wait here with another one than 0."""
        if all(not priority for priority in self.ready) and not self.delayed and not self.retrying:
            return {}
        return {sequence: priority for sequence in sequences if (priority := self.priority_of(sequence))}

    def is_settled(self, sequence: int) -> bool:
        return sequence < self.floor or sequence in self.settled

    # Records

    def arrive(self, sequence: int, arrived: Arrivals) -> None:
        """New messages: ready, or waiting for their time."""
        for first, last, due, priority in arrived.waits:
            if due:
                self.delayed.add(due, sequence + first, sequence + last, priority, arrived.at)
            else:
                self.add_ready(sequence + first, sequence + last, priority)
        for due, first, last in arrived.expiries:
            self.expiring.own.add(due, sequence + first, sequence + last, 0, arrived.at)

    def reopen(self, sequence: int) -> None:
        """A settled message of a stream is ready again, for this group; what it had of expiry and attempts is gone."""
        if sequence < self.floor:
            if sequence < self.floor - 1:
                self.settled.add(sequence + 1, self.floor - 1)
            self.floor = sequence
        else:
            self.settled.remove(sequence, sequence)
        if self.expiring.rules and sequence not in self.expiring.exempt:
            self.expiring.exempt.add(sequence, sequence)
        self.add_ready(sequence, sequence, 0)

    def start_at(self, sequence: int, log: StreamLog) -> None:
        """Everything before ``sequence`` is settled, everything that is kept from there on ready."""
        self.clear()
        self.floor = at = sequence
        for first, last in log.kept(sequence, log.next - 1):
            if at < first:
                self._note_settled(at, first - 1)
            self.add_ready(first, last, 0)
            at = last + 1
        if at < log.next:
            self._note_settled(at, log.next - 1)

    def put_back(self, first: int, last: int, attempts: int, due_ms: int, priority: int, at_ms: int = 0) -> None:
        """Deliveries came back with an attempt counted: to their places among the ready, or to wait until ``due_ms``."""
        self._take_out(first, last)
        self.attempts.remove(first, last)
        if attempts:
            self.attempts.add(first, last, min(attempts, ATTEMPTS_MAX))
        if due_ms:
            self.retrying.add(due_ms, first, last, priority, at_ms)
            if self.expiring.is_overdue:
                self.expiring.came_back(first, last)
        else:
            self.add_ready(first, last, priority)

    def settle(self, first: int, last: int, log: Log) -> None:
        """``first`` … ``last``, none of them settled yet, are done with."""
        if log.keyed:
            for sequence in range(first, last + 1):
                following = self.order.settled(log.key_of(sequence), sequence)
                if following is not None:
                    self.add_ready(following, following, 0)
        self._take_out(first, last)
        if self.expiring:
            self.expiring.settle(first, last)
        if self.attempts.count:
            self.attempts.remove(first, last)
        self._note_settled(first, last)

    def _take_out(self, first: int, last: int) -> None:
        """Of ``first`` … ``last`` nothing is ready, delayed or retrying any more."""
        for runs in self.ready.values():
            if runs.count and runs.first <= last:
                runs.remove(first, last)
        if self.delayed.count:
            self.delayed.remove(first, last)
        if self.retrying.count:
            self.retrying.remove(first, last)

    def _note_settled(self, first: int, last: int) -> None:
        settled = self.settled
        if first == self.floor and not settled:
            self.floor = last + 1
            return
        settled.add(first, last)
        if settled.first == self.floor:
            self.floor = settled.take(1 << 62)[1] + 1

    def unsettled_within(self, first: int, last: int) -> Iterator[Range]:
        """The parts of ``first`` … ``last`` that are not settled. The group must not change meanwhile."""
        at = max(first, self.floor)
        for a, b in self.settled.starting(at):
            if a > last:
                break
            if at < a:
                yield at, a - 1
            at = b + 1
        if at <= last:
            yield at, last

    # Deliveries, and time

    def add_ready(self, first: int, last: int, priority: int) -> None:
        runs = self.ready.get(priority)
        if runs is None:
            runs = Runs()
            self.ready[priority] = runs
            if len(self.ready) > 1:
                self.ready = dict(sorted(self.ready.items(), reverse=True))
        runs.add(first, last)
        if self.expiring.is_overdue:
            self.expiring.came_back(first, last)

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

    def bring_due(self, first: int, last: int, at_ms: int) -> None:
        """What of ``first`` … ``last`` is due is ready, though its turn in ``come_due`` has not come yet."""
        for waiting in (self.delayed, self.retrying):
            for a, b, due, priority in waiting.within(first, last) if waiting.count else ():
                if due <= at_ms:
                    waiting.remove(a, b)
                    self.add_ready(a, b, priority)

    def come_due(self, at_ms: int, limit: int = 1 << 62) -> bool:
        """Move up to ``limit`` rows that are due to ready; True: there may be more. Volatile: it changes nothing that a record depends on."""
        is_more = False
        for waiting in (self.delayed, self.retrying):
            if waiting.count:
                rows, is_left = waiting.take_due(at_ms, limit)
                is_more = is_more or is_left
                for first, last, _, priority in rows:
                    self.add_ready(first, last, priority)
        return is_more

    def next_due(self) -> int | None:
        """When to call ``come_due`` next."""
        dues = [due for due in (self.delayed.next_due(), self.retrying.next_due()) if due is not None]
        return min(dues) if dues else None

    def next_expiry(self, log: Log) -> int | None:
        """When to call ``expire`` next."""
        return self.expiring.next_due(self.floor, log) if self.expiring else None

    def expire(self, at_ms: int, limit: int, log: Log) -> bool:
        """Find what has expired by ``at_ms``, visiting about ``limit`` messages; True: there may be more. Volatile."""
        return self.expiring.look(at_ms, limit, self.unsettled_within, self.waiting_within, log)

    def expired(self, limit: int) -> list[Range]:
        """Up to ``limit`` messages that are known to have expired and that nobody holds: they are to be settled."""
        return self.expiring.expired(limit, self.waiting_within)

    def to_json(self, leased: list[tuple[int, int, int]], parts: PartWriter) -> dict[str, object]:
        """Durable form: leases are volatile, so ``leased`` runs ``(first, last, priority)`` count as ready."""
        ready = {priority: runs for priority, runs in self.ready.items() if runs}
        back = [(first, last, 0) for first, last in self.order.parked] + leased
        for priority in dict.fromkeys(priority for _, _, priority in back):
            ready[priority] = Runs.from_flat(ready[priority].to_array() if priority in ready else [])
        for first, last, priority in back:
            ready[priority].add(first, last)
        return {
            "floor": self.floor,
            "settled": parts.put(self.settled.to_array()),
            "ready": [[priority, parts.put(runs.to_array())] for priority, runs in sorted(ready.items(), reverse=True)],
            "delayed": parts.put(*self.delayed.to_arrays()),
            "retrying": parts.put(*self.retrying.to_arrays()),
            "attempts": parts.put(*self.attempts.to_arrays()),
            "own_expiry": parts.put(*self.expiring.own.to_arrays()),
            "exempt": parts.put(self.expiring.exempt.to_array()),
            "rules": [[rule.first, rule.after_ms] for rule in self.expiring.rules],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], parts: PartReader, at_ms: int) -> Group:
        group = cls()
        group.floor = data["floor"]
        group.settled = Runs.from_flat(*parts.views("Q", data["settled"]))
        group.ready = {priority: Runs.from_flat(*parts.views("Q", sizes)) for priority, sizes in data["ready"]}
        group.delayed = Delayed.from_views(parts.views(Delayed.KINDS, data["delayed"]), at_ms)
        group.retrying = Delayed.from_views(parts.views(Delayed.KINDS, data["retrying"]), at_ms)
        group.attempts = RunMap.from_views("I", parts.views("QII", data["attempts"]))
        group.expiring.own = Delayed.from_views(parts.views(Delayed.KINDS, data["own_expiry"]), at_ms)
        group.expiring.exempt = Runs.from_flat(*parts.views("Q", data["exempt"]))
        group.expiring.rules = [Rule(first, after_ms) for first, after_ms in data["rules"]]
        return group

    @classmethod
    def from_version_1(cls, data: dict[str, Any], at_ms: int) -> Group:
        """Of a snapshot of version 1: lists in the header, and a row of expiry for each message that has one."""
        group = cls()
        group.floor = data["floor"]
        group.settled = Runs.from_flat(data["settled"])
        group.ready = {priority: Runs.from_flat(flat) for priority, flat in data["ready"]}
        group.delayed = Delayed.from_rows(data["delayed"], at_ms)
        group.retrying = Delayed.from_rows(data["retrying"], at_ms)
        for sequence, attempts in data["attempts"]:
            group.attempts.add(sequence, sequence, min(attempts, ATTEMPTS_MAX))
        group.expiring.own = Delayed.from_rows(data["expiring"], at_ms)
        return group

    def check(self, log: Log, leased: Iterable[Range]) -> None:
        """Every message is in exactly one state; ``leased``: runs that somebody holds, in any order.

        Raises:
            AssertionError.
        """
        held = [("leased", first, last) for first, last in leased]
        held += [("settled", first, last) for first, last in self.settled]
        held += [(f"ready {priority}", first, last) for priority, runs in self.ready.items() for first, last in runs]
        held += [("parked", first, last) for first, last in self.order.parked]
        held += [("delayed", row[0], row[1]) for row in self.delayed]
        held += [("retrying", row[0], row[1]) for row in self.retrying]
        at, before = self.floor, "settled below the floor"
        for state, first, last in sorted(held, key=lambda row: row[1]):
            assert first >= at, f"{first} is {state}, and {before}"
            assert first == at, f"{at} … {first - 1} is in no state"
            at, before = last + 1, state
        assert at == log.next or self.floor > log.next, f"{at} … {log.next - 1} is in no state"


def _join(runs: list[Range], first: int, last: int) -> None:
    """Add a run behind others, as one with its neighbour."""
    if runs and runs[-1][1] == first - 1:
        runs[-1] = runs[-1][0], last
    else:
        runs.append((first, last))
