"""A run map beside a dictionary."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from machine_settings import MACHINE
from postroad.broker.core.durable import run_map
from postroad.broker.core.durable.run_map import COUNT_MAX, RunMap

places = st.integers(0, 60)


def rows_of(known: dict[int, tuple[int, ...]]) -> list[tuple[int, ...]]:
    rows: list[tuple[int, ...]] = []
    for sequence in sorted(known):
        if rows and rows[-1][1] == sequence - 1 and rows[-1][2:] == known[sequence]:
            rows[-1] = (rows[-1][0], sequence, *known[sequence])
        else:
            rows.append((sequence, sequence, *known[sequence]))
    return rows


class MapMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(run_map, "CHUNK", 4)
        self.map = RunMap("QB")
        self.known: dict[int, tuple[int, ...]] = {}

    @rule(first=places, more=st.integers(0, 9), one=st.integers(0, 1), two=st.integers(0, 2))
    def add(self, first: int, more: int, one: int, two: int) -> None:
        free = {s: () for s in range(first, first + more + 1) if s not in self.known}
        for a, b in rows_of(free):
            joins = self.known.get(a - 1) == (one, two)
            assert self.map.add(a, b, one, two) == (not joins)
            self.known |= dict.fromkeys(range(a, b + 1), (one, two))

    @rule(first=places, more=st.integers(0, 30))
    def remove(self, first: int, more: int) -> None:
        gone = {s: self.known.pop(s) for s in range(first, first + more + 1) if s in self.known}
        assert self.map.remove(first, first + more) == rows_of(gone)

    @rule()
    def restore(self) -> None:
        self.map = RunMap.from_views("QB", [memoryview(values) for values in self.map.to_arrays()])

    @rule(first=places, more=st.integers(0, 30))
    def look(self, first: int, more: int) -> None:
        inside = {s: values for s, values in self.known.items() if first <= s <= first + more}
        behind = {s: values for s, values in self.known.items() if s >= first}
        assert self.map.within(first, first + more) == rows_of(inside)
        assert list(self.map.starting(first)) == rows_of(behind)

    @invariant()
    def both_are_the_same(self) -> None:
        rows = rows_of(self.known)
        assert (list(self.map), len(self.map), self.map.count) == (rows, len(rows), len(self.known))
        assert {s for s in range(75) if s in self.map} == set(self.known)
        assert all(self.map.get(s, 77) == self.known.get(s, (77,))[0] for s in range(75))
        assert all(self.map.row_at(row[0]) == row for row in rows)
        assert all(0 < len(chunk.firsts) <= run_map.CHUNK for chunk in self.map._chunks)

    def teardown(self) -> None:
        self.patch.undo()


MapMachine.TestCase.settings = MACHINE
TestMapMachine = MapMachine.TestCase


def test_a_row_counts_no_further_than_its_array_can() -> None:
    found = RunMap("I")
    found.add(0, COUNT_MAX - 1, 1)

    assert found.add(COUNT_MAX, COUNT_MAX + 9, 1)

    assert list(found) == [(0, COUNT_MAX - 1, 1), (COUNT_MAX, COUNT_MAX + 9, 1)]
