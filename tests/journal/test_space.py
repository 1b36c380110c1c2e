"""Space: reserved ahead, refused in time, recycled, and found again."""

from __future__ import annotations

import errno
import threading

import pytest
from journal_rig import SMALL, Rig, bodies, contents, fill, header, record
from postroad.broker.errors import Gone, StorageFull
from postroad.broker.journal.spares import Spares
from postroad.broker.testing import FakeClock, FaultyFiles, MemoryFiles

HOUR = 3600 * 1000


def fill_segments(rig: Rig, count: int) -> None:
    """Append until that many segments were begun."""
    target = int(str(rig.journal.stats()["segments"])) + count
    while int(str(rig.journal.stats()["segments"])) < target:
        fill(rig, 1)


def cover(rig: Rig) -> None:
    """Two snapshots of everything, as ``collect`` wants."""
    position = rig.journal.durable_position
    rig.journal.write_snapshot(position - 1, b"a")
    rig.journal.write_snapshot(position, b"b")


def test_a_full_disk_refuses_publishes_and_still_takes_settles() -> None:
    files = MemoryFiles(capacity=SMALL * 4 + 8192)
    rig = Rig(files).start()

    published = settled = 0
    while rig.journal.has_room(1000):
        rig.put((b"p", b"x" * 1000))
        published += 1
    while rig.journal.has_room(100, settle=True):
        rig.put((b"s" * 100, None))
        settled += 1

    assert published > 20
    assert settled > 30, "the reserve takes many settles"
    assert not rig.journal.has_room(1000)
    assert rig.failures == []
    rig.close()
    assert len(contents(files)) == published + settled


def test_files_that_are_made_slowly_are_no_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on = threading.Event()
    fill_one = Spares._fill

    def slowly(self: Spares) -> None:
        may_go_on.wait(20)
        fill_one(self)

    rig = Rig(MemoryFiles()).start()
    monkeypatch.setattr(Spares, "_fill", slowly)
    for _ in range(SMALL * 4 // 1000):
        assert rig.journal.has_room(1000)
        rig.journal.append([(b"p", b"x" * 1000)])
    may_go_on.set()

    assert rig.failures == []
    rig.close()


def test_publishing_goes_on_when_space_is_free_again() -> None:
    files = MemoryFiles(capacity=SMALL * 4 + 8192)
    rig = Rig(files, retry_ms=5).start()
    while rig.journal.has_room(1000):
        rig.put((b"p", b"x" * 1000))

    files.capacity = SMALL * 20
    rig.until(lambda: rig.journal.has_room(1000))

    rig.put((b"p", b"x" * 1000))
    rig.close()


def test_collecting_segments_makes_room_at_once() -> None:
    clock = FakeClock()
    files = MemoryFiles(capacity=SMALL * 4 + 12_288)
    rig = Rig(files, clock=clock, retry_ms=3_600_000, history_bytes=0).start()
    while rig.journal.has_room(1000):
        rig.put((b"p", b"x" * 1000))
    cover(rig)

    assert rig.journal.collect(clock.now_ms()) > 0
    assert rig.journal.has_room(1000)
    rig.close()


def test_a_disk_full_to_the_last_byte_recovers_by_snapshots_and_collecting() -> None:
    clock = FakeClock()
    files = MemoryFiles(capacity=SMALL * 6)
    rig = Rig(files, clock=clock, retry_ms=5, history_bytes=0).start()
    while not rig.journal.stats()["full"]:  # without room, but not full: the next segment is only being made
        if rig.journal.has_room(1000):
            rig.put((b"p", b"x" * 1000))
        else:
            rig.until(lambda: rig.journal.stats()["full"] or rig.journal.has_room(1000))
    files.capacity = files.used

    cover(rig)
    rig.journal.collect(clock.now_ms())

    rig.until(lambda: rig.journal.has_room(1000))
    assert rig.failures == []
    rig.close()


def test_a_start_on_a_full_disk_uses_the_spare() -> None:
    files = MemoryFiles(capacity=SMALL * 4 + 8192)
    rig = Rig(files).start()
    while rig.journal.has_room(1000):
        rig.put((b"p", b"x" * 1000))
    count = rig.journal.position
    crashed = files.copy()
    rig.close()

    assert len(contents(crashed)) == count


def test_collecting_works_where_not_even_the_manifest_fits() -> None:
    clock = FakeClock()
    memory = MemoryFiles()
    files = FaultyFiles(memory)
    rig = Rig(files, clock=clock, history_bytes=0).start()
    fill_segments(rig, 4)
    cover(rig)
    unlinked = files.count("unlink")

    def full(operation: str, name: str) -> None:
        if operation == "pwritev" and name == "manifest.tmp" and files.count("unlink") == unlinked:
            raise OSError(errno.ENOSPC, "injected")

    files.before = full
    unlinked += 1  # the half written manifest is unlinked first
    assert rig.journal.collect(clock.now_ms()) == 4
    files.before = None
    last, earliest = rig.journal.position, rig.journal.earliest
    rig.close()

    rig = Rig(memory).start()
    assert (rig.recovered.last_position, rig.journal.earliest) == (last, earliest)
    rig.close()


def small_start(files: MemoryFiles) -> None:
    """Leave a store without spares on a disk with hardly any space."""
    for name in files.list():
        if name.startswith("spare-"):
            files.unlink(name)


def test_a_start_without_a_spare_begins_a_small_segment() -> None:
    size = 4 * 1024 * 1024
    files = MemoryFiles()
    rig = Rig(files, segment_bytes=size).start()
    fill(rig, 20)
    rig.close()
    small_start(files)
    files.capacity = files.used + size // 2

    rig = Rig(files, segment_bytes=size).start()
    assert not rig.journal.has_room(1000)
    assert rig.journal.has_room(1000, settle=True)
    fill(rig, 20)
    rig.close()
    assert len(contents(files)) == 40


def test_a_start_with_no_space_at_all_says_so_and_frees_the_lock() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 20)
    rig.close()
    small_start(files)
    files.capacity = files.used + 16_384

    rig = Rig(files)
    with pytest.raises(StorageFull):
        rig.start()
    rig.close()
    files.capacity = None
    assert len(contents(files)) == 20


