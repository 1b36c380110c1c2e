"""What waits for its time: never early, whole, in bounded steps, and gone when settled first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from machine_settings import MACHINE
from postroad.broker.core.durable import delayed as module
from postroad.broker.core.durable import run_map
from postroad.broker.core.durable.delayed import DUE_MAX, STALE_SPARE, Delayed

START_MS = 1_700_000_000_000
DAY_MS = 86_400_000


def due_at(delayed: Delayed, at: int, limit: int = 1000) -> list[int]:
    rows, is_more = delayed.take_due(at, limit)
    while is_more:
        more, is_more = delayed.take_due(at, limit)
        rows += more
    return [sequence for first, last, *_ in rows for sequence in range(first, last + 1)]


def test_nothing_comes_before_its_millisecond() -> None:
    delayed = Delayed()
    delayed.add(START_MS + 500, 0, 2, 4, START_MS)

    assert delayed.take_due(START_MS + 499, 10) == ([], False)
    assert delayed.take_due(START_MS + 500, 10) == ([(0, 2, START_MS + 500, 4)], False)
    assert not delayed


@pytest.mark.parametrize("delay", [1, 255, 256, 70_000, DAY_MS, 14 * DAY_MS, 2**45])
def test_a_few_looks_at_the_times_it_names_lead_to_the_exact_one(delay: int) -> None:
    delayed = Delayed()
    delayed.add(START_MS + delay, 0, 0, 0, START_MS)

    looks = 0
    while (due := delayed.next_due()) is not None:
        assert START_MS < due <= START_MS + delay
        taken, is_more = delayed.take_due(due, 10)
        assert not is_more and (not taken or due == START_MS + delay)
        looks += 1

    assert looks <= 7


def test_what_is_due_already_comes_at_once() -> None:
    delayed = Delayed()
    delayed.add(START_MS + 900, 0, 0, 0, START_MS)
    delayed.take_due(START_MS + 100, 10)
    delayed.add(START_MS - 5, 1, 1, 0)

    assert (delayed.next_due() or 0) <= START_MS
    assert due_at(delayed, START_MS + 100) == [1]


def test_a_call_looks_at_no_more_entries_than_its_limit_and_says_that_there_is_more() -> None:
    delayed = Delayed()
    for sequence in range(0, 100, 2):
        delayed.add(START_MS + 5000 + sequence % 7, sequence, sequence, 0, START_MS)

    steps = []
    is_more = True
    while is_more:
        rows, is_more = delayed.take_due(START_MS + 6000, 8)
        steps.append(len(rows))

    assert max(steps) <= 8 and sum(steps) == 50


def test_neighbours_with_one_due_time_are_one_entry() -> None:
    delayed = Delayed()
    for batch in range(100):
        delayed.add(START_MS + 5000, batch * 10, batch * 10 + 9, 3, START_MS)

    assert delayed.take_due(START_MS + 5000, 1) == ([(0, 999, START_MS + 5000, 3)], False)


def test_what_came_first_comes_first_among_those_of_one_time() -> None:
    delayed = Delayed()
    for sequence in range(0, 20, 2):
        delayed.add(START_MS + 5000, sequence, sequence, 0, START_MS)

    assert due_at(delayed, START_MS + 5000, 3) == list(range(0, 20, 2))


def test_what_was_settled_before_its_time_never_comes() -> None:
    delayed = Delayed()
    delayed.add(START_MS + 500, 0, 9, 0, START_MS)
    assert delayed.remove(3, 4) == [(3, 4, START_MS + 500, 0)]

    assert delayed.due_of(3) is None
    assert delayed.due_of(5) == START_MS + 500
    assert sorted(due_at(delayed, START_MS + 1000)) == [0, 1, 2, 5, 6, 7, 8, 9]


def test_entries_of_settled_rows_do_not_pile_up() -> None:
    delayed = Delayed()
    delayed.add(START_MS + DAY_MS, 10**6, 10**6, 0, START_MS)
    for sequence in range(20 * STALE_SPARE):
        delayed.add(START_MS + 10_000_000 + sequence, sequence, sequence, 0, START_MS)
        delayed.remove(sequence, sequence)

    assert sum(map(len, delayed._buckets.values())) <= 2 * STALE_SPARE


def test_due_times_over_a_fortnight_need_few_buckets() -> None:
    delayed = Delayed()
    for sequence in range(20_000):
        delayed.add(START_MS + sequence * 7919 * 1000 % (14 * DAY_MS), sequence, sequence, 0, START_MS)

    assert len(delayed._buckets) <= 5 * 256


def test_nothing_waiting_wants_no_tick() -> None:
    delayed = Delayed()
    delayed.add(START_MS + 500, 0, 0, 0)
    delayed.remove(0, 0)

    assert delayed.next_due() is None


def test_what_waits_again_after_it_was_settled_early_does_not_come_at_its_former_time() -> None:
    waiting = Delayed()
    waiting.add(1_000, 5, 7, 0)
    waiting.remove(6, 6)

    waiting.add(9_000, 6, 6, 3)

    assert waiting.take_due(1_000, 9)[0] == [(5, 5, 1000, 0), (7, 7, 1000, 0)]
    assert waiting.take_due(9_000, 9)[0] == [(6, 6, 9000, 3)]


def test_times_and_priorities_beyond_all_sense_are_kept_within_bounds() -> None:
    delayed = Delayed()
    delayed.add(2**70, 0, 0, 10**9)

    assert list(delayed) == [(0, 0, DUE_MAX, module.PRIORITY_MAX)]


dues = st.one_of(
    st.integers(-3, 40), st.sampled_from([255, 256, 300, 65_535, 65_536, 70_000, 14 * DAY_MS, 2**40, 2**63])
)
places, some = st.integers(0, 60), st.integers(0, 9)


class DelayedMachine(RuleBasedStateMachine):
    """A dictionary of due times beside ``Delayed``, in chunks of four rows."""

    keeps_rows = False

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(run_map, "CHUNK", 4)
        self.patch.setattr(module, "STALE_SPARE", 3)
        self.patch.setattr(module, "SWEEP_MIN", 2)
        self.delayed = Delayed()
        self.known: dict[int, tuple[int, int]] = {}
        self.passed: set[int] = set()
        self.now = START_MS

    @rule(first=places, more=some, delay=dues, priority=st.integers(0, 2), is_told=st.booleans())
    def add(self, first: int, more: int, delay: int, priority: int, is_told: bool) -> None:
        due = min(self.now + delay, DUE_MAX)
        for sequence in range(first, first + more + 1):
            if sequence not in self.known:
                self.delayed.add(due, sequence, sequence, priority, self.now if is_told else 0)
                self.known[sequence] = (due, priority)

    @rule(first=places, more=st.integers(0, 30))
    def remove(self, first: int, more: int) -> None:
        gone = {s: self.known.pop(s) for s in range(first, first + more + 1) if s in self.known}
        assert flat(self.delayed.remove(first, first + more)) == gone
        self.passed -= set(gone)

    @rule(ms=st.sampled_from([0, 1, 5, 40, 300, 70_000, 14 * DAY_MS, 2**41]), limit=st.integers(1, 9))
    def look(self, ms: int, limit: int) -> None:
        self.now += ms
        due = {s: row for s, row in self.known.items() if row[0] <= self.now}
        found: dict[int, tuple[int, int]] = {}
        is_more = True
        while is_more:
            rows, is_more = (self.delayed.pass_due if self.keeps_rows else self.delayed.take_due)(self.now, limit)
            assert len(rows) <= limit
            found |= flat(rows)
        if self.keeps_rows:
            self.passed |= set(found)
            assert self.passed == set(due)
        else:
            assert found == due
            self.known = {s: row for s, row in self.known.items() if s not in due}

    @rule()
    def restore(self) -> None:
        self.delayed = Delayed.from_views([memoryview(values) for values in self.delayed.to_arrays()], self.now)
        self.passed = set()

    @invariant()
    def both_are_the_same(self) -> None:
        delayed, known = self.delayed, self.known
        assert (flat(list(delayed)), delayed.count, bool(delayed)) == (known, len(known), bool(known))
        assert len(delayed) == len(list(delayed))
        assert {s: due for s in range(75) if (due := delayed.due_of(s)) is not None} == {
            s: r[0] for s, r in known.items()
        }
        waiting = [due for s, (due, _) in known.items() if s not in self.passed]
        if waiting:
            assert (next_due := delayed.next_due()) is not None and next_due <= max(min(waiting), self.now)
        assert delayed._entries == sum(map(len, delayed._buckets.values()))

    def teardown(self) -> None:
        self.patch.undo()


class PassingMachine(DelayedMachine):
    keeps_rows = True


def flat(rows: list[Any]) -> dict[int, tuple[int, int]]:
    return {s: (due, priority) for first, last, due, priority in rows for s in range(first, last + 1)}


DelayedMachine.TestCase.settings = MACHINE
TestDelayedMachine = DelayedMachine.TestCase
PassingMachine.TestCase.settings = MACHINE
TestPassingMachine = PassingMachine.TestCase
