"""The log: where each message is, what is still needed, how many bytes."""

from __future__ import annotations

import pytest
from postroad.broker.core.durable.log import Log
from postroad.broker.core.durable.parts import PartReader, PartWriter


@pytest.fixture
def log() -> Log:
    """Three records: sequences 0-4 at position 10, 5 at 11, 6-8 at 12 from index 2."""
    log = Log()
    log.append(5, 10, 0, 500, 1000)
    log.append(1, 11, 0, 7, 1001)
    log.append(3, 12, 2, 30, 1002)
    return log


@pytest.mark.parametrize(
    ("sequence", "place"),
    [(0, (10, 0)), (4, (10, 4)), (5, (11, 0)), (6, (12, 2)), (8, (12, 4))],
)
def test_a_sequence_is_found_in_its_record(log: Log, sequence: int, place: tuple[int, int]) -> None:
    assert log.locate(sequence) == place


def test_pieces_cut_a_range_at_record_boundaries(log: Log) -> None:
    assert list(log.pieces(3, 7)) == [(10, 3, 2, 3), (11, 0, 1, 5), (12, 2, 2, 6)]


def test_places_stop_at_the_limit(log: Log) -> None:
    assert log.places([(0, 1, 0), (4, 8, 0)], 3) == [(10, 0, 2), (10, 4, 1), (11, 0, 1)]


def test_a_record_is_released_when_its_last_message_is_settled(log: Log) -> None:
    assert log.settle(0, 3) == []
    assert log.settle(4, 5) == [10, 11]
    assert log.settle(7, 8) == []
    assert log.settle(6, 6) == [12]
    assert log.bytes == 0


def test_bytes_fall_in_proportion_and_end_at_nothing(log: Log) -> None:
    log.settle(0, 1)

    assert log.bytes == 537 - 200
    assert log.size_of(2) == 100

    log.settle(2, 4)
    assert log.bytes == 37


def test_only_live_records_are_referred_to(log: Log) -> None:
    log.settle(0, 4)
    log.settle(6, 7)
    log.placed.add(8, 8, 99, 1)

    assert sorted(log.references()) == [11, 12, 99]


def test_settling_a_placed_message_releases_the_record_that_placed_it(log: Log) -> None:
    log.placed.add(5, 5, 42, 1)

    assert sorted(log.settle(5, 5)) == [11, 42]
    assert log.placed_at(5) is None


def test_a_long_settled_head_is_forgotten_and_the_rest_still_found() -> None:
    log = Log()
    for position in range(1, 5001):
        log.append(1, position, 0, 1, 1000)

    log.settle(0, 3999)

    assert len(log.firsts) < 2000
    assert log.locate(4500) == (4501, 0)
    assert list(log.pieces(4999, 4999)) == [(5000, 0, 1, 4999)]
    assert log.append(1, 6000, 0, 1, 1000) == 5000
    assert log.locate(5000) == (6000, 0)


def test_parts_restore_the_log(log: Log) -> None:
    log.settle(0, 4)
    log.settle(7, 7)
    log.placed.add(5, 5, 42, 1)

    written = PartWriter()
    head = log.to_json(written)
    data = b"".join(part.tobytes() for part in written.parts)
    restored = Log.from_json(head, PartReader(memoryview(data)))

    again = PartWriter()
    assert (restored.to_json(again), again.parts) == (head, written.parts)
    assert (restored.next, restored.bytes, list(restored.placed)) == (log.next, log.bytes, [(5, 5, 42, 1)])
    assert restored.locate(8) == (12, 4)
    assert sorted(restored.references()) == sorted(log.references())
