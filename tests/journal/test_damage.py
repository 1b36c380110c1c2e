"""Damage is never served and never silently dropped; a start that meets it changes nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from journal_rig import Rig, expected, fill, record
from postroad.broker.errors import Corrupt, PostroadError, Unsupported
from postroad.broker.journal import lookup, reader, verify
from postroad.broker.testing import MemoryFiles


def closed(count: int = 12) -> MemoryFiles:
    files = MemoryFiles()
    rig = Rig(files).start()
    for _ in range(count // 3):
        n = rig.journal.position
        rig.put(record(n + 1), record(n + 2), record(n + 3))
    rig.journal.write_snapshot(2, b"state of two")
    rig.close()
    return files


def segment_of(files: MemoryFiles) -> str:
    return next(name for name in files.list() if name.endswith(".segment"))


def used(data: bytearray) -> int:
    return len(bytes(data).rstrip(b"\0"))


def outcome(files: MemoryFiles) -> object:
    """What a start makes of a store: its replay, or the error's class."""
    rig = Rig(files)
    try:
        rig.recovered = rig.journal.open()
        return rig.recovered.snapshot, list(rig.journal.records())
    except Exception as error:  # noqa: BLE001 - only Corrupt and Unsupported are expected; others show as silent changes
        return type(error)
    finally:
        rig.close()


def flips(files: MemoryFiles, name: str) -> Iterator[tuple[int, int]]:
    """Flip each bit of the used part of a file, one at a time, in place."""
    data = files.content(name)
    for offset in range(used(data)):
        # Of the header block's zeros a few will do.
        if name.endswith(".segment") and 80 <= offset < 4096 and offset % 101:
            continue
        for bit in range(8):
            data[offset] ^= 1 << bit
            yield offset, bit
            data[offset] ^= 1 << bit


def silent_changes(files: MemoryFiles, name: str) -> list[tuple[int, int]]:
    intact = outcome(files)
    return [at for at in flips(files, name) if outcome(files) not in (intact, Corrupt, Unsupported)]


@pytest.mark.parametrize("kind", [".segment", "manifest", ".snapshot"])
def test_no_flipped_bit_changes_what_a_start_finds(kind: str) -> None:
    files = closed()
    name = next(name for name in files.list() if name.endswith(kind))
    if kind == ".snapshot":
        fallback = (None, [(p, h) for p, h, _ in expected(12)])
        silent = [at for at in flips(files, name) if outcome(files) not in (fallback, Corrupt)]
        assert silent == []
    else:
        assert silent_changes(files, name) == []


class Agreeable(int):
    """A checksum that equals whatever it is compared with."""

    __hash__ = int.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def test_control_a_start_that_skips_the_checksums_is_caught_by_the_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    files = closed()
    monkeypatch.setattr(reader, "extend", lambda crc, data: Agreeable())

    assert len(silent_changes(files, segment_of(files))) > 100


def served_wrong(files: MemoryFiles, flip_count: int) -> int:
    """Damage the file under a running journal; count reads and scans that give anything but the truth or an error."""
    rig = Rig(files).start()
    truth = {position: (head, body) for position, head, body in expected(12)}
    wrong = 0
    data = files.content(segment_of(files))
    rng = random.Random(3)
    for _ in range(flip_count):
        offset, bit = rng.randrange(4096, used(data)), rng.randrange(8)
        data[offset] ^= 1 << bit
        for position, true in truth.items():
            try:
                head, body = rig.journal.read(position)
                wrong += (head, bytes(body)) != true
            except Corrupt as error:
                assert error.details["segment"] == segment_of(files)
        try:
            for position, head, length in rig.journal.scan(1):
                wrong += (head, length) != (truth[position][0], len(truth[position][1]))
        except Corrupt:
            pass
        data[offset] ^= 1 << bit
    rig.close()
    return wrong


def test_no_flipped_bit_is_ever_read() -> None:
    assert served_wrong(closed(), 1500) == 0


def test_control_a_read_that_skips_the_checksums_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "extend", lambda crc, data: Agreeable())
    monkeypatch.setattr(lookup, "header_crc", lambda *_: Agreeable())

    assert served_wrong(closed(), 200) > 0


