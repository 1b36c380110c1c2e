"""Where the last records of each queue are: known from a position on, bounded for each and over all."""

from __future__ import annotations

import pytest
from postroad.broker.engine.embedded.look import recent
from postroad.broker.engine.embedded.look.recent import POSITIONS_MAX, Recent


def test_a_name_that_was_not_heard_of_has_none_since_the_start() -> None:
    assert Recent(10).of("q") == ([], 11)


def test_positions_come_in_order_and_reach_back_to_the_start() -> None:
    known = Recent(10)
    for position in (12, 15, 15, 20):
        known.note("q", position)

    assert known.of("q") == ([12, 15, 20], 11)


def test_only_the_last_ones_are_kept_and_it_says_from_where_on() -> None:
    known = Recent(0)
    for position in range(1, POSITIONS_MAX + 11):
        known.note("q", position)

    positions, known_from = known.of("q")
    assert positions == list(range(11, POSITIONS_MAX + 11))
    assert known_from == 11


def test_of_too_many_names_those_that_were_silent_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "NAMES_MAX", 4)
    known = Recent(0)
    for position, name in enumerate(("a", "b", "c", "d", "a", "e"), 1):
        known.note(name, position)

    assert known.of("a") == ([1, 5], 1)
    assert known.of("b") == ([], 4), "it may have had records up to position 3"
    assert known.of("e") == ([6], 4)
    known.note("b", 7)
    assert known.of("b") == ([7], 4)


def test_a_position_that_is_noted_twice_counts_once() -> None:
    known = Recent(0)
    known.note("q", 1)
    known.note("q", 1)

    assert known.of("q") == ([1], 1)