def test_an_append_without_room_fails_and_is_not_confirmed() -> None:
    files = FaultyFiles(MemoryFiles())
    files.fail("allocate", errno.ENOSPC, skip=1, times=None)
    rig = Rig(files, retry_ms=5).start()

    for _ in range(100):
        if rig.failures:
            break
        rig.journal.append([(b"p", b"x" * 5000)])
        rig.journal.flush()
        rig.until(lambda: rig.durable == rig.journal.position or rig.failures)

    assert [error.errno for error in rig.failures] == [errno.ENOSPC]  # type: ignore[attr-defined]
    assert rig.durable < rig.journal.position
    rig.close()


def test_nothing_is_collected_before_two_snapshots_cover_it() -> None:
    clock = FakeClock()
    rig = Rig(MemoryFiles(), clock=clock, history_bytes=0).start()
    fill_segments(rig, 3)

    assert rig.journal.collect(clock.now_ms()) == 0
    rig.journal.write_snapshot(rig.journal.durable_position - 1, b"a")
    assert rig.journal.collect(clock.now_ms()) == 0
    rig.journal.write_snapshot(rig.journal.durable_position, b"b")
    assert rig.journal.collect(clock.now_ms()) == 3
    rig.close()


def test_segments_inside_the_history_window_stay() -> None:
    clock = FakeClock()
    rig = Rig(MemoryFiles(), clock=clock, history_ms=HOUR, history_bytes=10 * SMALL).start()
    fill_segments(rig, 3)
    cover(rig)

    assert rig.journal.collect(clock.now_ms()) == 0
    assert rig.journal.collect(clock.now_ms() + HOUR + 1) == 3
    rig.close()


def test_history_ends_at_its_bytes_before_its_age() -> None:
    clock = FakeClock()
    rig = Rig(MemoryFiles(), clock=clock, history_ms=HOUR, history_bytes=2 * SMALL).start()
    fill_segments(rig, 5)
    cover(rig)

    assert rig.journal.collect(clock.now_ms()) == 3
    rig.close()


def test_a_referenced_segment_stays_while_later_ones_go() -> None:
    clock = FakeClock()
    files = MemoryFiles()
    rig = Rig(files, clock=clock, history_bytes=0).start()
    rig.journal.append([record(1)])
    rig.journal.retain(1)
    fill_segments(rig, 4)
    cover(rig)

    assert rig.journal.collect(clock.now_ms()) == 3
    assert bytes(rig.journal.read(1)[1]) == bodies(1)
    earliest = rig.journal.earliest
    with pytest.raises(Gone) as gone:
        rig.journal.read(earliest - 1)
    assert gone.value.details["earliest"] == earliest
    with pytest.raises(Gone):
        list(rig.journal.scan(1))
    rig.close()

    rig = Rig(files, clock=clock, history_bytes=0).start()
    rig.journal.retain(1)
    assert rig.journal.earliest == earliest
    assert bytes(rig.journal.read(1)[1]) == bodies(1)
    with pytest.raises(Gone):
        rig.journal.read(earliest - 1)
    rig.journal.release(1)
    fill_segments(rig, 1)
    cover(rig)
    rig.journal.collect(clock.now_ms())
    with pytest.raises(Gone):
        rig.journal.read(1)
    rig.close()


def test_a_segment_being_scanned_is_not_taken_away() -> None:
    clock = FakeClock()
    rig = Rig(MemoryFiles(), clock=clock, history_bytes=0).start()
    fill_segments(rig, 3)
    cover(rig)
    last = rig.journal.durable_position
    scan = rig.journal.scan(1)
    assert next(scan)[0] == 1

    assert rig.journal.collect(clock.now_ms()) == 2
    scan.close()
    assert rig.journal.collect(clock.now_ms()) == 1
    assert rig.journal.earliest <= last
    rig.close()


def test_recycled_segments_are_written_over_and_their_old_records_never_return() -> None:
    clock = FakeClock()
    files = MemoryFiles()
    rig = Rig(files, clock=clock, history_bytes=0).start()
    for _ in range(6):
        fill_segments(rig, 2)
        cover(rig)
        rig.journal.collect(clock.now_ms())
    last = rig.journal.position
    crashed = files.copy()
    rig.close()

    rig = Rig(crashed).start()
    assert rig.recovered.last_position == last
    assert rig.recovered.cut_bytes == 0
    assert rig.replayed == [(p, header(p)) for p in range(rig.recovered.snapshot_position + 1, last + 1)]
    rig.close()


def test_a_crash_in_the_middle_of_deleting_is_finished_at_the_next_start() -> None:
    clock = FakeClock()
    memory = MemoryFiles()
    files = FaultyFiles(memory)
    rig = Rig(files, clock=clock, history_bytes=0).start()
    fill_segments(rig, 6)
    cover(rig)
    images: list[MemoryFiles] = []
    files.before = lambda operation, _: images.append(memory.copy()) if operation in ("rename", "unlink") else None
    rig.journal.collect(clock.now_ms())
    files.before = None
    earliest = rig.journal.earliest
    rig.close()

    for image in images[1:]:
        rig = Rig(image).start()
        assert rig.journal.earliest in (1, earliest)
        assert [p for p, _, _ in rig.journal.scan(rig.journal.earliest)]
        rig.close()
