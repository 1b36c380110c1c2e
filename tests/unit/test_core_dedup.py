"""The window of dedup keys, beside a dictionary."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from machine_settings import MACHINE
from postroad.broker.core.durable import dedup
from postroad.broker.core.durable.dedup import KEYS_MAX, PRUNE_MAX, WINDOW_MS, DedupWindow
from postroad.broker.core.durable.parts import PartReader, PartWriter

START_MS = 1_700_000_000_000


class DedupMachine(RuleBasedStateMachine):
    """Blocks of four rows, and no more than six keys."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(dedup, "BLOCK", 4)
        self.patch.setattr(dedup, "KEYS_MAX", 6)
        self.window = DedupWindow()
        self.known: list[tuple[str, tuple[int, int, int], int]] = []
        self.now = START_MS

    @rule(key=st.sampled_from("abcdefghij"), place=st.integers(1, 9))
    def add(self, key: str, place: int) -> None:
        self.window.add(key, place, place + 1, place * 7, self.now)
        self.known.append((key, (place, place + 1, place * 7), self.now))

    @rule(ms=st.sampled_from([1, WINDOW_MS // 3, WINDOW_MS - 1, WINDOW_MS]))
    def wait(self, ms: int) -> None:
        self.now += ms

    @rule(is_first_version=st.booleans())
    def restore(self, is_first_version: bool) -> None:
        if is_first_version:
            rows = [(key, *place, at) for key, place, at in self.known[-len(self.window) :] if len(self.window)]
            self.window = DedupWindow.from_rows(rows)
        else:
            parts = PartWriter()
            data = self.window.to_json(parts)
            written = b"".join(part.tobytes() for part in parts.parts)
            self.window = DedupWindow.from_json(data, PartReader(memoryview(written)))

    @invariant()
    def the_newest_six_are_known_for_their_time(self) -> None:
        newest = {key: (place, at) for key, place, at in self.known[-6:]}
        for key in "abcdefghij":
            place, at = newest.get(key, (None, 0))
            assert self.window.find(key, self.now) == (place if at + WINDOW_MS > self.now else None)
        assert len(self.window) <= 6

    def teardown(self) -> None:
        self.patch.undo()


DedupMachine.TestCase.settings = MACHINE
TestDedupMachine = DedupMachine.TestCase


def test_after_a_pause_a_key_lets_go_of_a_few_old_ones_and_the_next_keys_of_the_rest() -> None:
    window = DedupWindow()
    for number in range(1000):
        window.add(f"old {number}", 1, number, 0, START_MS)

    window.add("new", 2, 0, 0, START_MS + WINDOW_MS)

    assert len(window) == 1001 - PRUNE_MAX
    for number in range(1000 // PRUNE_MAX):
        window.add(f"new {number}", 3, number, 0, START_MS + WINDOW_MS)
    assert len(window) == 1 + 1000 // PRUNE_MAX
    assert window.find("old 999", START_MS + WINDOW_MS) is None
    assert window.find("new", START_MS + WINDOW_MS) == (2, 0, 0)


def test_there_are_never_more_keys_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEYS_MAX == 1_000_000
    monkeypatch.setattr(dedup, "KEYS_MAX", 100)
    window = DedupWindow()

    for number in range(1000):
        window.add(f"key {number}", 1, number, 0, START_MS)
        assert len(window) <= 100

    assert window.find("key 899", START_MS) is None
    assert window.find("key 900", START_MS) == (1, 900, 0)
