"""What waits for its time: never early, in order, and gone when settled first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from postroad.broker.core.durable.delayed import ROWS_SPARE, Delayed


def due_at(delayed: Delayed, at: int) -> list[int]:
    return [s for first, last, _ in delayed.take_due(at) for s in range(first, last + 1)]


def test_nothing_comes_before_its_millisecond() -> None:
    delayed = Delayed()
    delayed.add(10_500, 0, 2, 4)

    assert delayed.take_due(10_499) == []
    assert delayed.take_due(10_500) == [(0, 2, 4)]
    assert not delayed.members


def test_next_due_is_exact_once_its_second_has_come() -> None:
    delayed = Delayed()
    delayed.add(10_500, 0, 0, 0)

    assert delayed.next_due() == 10_000
    delayed.take_due(10_000)

    assert delayed.next_due() == 10_500


def test_what_is_added_within_the_running_second_keeps_its_order() -> None:
    delayed = Delayed()
    delayed.add(10_900, 0, 0, 0)
    delayed.take_due(10_100)
    delayed.add(10_300, 1, 1, 0)
    delayed.add(9_000, 2, 2, 0)

    assert delayed.next_due() == 9_000
    assert due_at(delayed, 10_900) == [2, 1, 0]


def test_what_was_settled_before_its_time_never_comes() -> None:
    delayed = Delayed()
    delayed.add(10_500, 0, 9, 0)
    assert delayed.remove(3, 4) == [(3, 4)]

    assert delayed.due_of(3) is None
    assert delayed.due_of(5) == 10_500
    assert due_at(delayed, 11_000) == [0, 1, 2, 5, 6, 7, 8, 9]


def test_settled_rows_do_not_pile_up() -> None:
    delayed = Delayed()
    for sequence in range(20 * ROWS_SPARE):
        delayed.add(10_000_000 + sequence, sequence, sequence, 0)
        delayed.remove(sequence, sequence)

    assert sum(len(bucket) for bucket in delayed._buckets.values()) // 4 <= 2 * ROWS_SPARE


def test_nothing_waiting_wants_no_tick() -> None:
    delayed = Delayed()
    delayed.add(10_500, 0, 0, 0)
    delayed.remove(0, 0)

    assert delayed.next_due() is None


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 3)), max_size=12), st.lists(st.integers(0, 40)))
def test_rows_restore_what_waits(rows: list[tuple[int, int]], settled: list[int]) -> None:
    delayed, sequence = Delayed(), 0
    for due, count in rows:
        delayed.add(due, sequence, sequence + count - 1, 0)
        sequence += count
    for gone in settled:
        delayed.remove(gone, gone)
    delayed.take_due(2500)

    restored = Delayed.from_flat_rows(delayed.flat_rows())

    assert restored.flat_rows() == delayed.flat_rows()
    assert list(restored.members) == list(delayed.members)
    for at in range(2500, 5001, 250):
        assert sorted(due_at(restored, at)) == sorted(due_at(delayed, at))


def test_what_waits_again_after_it_was_settled_early_does_not_come_at_its_former_time() -> None:
    waiting = Delayed()
    waiting.add(1_000, 5, 7, 0)
    waiting.remove(6, 6)

    waiting.add(9_000, 6, 6, 3)

    assert waiting.take_due(1_000) == [(5, 5, 0), (7, 7, 0)]
    assert waiting.take_due(9_000) == [(6, 6, 3)]
