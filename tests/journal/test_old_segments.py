"""Records of segments that this start did not read through: found by bisecting, whatever the batches are like."""

from __future__ import annotations

import random

import pytest
from journal_rig import Rig, bodies, header, record
from postroad.broker.errors import Corrupt
from postroad.broker.testing import FaultyFiles, MemoryFiles

KIB = 1024


def old_store(files: MemoryFiles, batches: list[int], segment_bytes: int) -> int:
    """Batches of so many records each, all of them before the snapshot that the next starts go from; returns the last position."""
    rig = Rig(files, segment_bytes=segment_bytes).start()
    for count in batches:
        first = rig.journal.position + 1
        rig.put(*(record(position) for position in range(first, first + count)))
    last = rig.journal.position
    rig.journal.write_snapshot(last, b"state")
    rig.close()
    Rig(files, segment_bytes=segment_bytes).start().close()
    return last


def segment_with_most(files: MemoryFiles) -> str:
    names = [name for name in files.list() if name.endswith(".segment")]
    return max(names, key=lambda name: len(bytes(files.content(name)).rstrip(b"\0")))


@pytest.mark.parametrize("seed", range(8))
def test_any_record_is_found_in_any_order(seed: int) -> None:
    rng = random.Random(seed)
    files = MemoryFiles()
    batches = [rng.choice((1, 1, 1, 2, 5, 40, 300)) for _ in range(150)]
    last = old_store(files, batches, segment_bytes=256 * KIB)
    rig = Rig(files, segment_bytes=256 * KIB).start()

    for position in rng.sample(range(1, last + 1), 200):
        assert [bytes(part) for part in rig.journal.read(position)] == [header(position), bodies(position)]
        run = rig.journal.read_run(position, 4 * KIB)
        assert [(at, head, bytes(body)) for at, head, body in run] == [
            (at, header(at), bodies(at)) for at in range(position, position + len(run))
        ]
    start = rng.randrange(1, last)
    assert [row[:2] for row in rig.journal.scan(start, last)] == [(at, header(at)) for at in range(start, last + 1)]
    rig.close()


def test_a_record_is_found_with_few_reads() -> None:
    inner = MemoryFiles()
    last = old_store(inner, [1] * 8000, segment_bytes=4096 * KIB)
    files = FaultyFiles(inner)
    rig = Rig(files, segment_bytes=4096 * KIB).start()
    before = files.count("pread")

    assert bytes(rig.journal.read(last - 2000)[0]) == header(last - 2000)
    assert files.count("pread") - before <= 24
    rig.close()


def test_what_was_found_once_is_found_again_at_once() -> None:
    inner = MemoryFiles()
    last = old_store(inner, [1] * 8000, segment_bytes=4096 * KIB)
    files = FaultyFiles(inner)
    rig = Rig(files, segment_bytes=4096 * KIB).start()
    rig.journal.read(last - 2000)
    before = files.count("pread")

    rig.journal.read(last - 1999)

    assert files.count("pread") - before <= 3
    rig.close()


def test_what_a_recycled_file_held_before_misleads_nobody() -> None:
    files = MemoryFiles()
    last = old_store(files, [1] * 300, segment_bytes=128 * KIB)
    other = MemoryFiles()
    old_store(other, [1] * 300, segment_bytes=128 * KIB)
    name = segment_with_most(files)
    data, leavings = files.content(name), other.content(segment_with_most(other))
    used = len(bytes(data).rstrip(b"\0")) + 7 & ~7
    data[used:] = leavings[used:].ljust(len(data) - used, b"\0")
    data[-16 * KIB :] = leavings[4096 : 4096 + 16 * KIB]
    rig = Rig(files, segment_bytes=128 * KIB).start()

    for position in range(1, last + 1):
        assert bytes(rig.journal.read(position)[0]) == header(position)
    rig.close()


def test_damage_is_met_only_by_who_reads_it() -> None:
    files = MemoryFiles()
    last = old_store(files, [1] * 2000, segment_bytes=1024 * KIB)
    data = files.content(segment_with_most(files))
    data[data.index(header(700))] ^= 0xFF
    rig = Rig(files, segment_bytes=1024 * KIB).start()

    with pytest.raises(Corrupt) as raised:
        rig.journal.read(700)

    assert raised.value.details["position"] == 700
    assert bytes(rig.journal.read(1500)[0]) == header(1500)
    assert bytes(rig.journal.read(last)[0]) == header(last)
    rig.close()
