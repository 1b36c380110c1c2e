"""Runs: a set of integers, checked against Python's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from machine_settings import MACHINE
from postroad.broker.core.durable import runs as module
from postroad.broker.core.durable.runs import Runs, gaps

small = st.integers(0, 40)


def runs_of(values: set[int]) -> Runs:
    return Runs((value, value) for value in sorted(values))


def members(runs: Runs) -> list[int]:
    return [value for first, last in runs for value in range(first, last + 1)]


@pytest.mark.parametrize(
    ("have", "add", "want"),
    [
        pytest.param([], (3, 5), [(3, 5)], id="into-nothing"),
        pytest.param([(0, 2)], (3, 5), [(0, 5)], id="joins-left"),
        pytest.param([(6, 7)], (3, 5), [(3, 7)], id="joins-right"),
        pytest.param([(0, 2), (6, 7)], (3, 5), [(0, 7)], id="fills-the-gap"),
        pytest.param([(0, 1), (7, 8)], (3, 5), [(0, 1), (3, 5), (7, 8)], id="between"),
        pytest.param([(7, 8)], (3, 5), [(3, 5), (7, 8)], id="before"),
        pytest.param([(0, 1)], (3, 5), [(0, 1), (3, 5)], id="after"),
    ],
)
def test_adding_joins_neighbours(
    have: list[tuple[int, int]], add: tuple[int, int], want: list[tuple[int, int]]
) -> None:
    runs = Runs(have)

    runs.add(*add)

    assert list(runs) == want
    assert runs.count == sum(last - first + 1 for first, last in want)


@given(st.sets(small), small, small)
def test_removing_returns_exactly_what_was_there(values: set[int], a: int, b: int) -> None:
    runs, first, last = runs_of(values), min(a, b), max(a, b)

    removed = runs.remove(first, last)

    assert members(Runs(removed)) == sorted(v for v in values if first <= v <= last)
    assert members(runs) == sorted(v for v in values if not first <= v <= last)
    assert runs.count == len(members(runs))


@given(st.sets(small, min_size=1), st.integers(1, 10))
def test_taking_gives_the_first_run_up_to_the_count(values: set[int], count: int) -> None:
    runs = runs_of(values)

    first, last = runs.take(count)

    taken = list(range(first, last + 1))
    assert taken == sorted(values)[: len(taken)]
    assert len(taken) == count or last + 1 not in values
    assert members(runs) == sorted(values - set(taken))
    assert runs.count == len(values) - len(taken)


@given(st.sets(small), st.integers(-1, 41), st.integers(1, 50))
def test_after_lists_members_above_a_value(values: set[int], value: int, limit: int) -> None:
    assert runs_of(values).after(value, limit) == [v for v in sorted(values) if v > value][:limit]


@given(st.sets(small))
def test_a_list_of_runs_restores_the_set(values: set[int]) -> None:
    runs = runs_of(values)

    restored = Runs.from_flat(runs.to_array())

    assert (members(restored), restored.count, bool(restored)) == (sorted(values), len(values), bool(values))
    assert all((value in restored) == (value in values) for value in range(42))


def ranges(values: set[int]) -> list[tuple[int, int]]:
    """As runs, the slow way."""
    found: list[tuple[int, int]] = []
    for value in sorted(values):
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


class RunsMachine(RuleBasedStateMachine):
    """A set beside ``Runs`` that goes from lists to chunks and back with a handful of runs."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        for name, value in (("LARGE", 6), ("SMALL", 3), ("CHUNK", 4), ("CUT_OFF", 2)):
            self.patch.setattr(module, name, value)
        self.runs = Runs()
        self.values: set[int] = set()

    @rule(first=st.integers(0, 80), more=st.integers(0, 12))
    def add(self, first: int, more: int) -> None:
        for a, b in ranges(set(range(first, first + more + 1)) - self.values):
            self.runs.add(a, b)
        self.values |= set(range(first, first + more + 1))

    @rule(first=st.integers(0, 30))
    def add_every_third(self, first: int) -> None:
        for value in range(first, first + 40, 3):
            if value not in self.values:
                self.runs.add(value, value)
                self.values.add(value)

    @rule(first=st.integers(0, 80), more=st.integers(0, 40))
    def remove(self, first: int, more: int) -> None:
        gone = self.values & set(range(first, first + more + 1))
        assert self.runs.remove(first, first + more) == ranges(gone)
        self.values -= gone

    @precondition(lambda self: self.values)
    @rule(count=st.integers(1, 12))
    def take(self, count: int) -> None:
        first, last = ranges(self.values)[0]
        last = min(last, first + count - 1)
        assert self.runs.take(count) == (first, last)
        self.values -= set(range(first, last + 1))

    @rule()
    def restore(self) -> None:
        self.runs = Runs.from_flat(self.runs.to_array())

    @rule(first=st.integers(0, 90), more=st.integers(0, 40), limit=st.integers(0, 9))
    def look(self, first: int, more: int, limit: int) -> None:
        inside = self.values & set(range(first, first + more + 1))
        assert self.runs.within(first, first + more) == ranges(inside)
        behind = sorted(value for value in self.values if value >= first)
        assert list(self.runs.starting(first)) == ranges(set(behind))
        assert self.runs.after(first - 1, limit) == behind[:limit]
        held = ranges(inside)
        assert gaps(first, first + more, held) == ranges(set(range(first, first + more + 1)) - inside)

    @invariant()
    def both_are_the_same(self) -> None:
        runs = self.runs
        assert (list(runs), len(runs), runs.count) == (ranges(self.values), len(ranges(self.values)), len(self.values))
        assert [value for value in range(100) if value in runs] == sorted(self.values)
        if self.values:
            assert (runs.first, runs.first_run) == (min(self.values), ranges(self.values)[0])
        if runs._chunks is not None:
            assert all(0 < len(firsts) <= module.CHUNK for firsts, _ in runs._chunks.arrays())

    def teardown(self) -> None:
        self.patch.undo()


RunsMachine.TestCase.settings = MACHINE
TestRunsMachine = RunsMachine.TestCase


def test_a_million_runs_cost_their_bytes_and_a_change_moves_few_of_them() -> None:
    runs = Runs()
    for value in range(0, 200_000, 2):
        runs.add(value, value)
    assert runs._chunks is not None

    arrays = [array for pair in runs._chunks.arrays() for array in pair]

    assert sum(len(array) * array.itemsize for array in arrays) == 16 * 100_000
    assert max(map(len, arrays)) <= module.CHUNK
    runs.remove(100_000, 100_000)
    assert 99_999 not in runs and 100_002 in runs and 100_000 not in runs
