"""When something is durable, and what happens when it cannot be made so."""

from __future__ import annotations

import errno
import threading

import pytest
from journal_rig import Rig, contents, expected, fill, record
from postroad.broker.errors import Unavailable
from postroad.broker.testing import FaultyFiles, MemoryFiles


class Gate:
    """Holds synced writes to segments until opened; tells when one has arrived."""

    def __init__(self, files: FaultyFiles) -> None:
        self.arrived, self.opened = threading.Semaphore(0), threading.Semaphore(0)
        files.between = self._hold

    def _hold(self) -> None:
        self.arrived.release()
        assert self.opened.acquire(timeout=20)


def test_durable_is_reported_only_after_the_sync_returned() -> None:
    files = FaultyFiles(MemoryFiles())
    rig = Rig(files).start()
    gate = Gate(files)

    rig.put(record(1), wait=False)
    assert gate.arrived.acquire(timeout=20)
    assert (rig.durable, rig.journal.durable_position) == (0, 0)
    gate.opened.release()

    rig.until(lambda: rig.durable == 1)
    files.between = None
    rig.close()


def test_everything_appended_during_a_sync_goes_with_the_next_one() -> None:
    files = FaultyFiles(MemoryFiles())
    rig = Rig(files).start()
    gate = Gate(files)
    reported: list[int] = []
    rig.journal.on_durable = lambda position: (reported.append(position), rig._on_durable(position))[1]

    rig.put(record(1), wait=False)
    assert gate.arrived.acquire(timeout=20)
    for position in range(2, 40):
        rig.put(record(position), wait=False)
    gate.opened.release()
    gate.opened.release()
    rig.until(lambda: rig.durable == 39)

    assert reported == [1, 39]
    files.between = None
    rig.close()


def test_nothing_is_written_before_flush() -> None:
    files = FaultyFiles(MemoryFiles())
    rig = Rig(files).start()
    rig.journal.append([record(1)])

    assert files.count("pwritev+sync") == 0
    rig.journal.flush()
    rig.until(lambda: rig.durable == 1)
    rig.close()


def test_close_writes_what_was_gathered() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    rig.journal.append([record(1), record(2)])
    rig.close()

    assert contents(files) == expected(2)


@pytest.mark.parametrize("good", range(4))
def test_a_failed_sync_is_told_once_and_never_tried_again(good: int) -> None:
    files = FaultyFiles(MemoryFiles())
    rig = Rig(files).start()
    fill(rig, good)
    files.fail("pwritev+sync", errno.EIO, times=1)

    rig.put(record(good + 1), wait=False)
    rig.until(lambda: rig.failures)
    calls = len(files.calls)
    with pytest.raises(Unavailable):
        rig.journal.append([record(good + 2)])
    rig.journal.flush()
    rig.close()

    assert [error.errno for error in rig.failures] == [errno.EIO]  # type: ignore[attr-defined]
    assert rig.durable == good
    assert not rig.journal.has_room(1)
    assert [name for name, _ in files.calls[calls:] if name in ("pwritev", "pwritev+sync", "sync", "rename")] == []


def test_after_a_failed_sync_a_start_finds_what_was_confirmed() -> None:
    memory = MemoryFiles()
    files = FaultyFiles(memory)
    rig = Rig(files).start()
    fill(rig, 5)
    files.fail("pwritev+sync", errno.EIO)
    rig.put(record(6), wait=False)
    rig.until(lambda: rig.failures)
    rig.close()

    assert contents(memory)[:5] == expected(5)


@pytest.mark.parametrize("operation", ["sync", "dirsync", "rename", "pwritev"])
def test_a_failure_while_turning_to_a_new_segment_is_final(operation: str) -> None:
    files = FaultyFiles(MemoryFiles())
    rig = Rig(files).start()
    rig.until(lambda: rig.journal.stats()["spares"] == 2)
    rig.until(lambda: sum(".zeroed" in name for name in files.list()) == 2)
    files.fail(operation, errno.EIO, times=None)

    for position in range(1, 3000):
        if rig.failures:
            break
        try:
            rig.put(record(position), wait=False)
        except Unavailable:
            break
    rig.until(lambda: rig.failures)
    durable = rig.durable
    rig.close()
    files.heal()

    assert contents(files)[:durable] == expected(durable)
    assert len(rig.failures) == 1


def test_short_writes_are_finished() -> None:
    memory = MemoryFiles()
    files = FaultyFiles(memory)
    files.write_bytes_max = 100
    rig = Rig(files).start()
    fill(rig, 40)
    files.write_bytes_max = None
    rig.close()

    assert contents(memory) == expected(40)


def test_more_buffers_than_one_write_takes_are_written() -> None:
    files = MemoryFiles()
    rig = Rig(files, segment_bytes=64 * 1024 * 1024).start()
    rig.put(*[(b"h", b"x" * 32_768) for _ in range(700)])

    assert bytes(rig.journal.read(700)[1]) == b"x" * 32_768
    rig.close()


def test_an_idle_journal_proves_its_last_batch() -> None:
    files = FaultyFiles(MemoryFiles())
    rig = Rig(files, mark_ms=10).start()
    rig.put(record(1))
    rig.until(lambda: files.count("pwritev+sync") == 2)
    rig.until(lambda: rig.journal.stats()["batches"] == 2)
    image = files.inner.copy()  # type: ignore[attr-defined]

    segment = next(name for name in image.list() if name.endswith(".segment"))
    image.content(segment)[4096 + 50] ^= 1
    with pytest.raises(Exception, match="known to be on disk"):
        Rig(image).start()
    rig.put(record(2))
    rig.close()
    assert contents(files) == expected(2)


@pytest.mark.parametrize("durability", ["os", "memory"])
def test_weaker_durability_writes_without_syncing(durability: str) -> None:
    files = FaultyFiles(MemoryFiles())
    rig = Rig(files, durability=durability).start()
    fill(rig, 20)
    rig.until(lambda: rig.journal.stats()["batches"] == 20)

    assert files.count("pwritev+sync") == 0
    rig.close()
    assert contents(files.inner) == expected(20)
