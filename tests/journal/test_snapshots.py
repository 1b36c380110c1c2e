from __future__ import annotations

import errno
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import pytest
from journal_rig import Rig, fill
from postroad.broker.errors import Corrupt, InvalidState, Unavailable
from postroad.broker.testing import FaultyFiles, MemoryFiles


def snapshots(files: MemoryFiles) -> list[str]:
    return [name for name in files.list() if name.endswith(".snapshot")]


def test_a_start_takes_the_newest_snapshot_and_replays_what_follows() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 20)
    rig.journal.write_snapshot(8, b"eight")
    rig.journal.write_snapshot(15, b"fifteen")
    rig.close()

    rig = Rig(files).start()

    assert (rig.recovered.snapshot, rig.recovered.snapshot_position) == (b"fifteen", 15)
    assert [position for position, _ in rig.replayed] == [16, 17, 18, 19, 20]
    rig.close()


def test_a_damaged_snapshot_is_passed_over_for_the_one_before() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 20)
    rig.journal.write_snapshot(8, b"eight")
    rig.journal.write_snapshot(15, b"fifteen")
    rig.close()
    files.content(snapshots(files)[-1])[50] ^= 1

    rig = Rig(files).start()

    assert rig.recovered.snapshot == b"eight"
    assert rig.recovered.skipped_snapshots == (snapshots(files)[-1],)
    assert [position for position, _ in rig.replayed] == list(range(9, 21))
    rig.close()


@pytest.mark.parametrize("length", [0, 10, 47, 49])
def test_a_snapshot_cut_short_is_passed_over(length: int) -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 5)
    rig.journal.write_snapshot(3, b"three")
    rig.close()
    del files.content(snapshots(files)[0])[length:]

    rig = Rig(files).start()

    assert rig.recovered.snapshot is None
    assert len(rig.replayed) == 5
    rig.close()


def test_damaged_snapshots_are_not_passed_over_when_the_journal_does_not_reach_back_that_far() -> None:
    files = MemoryFiles()
    rig = Rig(files, history_bytes=0).start()
    fill(rig, 1000)
    rig.journal.write_snapshot(998, b"a")
    rig.journal.write_snapshot(999, b"b")
    assert rig.journal.collect(2**50) > 0
    rig.close()
    for name in snapshots(files):
        files.content(name)[50] ^= 1

    with pytest.raises(Corrupt, match="missing"):
        Rig(files).start()


def test_only_the_two_newest_are_kept() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 10)
    for position in (2, 4, 6, 8):
        rig.journal.write_snapshot(position, b"x")

    assert snapshots(files) == ["0000000000000006.snapshot", "0000000000000008.snapshot"]
    rig.close()


def test_a_snapshot_is_synced_renamed_and_its_directory_synced_before_older_ones_go() -> None:
    files = FaultyFiles(MemoryFiles())
    rig = Rig(files).start()
    fill(rig, 10)
    rig.until(lambda: sum(".zeroed" in name for name in files.list()) == 2)
    rig.journal.write_snapshot(1, b"x")
    rig.journal.write_snapshot(2, b"x")
    before = len(files.calls)
    rig.journal.write_snapshot(3, b"x")

    calls = [operation for operation, _ in groupby(files.calls[before:], key=itemgetter(0))]
    assert [operation for operation in calls if operation not in ("open", "close")] == [
        "allocate", "pwritev", "sync", "rename", "dirsync", "pread", "unlink", "dirsync",
    ]  # fmt: skip
    rig.close()


@pytest.mark.parametrize("operation", ["pwritev", "sync", "rename", "dirsync"])
def test_a_failed_snapshot_leaves_the_older_ones(operation: str) -> None:
    memory = MemoryFiles()
    files = FaultyFiles(memory)
    rig = Rig(files).start()
    fill(rig, 10)
    rig.until(lambda: sum(".zeroed" in name for name in files.list()) == 2)
    rig.journal.write_snapshot(4, b"four")
    files.fail(operation, errno.EIO)

    with pytest.raises(OSError):
        rig.journal.write_snapshot(8, b"eight")
    assert [error.errno for error in rig.failures] == [errno.EIO]  # type: ignore[attr-defined]
    rig.close()

    rig = Rig(memory).start()
    assert rig.recovered.snapshot in (b"four", b"eight")
    rig.close()


def test_a_snapshot_that_reads_back_differently_is_removed() -> None:
    memory = MemoryFiles()
    files = FaultyFiles(memory)
    rig = Rig(files).start()
    fill(rig, 10)

    def damage(operation: str, name: str) -> None:
        if operation == "pread" and name.endswith(".snapshot"):
            files.before = None
            memory.content(name)[-6] ^= 1

    files.before = damage
    with pytest.raises(Corrupt):
        rig.journal.write_snapshot(4, b"four and more")

    assert snapshots(memory) == []
    rig.close()


def test_a_snapshot_comes_in_slices_and_is_asked_for_one_by_one() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 10)

    rig.journal.stream_snapshot(6, 7, iter([b"six", b"", b" six"]))
    rig.close()

    assert Rig(files).start().recovered.snapshot == b"six six"


@pytest.mark.parametrize("slices", [[b"six"], [b"six six six"], []], ids=["short", "long", "none"])
def test_a_snapshot_of_another_length_than_was_said_is_refused_and_leaves_nothing(slices: list[bytes]) -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 10)
    rig.journal.write_snapshot(4, b"four")
    before = files.list()

    with pytest.raises(Corrupt):
        rig.journal.stream_snapshot(6, 7, slices)

    assert files.list() == before
    rig.close()


def test_a_snapshot_whose_source_ends_with_an_error_leaves_nothing() -> None:
    def source() -> Iterator[bytes]:
        yield b"six"
        raise Unavailable("The process that made it was killed.")

    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 10)
    before = files.list()

    with pytest.raises(Unavailable):
        rig.journal.stream_snapshot(6, 7, source())

    assert files.list() == before
    assert rig.failures == []
    rig.close()


def test_a_snapshot_ahead_of_the_journal_is_refused() -> None:
    rig = Rig(MemoryFiles()).start()
    fill(rig, 3)
    rig.journal.append([(b"h", None)])

    with pytest.raises(InvalidState):
        rig.journal.write_snapshot(4, b"x")
    rig.close()
