"""Single records out of a segment, by walking from the nearest known place. Everything returned has been checked."""

from __future__ import annotations

from collections.abc import Iterator

from google_crc32c import extend

from ..errors import Corrupt
from .files import Files
from .locate import locate
from .record import BATCH, BATCH_BYTES, BATCH_MAGIC, END, RECORD, RECORD_BYTES, TRAILER_BYTES, header_crc
from .segment import Segment

_CHUNK_BYTES = 16 * 1024

Entry = tuple[int, int, bytes, int, int]
"""Position, offset of the record, header, length and crc of its bodies."""


def walk(files: Files, handle: int, segment: Segment, position: int, offset: int, end: int) -> Iterator[Entry]:
    """Records from ``position``, which is at ``offset`` (or the batch that it begins), up to but not ``end``.

    Headers are checked, bodies are skipped.

    Raises:
        Corrupt: what is there is not the record that should be.
    """
    header_of = segment.header
    assert header_of is not None
    seed, epoch, size = header_of.seed, header_of.epoch, files.size(handle)
    chunk, base = b"", offset
    while position < end:
        at = offset - base
        if at < 0 or at + BATCH_BYTES > len(chunk):
            chunk, base, at = files.pread(handle, _CHUNK_BYTES, offset), offset, 0
            if len(chunk) < RECORD_BYTES:
                break
        word = int.from_bytes(chunk[at : at + 4], "little")
        if word == END:
            offset += TRAILER_BYTES
            continue
        if word == BATCH_MAGIC:
            if len(chunk) - at < BATCH_BYTES:
                break
            _, _, _, of_epoch, first, _, _, crc = BATCH.unpack_from(chunk, at)
            if of_epoch != epoch or first != position or extend(seed, chunk[at : at + BATCH_BYTES - 4]) != crc:
                break
            offset += BATCH_BYTES
            continue
        header_length, bodies_length, bodies_crc, crc = RECORD.unpack_from(chunk, at)
        start = at + RECORD_BYTES
        if offset + RECORD_BYTES + header_length + bodies_length > size:
            break
        if start + header_length > len(chunk):
            chunk, base = files.pread(handle, max(RECORD_BYTES + header_length, _CHUNK_BYTES), offset), offset
            start = RECORD_BYTES
        header = chunk[start : start + header_length]
        if header_crc(seed, position, header, bodies_length, bodies_crc) != crc:
            break
        yield position, offset, header, bodies_length, bodies_crc
        offset += (RECORD_BYTES + header_length + bodies_length + 7) & ~7
        position += 1
    if position < end:
        raise Corrupt(
            f"{segment.name} is damaged at offset {offset}, position {position}.",
            segment=segment.name, offset=offset, position=position,
        )  # fmt: skip


def read_record(files: Files, handle: int, segment: Segment, position: int) -> tuple[bytes, memoryview]:
    """Header and bodies of one record.

    Raises:
        Corrupt: damaged; says where.
    """
    at, start = locate(files, handle, segment, position)
    *_, (_, offset, header, length, crc) = walk(files, handle, segment, at, start, position + 1)
    assert segment.header is not None
    bodies = files.pread(handle, length, offset + RECORD_BYTES + len(header)) if length else b""
    if extend(segment.header.seed, bodies) != crc or len(bodies) != length:
        raise Corrupt(
            f"The bodies at position {position} in {segment.name} are damaged.",
            segment=segment.name, offset=offset, position=position,
        )  # fmt: skip
    _note(segment, position, offset)
    return header, memoryview(bodies)


def read_run(
    files: Files, handle: int, segment: Segment, position: int, end: int, nbytes: int
) -> list[tuple[int, bytes, memoryview]]:
    """Position, header and bodies of the record at ``position`` and of those behind it (up to, not with, ``end``) that one read of
    ``nbytes`` brings along.

    Raises:
        Corrupt: the first one is damaged. Damage behind it only ends the run.
    """
    found: list[tuple[int, bytes, memoryview]] = []
    assert segment.header is not None
    seed, block, base = segment.header.seed, b"", 0
    first, origin = locate(files, handle, segment, position)
    try:
        for at, offset, header, length, crc in walk(files, handle, segment, first, origin, end):
            if at < position:
                continue
            start = offset + RECORD_BYTES + len(header)
            if at == position:
                base, block = offset, files.pread(handle, max(nbytes, start - offset + length), offset)
            if start + length > base + len(block):
                break
            bodies = block[start - base : start - base + length]
            if extend(seed, bodies) != crc:
                raise Corrupt(
                    f"The bodies at position {at} in {segment.name} are damaged.",
                    segment=segment.name, offset=offset, position=at,
                )  # fmt: skip
            found.append((at, header, memoryview(bodies)))
            last = at, offset
    except Corrupt:
        if not found:
            raise
    if found:
        _note(segment, *last)  # a backlog is drained in order: the next run begins here
    return found


def _note(segment: Segment, position: int, offset: int) -> None:
    """A record of a segment from before this start was read and checked: the next one is found from there."""
    if not segment.index.is_complete:
        segment.index.note(position, offset)