def test_damage_before_a_proven_batch_refuses_the_start_and_says_where() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 10)
    image = files.copy()
    rig.close()
    name = segment_of(image)
    third = bytes(image.content(name)).index(b'{"n":3}')
    image.content(name)[third] ^= 1
    before = {file: bytes(image.content(file)) for file in image.list()}

    with pytest.raises(Corrupt) as caught:
        Rig(image).start()

    assert caught.value.details["segment"] == name
    assert caught.value.details["position"] == 3
    assert 4096 < int(str(caught.value.details["offset"])) < third
    assert {file: bytes(image.content(file)) for file in image.list()} == before


def swap(data: bytearray, a: tuple[int, int], b: tuple[int, int]) -> None:
    first, second = data[a[0] : a[1]], data[b[0] : b[1]]
    data[a[0] : b[1]] = second + data[a[1] : b[0]] + first


def test_swapped_and_repeated_batches_are_refused() -> None:
    files = closed()
    name = segment_of(files)
    data = files.content(name)
    starts = [i for i in range(4096, used(data), 8) if data[i : i + 4] == data[4096:4100]]
    pairs = list(pairwise(starts))

    swapped = files.copy()
    swap(swapped.content(name), pairs[0], pairs[1])
    repeated = files.copy()
    repeated.content(name)[pairs[1][0] : pairs[1][0]] = data[pairs[0][0] : pairs[0][1]]

    assert outcome(swapped) is Corrupt
    assert outcome(repeated) is Corrupt


def test_a_segment_of_another_store_is_refused() -> None:
    files, other = closed(), closed()
    name = segment_of(files)
    files.content(name)[:] = other.content(segment_of(other))

    assert outcome(files) is Corrupt


@pytest.mark.parametrize("kind", [".segment", "manifest"])
def test_a_missing_file_is_refused(kind: str) -> None:
    files = closed()
    files.unlink(next(name for name in files.list() if name.endswith(kind)))

    assert outcome(files) is Corrupt


def test_a_missing_segment_in_the_middle_is_refused() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 1000)
    rig.close()
    segments = [name for name in files.list() if name.endswith(".segment")]
    assert len(segments) >= 3
    files.unlink(segments[1])

    assert outcome(files) is Corrupt


def test_a_clean_store_that_lost_its_end_is_refused() -> None:
    files = closed()
    data = files.content(segment_of(files))
    end = used(data)
    data[end - 60 :] = bytes(len(data) - end + 60)

    assert outcome(files) is Corrupt


def test_a_batch_inside_a_body_proves_nothing() -> None:
    """A publisher who knows the format must not be able to forge a proof that stops the next start."""
    donor = closed()
    data = donor.content(segment_of(donor))
    files = MemoryFiles()
    rig = Rig(files).start()
    rig.put(record(1))
    rig.put((b"h", bytes(data[4096 : used(data)])))
    image = files.copy()
    rig.close()
    at = bytes(image.content(segment_of(image))).rindex(b"\xc3\xa5\xf0\xe0")
    image.content(segment_of(image))[at] ^= 1

    assert outcome(image) == (None, [(1, record(1)[0])])


def test_verify_finds_nothing_in_intact_stores() -> None:
    files = closed()
    report = verify(files)

    assert report.intact and report.clean
    assert (report.records, report.first, report.last, report.snapshots) == (12, 1, 12, 1)


def test_verify_finds_every_flipped_bit_of_batches_and_changes_nothing() -> None:
    files = closed(6)
    before = {file: bytes(files.content(file)) for file in files.list()}
    missed = []
    for offset, bit in flips(files, segment_of(files)):
        try:
            if verify(files).intact:
                missed.append((offset, bit))
        except PostroadError:
            pass

    assert missed == []
    assert {file: bytes(files.content(file)) for file in files.list()} == before


def test_verify_names_segment_and_offset_of_damage_in_a_store_of_many_segments() -> None:
    files = MemoryFiles()
    rig = Rig(files).start()
    fill(rig, 1000)
    rig.close()
    second = [name for name in files.list() if name.endswith(".segment")][1]
    files.content(second)[9000] ^= 4

    report = verify(files)

    assert [problem.file for problem in report.problems] == [second]
    assert 4096 <= report.problems[0].offset <= 9000
