"""A torn tail costs unconfirmed records only, and the start is automatic."""

from __future__ import annotations

import random

import pytest
from journal_rig import Rig, contents, expected, fill, record
from postroad.broker.journal import reader
from postroad.broker.testing import MemoryFiles

FIRST_BATCH = 4096


def unclosed(count: int) -> tuple[MemoryFiles, str, list[int]]:
    """A store that was killed: its files, the segment, and where each batch ends in it."""
    files = MemoryFiles()
    rig = Rig(files).start()
    segment = next(name for name in files.list() if name.endswith(".segment"))
    ends = []
    for _ in range(count):
        fill(rig, 1)
        ends.append(len(bytes(files.content(segment)).rstrip(b"\0")))
    # A batch's last bytes are its crc, which may end in zeros; the next multiple of 8 is its end.
    ends = [(end + 7) & ~7 for end in ends]
    image = files.copy()
    rig.close()
    return image, segment, ends


def whole(ends: list[int], cut: int) -> int:
    return sum(end <= cut for end in ends)


@pytest.mark.parametrize("how", ["zeros", "truncated", "noise"])
def test_the_tail_cut_at_any_byte_of_the_last_batches_leaves_the_whole_ones(how: str) -> None:
    files, segment, ends = unclosed(6)
    rng = random.Random(1)
    pristine = bytes(files.content(segment))
    for cut in range(ends[2], ends[5]):
        image = files.copy()
        data = image.content(segment)
        if how == "zeros":
            data[cut:] = bytes(len(data) - cut)
        elif how == "truncated":
            del data[cut:]
        else:
            noise = rng.randbytes(rng.randrange(1, 4096))
            noise = bytes([noise[0] or 1]) + noise[1:]
            data[cut:] = (noise + bytes(len(data)))[: len(data) - cut]

        rig = Rig(image).start()
        found = [(position, head) for position, head in rig.replayed]
        torn = bytes(data[ends[whole(ends, cut) - 1] :]).rstrip(b"\0") != b""
        rig.close()

        if bytes(pristine[cut : cut + 8]) != bytes(data[cut : cut + 8]):
            assert found == [(p, h) for p, h, _ in expected(whole(ends, cut))], cut
        assert bool(rig.recovered.cut_bytes) == torn
        assert (rig.recovered.quarantine in image.list()) == torn
        again = Rig(image).start()
        assert again.replayed == found
        assert again.recovered.cut_bytes == 0
        again.close()


def test_the_quarantine_file_holds_the_torn_bytes() -> None:
    files, segment, ends = unclosed(3)
    data = files.content(segment)
    torn = bytes(data[ends[1] : ends[2] - 9])
    data[ends[2] - 9 :] = bytes(len(data) - ends[2] + 9)

    rig = Rig(files).start()

    assert rig.recovered.last_position == 2
    assert rig.recovered.quarantine is not None
    assert bytes(files.content(rig.recovered.quarantine)).startswith(torn)
    rig.close()


@pytest.mark.parametrize("chunk", [48, 100, 513])
def test_batches_are_found_across_the_edges_of_what_is_read_at_once(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, segment, ends = unclosed(30)
    data = files.content(segment)
    data[ends[27] + 8 : ends[28]] = bytes(ends[28] - ends[27] - 8)
    data[ends[29] - 8 :] = bytes(len(data) - ends[29] + 8)
    monkeypatch.setattr(reader, "_CHUNK_BYTES", chunk)

    assert contents(files) == expected(28)


def test_appending_goes_on_behind_a_cut_tail() -> None:
    files, segment, ends = unclosed(4)
    data = files.content(segment)
    data[ends[2] + 20 :] = bytes(len(data) - ends[2] - 20)
    rig = Rig(files).start()
    fill(rig, 5)
    rig.close()

    assert contents(files) == expected(8)


def test_a_start_that_crashes_again_and_again_loses_nothing() -> None:
    files = MemoryFiles()
    for _ in range(6):
        rig = Rig(files).start()
        fill(rig, 3)
        files, dead = files.copy(), rig
        dead.close()

    assert contents(files) == expected(18)
    assert len([name for name in files.list() if name.endswith(".segment")]) <= 8


def test_the_unproven_suffix_is_synced_into_a_new_segment_before_anything_is_served() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    rig.put(record(1))
    image = files.copy()
    rig.close()

    # What the page cache held and the disk never got: the old file goes back to zeros behind our back.
    rig = Rig(image).start()
    old = [name for name in image.list() if name.endswith("-00000001.segment")]
    crashed = image.crashed(random.Random(0))
    rig.close()

    assert old == []
    assert contents(crashed) == expected(1)
