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


def test_of_too_many_names_the_one_that_was_silent_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "NAMES_MAX", 2)
    known = Recent(0)
    for position, name in enumerate(("a", "b", "a", "c"), 1):
        known.note(name, position)

    assert known.of("a") == ([1, 3], 1)
    assert known.of("b") == ([], 3), "it may have had records up to position 2"
    assert known.of("c") == ([4], 1)
    known.note("b", 5)
    assert known.of("b") == ([5], 3)
