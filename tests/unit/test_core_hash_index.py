"""An index of numbers by hash, beside a set."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from machine_settings import MACHINE
from postroad.broker.core.durable import hash_index
from postroad.broker.core.durable.hash_index import HashIndex

numbers = st.integers(0, 120)


def hash_of(number: int) -> int:
    return number // 3 * 2_654_435_761 * 977 & 0xFFFFFFFFFF


class IndexMachine(RuleBasedStateMachine):
    """Numbers in threes have the same hash; pages hold two entries."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(hash_index, "PAGE", 2)
        self.gone: set[int] = set()
        self.known: set[int] = set()
        self.index = HashIndex(lambda number: None if number in self.gone else hash_of(number))

    @rule(first=numbers, count=st.integers(1, 40))
    def add(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            if number not in self.known and number not in self.gone:
                self.index.add(hash_of(number), number)
                self.known.add(number)

    @rule(first=numbers, count=st.integers(1, 60))
    def remove(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            if number not in self.gone:
                assert self.index.remove(hash_of(number), number) == (number in self.known)
                self.known.discard(number)

    @rule(number=numbers)
    def stand_for_nothing(self, number: int) -> None:
        self.gone.add(number)
        self.known.discard(number)

    @precondition(lambda self: not self.known)
    @rule(count=st.integers(0, 50))
    def begin_anew_with_pages_for_many(self, count: int) -> None:
        self.index = HashIndex(self.index._hash_of)
        self.index.reserve(count)

    @rule()
    def clean(self) -> None:
        for _ in range(self.index.pages):
            self.index.clean()
        assert len(self.index) == len(self.known)

    @invariant()
    def what_is_there_is_found_and_nothing_else(self) -> None:
        for number in range(161):
            if number not in self.gone:
                assert (number in self.index.find(hash_of(number))) == (number in self.known)
        assert len(self.index) >= len(self.known)

    def teardown(self) -> None:
        self.patch.undo()


IndexMachine.TestCase.settings = MACHINE
TestIndexMachine = IndexMachine.TestCase


def test_a_look_up_gives_few_candidates_and_an_entry_costs_few_bytes() -> None:
    index = HashIndex(lambda number: number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
    for number in range(20_000):
        index.add(number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF, number)

    candidates = [
        len(list(index.find(number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF))) for number in range(0, 20_000, 50)
    ]

    assert sum(candidates) <= 3 * len(candidates)
    assert 20_000 / hash_index.PAGE / 2 <= index.pages <= 20_000 / hash_index.PAGE * 2
