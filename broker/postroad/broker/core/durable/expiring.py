"""When the messages of a group expire, and which of them have.

A message's own expiry is a row in ``own``. The expiry that a queue's setting gives to all costs nothing: messages are in the log in the
order of time, so a *rule* (from this sequence on, so many milliseconds after arrival) and a place in the log say all. A change of
the setting is a further rule, and holds for what arrives later.

What has expired is found once: what waits goes to the *expired*, what somebody holds to the *overdue*, and comes to the expired when it comes
back. Both, and the places, are volatile: they say how far was looked, and what is found again after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from .delayed import Delayed
from .log import Log
from .runs import Range, Runs, gaps

Within = Callable[[int, int], list[Range]]


class Rule:
    """Messages from ``first`` on, up to the next rule's, expire ``after_ms`` after they arrived; None: they do not.

    Everything before ``looked`` was looked at.
    """

    __slots__ = ("after_ms", "first", "looked")

    def __init__(self, first: int, after_ms: int | None) -> None:
        self.first = self.looked = first
        self.after_ms = after_ms


class Expiring:
    """Attributes:
    own: Messages with an expiry of their own; a row stays until the message is settled.
    rules: In order; the last is that of arrivals from now on.
    exempt: Messages that no rule holds for, though they are in its range.
    """

    __slots__ = ("_expired", "_overdue", "exempt", "own", "rules")

    def __init__(self) -> None:
        self.own = Delayed()
        self.rules: list[Rule] = []
        self.exempt = Runs()
        self._expired = Runs()
        self._overdue = Runs()

    def __bool__(self) -> bool:
        """Whether there is anything to know of expiry."""
        return bool(self.rules) or self.own.count > 0 or self.exempt.count > 0

    def change(self, first: int, after_ms: int | None, floor: int = 0) -> None:
        """From ``first`` on, messages expire so long after they arrived. What is before ``floor`` is settled."""
        rules = self.rules
        while len(rules) > 1 and rules[1].first <= floor:
            del rules[0]
        if after_ms == (rules[-1].after_ms if rules else None):
            return
        if rules and rules[-1].first == first:
            rules.pop()
        if rules or after_ms is not None:
            rules.append(Rule(first, after_ms))

    def next_due(self, floor: int, log: Log) -> int | None:
        """When to look next, milliseconds; what is before ``floor`` is settled."""
        if self._expired:
            return 0
        due = self.own.next_due()
        for rule, end in self._ranges(log):
            at = max(rule.looked, floor, log.first)
            if rule.after_ms is not None and at < end:
                found = log.time_of(at) + rule.after_ms
                due = found if due is None or found < due else due
        return due

    def look(
        self, at_ms: int, limit: int, unsettled: Callable[[int, int], Iterator[Range]], waiting: Within, log: Log
    ) -> bool:
        """Find what has expired by ``at_ms``; True: there may be more. At most ``limit`` rows and runs are looked at.

        Args:
            unsettled, waiting: The parts of a range that are not settled, and that nobody holds.
        """
        rows, is_more = self.own.pass_due(at_ms, limit)
        for row in rows:
            self._found([(row[0], row[1])], waiting)
        for rule, end in self._ranges(log):
            if rule.after_ms is None:
                continue
            end = min(end, log.arrived_by(at_ms - rule.after_ms))
            for first, last in unsettled(max(rule.looked, log.first), end - 1):
                if limit <= 0:
                    return True
                last = min(last, first + limit - 1)
                limit -= last - first + 1
                own = [(row[0], row[1]) for row in self.own.within(first, last)]
                for a, b in gaps(first, last, own):
                    self._found(gaps(a, b, self.exempt.within(a, b)), waiting)
                rule.looked = last + 1
            if rule.looked < end and limit <= 0:
                return True
            rule.looked = max(rule.looked, end)
        return is_more

    def expired(self, limit: int, waiting: Within) -> list[Range]:
        """Up to ``limit`` messages that have expired, and that nobody holds now."""
        chosen: list[Range] = []
        for first, last in self._expired.starting(0):
            last = min(last, first + limit - 1)
            chosen.append((first, last))
            limit -= last - first + 1
            if limit <= 0:
                break
        found: list[Range] = []
        for first, last in chosen:
            free = waiting(first, last)
            found.extend(free)
            for a, b in gaps(first, last, free):  # it was taken again by who held it before a restart
                self._expired.remove(a, b)
                self._overdue.add(a, b)
        return found

    @property
    def has_expired(self) -> bool:
        """Whether something that nobody holds is known to have expired."""
        return self._expired.count > 0

    @property
    def is_overdue(self) -> bool:
        """Whether something that somebody holds has expired."""
        return self._overdue.count > 0

    def came_back(self, first: int, last: int) -> None:
        """Nobody holds ``first`` … ``last`` any more."""
        for a, b in self._overdue.remove(first, last):
            self._expired.add(a, b)

    def settle(self, first: int, last: int) -> None:
        """``first`` … ``last`` are done with."""
        if self.own.count:
            self.own.remove(first, last)
        for runs in (self.exempt, self._expired, self._overdue):
            if runs.count:
                runs.remove(first, last)

    def _found(self, runs: Sequence[Range], waiting: Within) -> None:
        """These have expired."""
        for first, last in runs:
            known = sorted([*self._expired.within(first, last), *self._overdue.within(first, last)])
            for a, b in gaps(first, last, known):
                free = waiting(a, b)
                for x, y in free:
                    self._expired.add(x, y)
                for x, y in gaps(a, b, free):
                    self._overdue.add(x, y)

    def _ranges(self, log: Log) -> Iterator[tuple[Rule, int]]:
        """Each rule, and the sequence that it ends before."""
        rules = self.rules
        for at, rule in enumerate(rules):
            yield rule, rules[at + 1].first if at + 1 < len(rules) else log.next
