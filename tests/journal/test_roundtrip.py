from __future__ import annotations

import random

import pytest
from journal_rig import SMALL, Rig, bodies, contents, expected, fill, header, record
from postroad.broker.errors import Gone, InvalidState, LimitExceeded
from postroad.broker.testing import MemoryFiles


def test_a_fresh_store_is_empty_and_has_an_identity() -> None:
    rig = Rig(MemoryFiles()).start()

    assert rig.recovered.last_position == 0
    assert rig.recovered.snapshot is None
    assert rig.recovered.epoch == 1
    assert len(bytes.fromhex(rig.recovered.store)) == 16
    rig.close()


def test_records_come_back_in_order_after_a_clean_stop() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 50)
    rig.close()

    assert contents(files) == expected(50)


def test_every_start_raises_the_epoch_and_keeps_the_store() -> None:
    files = MemoryFiles()
    starts = []
    for _ in range(3):
        rig = Rig(files).start()
        starts.append(rig.recovered)
        rig.close()

    assert [start.epoch for start in starts] == [1, 2, 3]
    assert len({start.store for start in starts}) == 1


def test_positions_are_consecutive_across_units_segments_and_starts() -> None:
    files = MemoryFiles()
    seen = []
    for _ in range(3):
        rig = Rig(files).start()
        seen += [rig.put((b"a", b"x" * 1000), (b"b", None), (b"c", b"y" * 2000)) for _ in range(20)]
        rig.close()

    assert seen == list(range(1, 180, 3))
    assert [position for position, _ in Rig(files).start().replayed] == list(range(1, 181))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bodies_of_any_buffer_type_come_back(kind: type) -> None:
    rig = Rig(MemoryFiles()).start()
    position = rig.put((b"h", kind(b"body")))

    assert bytes(rig.journal.read(position)[1]) == b"body"
    rig.close()


def test_a_record_is_readable_before_it_is_written() -> None:
    rig = Rig(MemoryFiles()).start()
    first = rig.journal.append([record(1), record(2)])

    assert rig.durable == 0
    assert rig.journal.read(first + 1) == (header(2), memoryview(bodies(2)))
    rig.close()


def test_records_of_many_sizes_are_found_again_through_the_sparse_index() -> None:
    rng = random.Random(5)
    rig = Rig(MemoryFiles(), segment_bytes=256 * 1024).start()
    written = {}
    for _ in range(300):
        unit = [(b"h" * rng.randrange(1, 200), rng.randbytes(rng.choice((0, 3, 100, 5000, 40_000)))) for _ in range(3)]
        first = rig.put(*unit, wait=rng.random() < 0.3)
        written.update(enumerate(unit, first))
    rig.put((b"end", None))

    for position in rng.sample(sorted(written), 300):
        head, body = rig.journal.read(position)
        assert (head, bytes(body)) == written[position]
    scanned = {position: (head, length) for position, head, length in rig.journal.scan(1)}
    assert scanned == {p: (h, len(b)) for p, (h, b) in written.items()} | {901: (b"end", 0)}
    rig.close()


def test_scan_gives_the_asked_range_and_only_what_is_durable() -> None:
    rig = Rig(MemoryFiles()).start()
    fill(rig, 30)
    rig.journal.append([record(31)])

    assert [p for p, _, _ in rig.journal.scan(7, 12)] == [7, 8, 9, 10, 11, 12]
    assert [p for p, _, _ in rig.journal.scan(28)] == [28, 29, 30]
    assert list(rig.journal.scan(31)) == []
    rig.close()


def test_old_segments_are_readable_after_a_start_from_a_snapshot() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 1500)
    rig.journal.write_snapshot(1490, b"state")
    rig.close()

    rig = Rig(files).start()

    assert rig.recovered.snapshot == b"state"
    assert [p for p, _ in rig.replayed] == list(range(1491, 1501))
    assert bytes(rig.journal.read(3)[1]) == bodies(3)
    assert [p for p, _, _ in rig.journal.scan(1)] == list(range(1, 1501))
    rig.close()


def test_a_unit_larger_than_a_segment_is_refused_and_changes_nothing() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    with pytest.raises(LimitExceeded):
        rig.journal.append([(b"h", b"x" * SMALL)])
    rig.put(record(1))
    rig.close()

    assert contents(files) == expected(1)


def test_positions_not_given_yet_and_never_are_told_apart_from_gone() -> None:
    rig = Rig(MemoryFiles()).start()
    rig.put(record(1))

    with pytest.raises(InvalidState):
        rig.journal.read(2)
    with pytest.raises(InvalidState):
        rig.journal.read(0)
    with pytest.raises(Gone):
        list(rig.journal.scan(0))
    rig.close()


def test_smaller_segments_at_the_next_start_still_take_the_unproven_suffix() -> None:
    files = MemoryFiles()
    rig = Rig(files, segment_bytes=256 * 1024).start()
    rig.put((b"large", b"x" * 200_000))
    crashed = files.copy()
    rig.close()

    assert contents(crashed) == [(1, b"large", b"x" * 200_000)]
