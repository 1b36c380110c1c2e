"""Runs: a set of integers, checked against Python's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.broker.core.durable.runs import Runs

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

    restored = Runs.from_list(runs.to_list())

    assert (members(restored), restored.count, bool(restored)) == (sorted(values), len(values), bool(values))
    assert all((value in restored) == (value in values) for value in range(42))
