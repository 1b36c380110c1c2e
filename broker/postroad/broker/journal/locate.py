"""Where a record is in a segment from before this start: by bisecting the file, not by walking it.

Such a segment has no index. Batches are self-checking, so any place of the file tells where the next one begins and with which
position: some twenty short reads come near any record of 64 MiB. What was found is noted in the segment's index, which so fills by
use; the next search begins between two of its entries.

Nothing that is found so needs to be believed: whoever reads the record checks it together with its position (``lookup``).
"""

from __future__ import annotations

from struct import Struct

from google_crc32c import extend

from .files import Files
from .record import BATCH, BATCH_BYTES, BATCH_MAGIC, BATCH_MAGIC_BYTES, END, RECORD_BYTES, TRAILER_BYTES
from .segment import HEADER_BYTES, Segment

NEAR_BYTES = 32 * 1024
"""A record at most this far behind a known place is reached by walking."""

WINDOW_BYTES = 8 * 1024 * 1024
"""How far to search for a batch. No batch so far usually means the empty end of the segment; if not, the walk is only longer."""

_FIRST_CHUNK_BYTES = 16 * 1024
_CHUNK_BYTES = 1024 * 1024
_SKIM_BYTES = 256 * 1024
_LENGTHS = Struct("<II")

Place = tuple[int, int]
"""Position and offset of a record, or of the batch that it begins."""


def locate(files: Files, handle: int, segment: Segment, position: int) -> Place:
    """A place at or shortly before ``position`` to walk from."""
    index = segment.index
    before = index.before(position) or (segment.first, HEADER_BYTES)
    if index.is_complete:
        return before
    after = index.after(position)
    low, high = before, after[1] if after is not None else files.size(handle)
    while low[0] < position and high - low[1] > NEAR_BYTES:
        middle = (low[1] + high) // 2 & ~7
        found = _batch_behind(files, handle, segment, middle, min(high, middle + WINDOW_BYTES))
        if found is not None:
            index.note(*found)
        if found is not None and found[0] <= position:
            low = found
        else:
            high = middle
    return _skimmed(files, handle, segment, low, position)


def _batch_behind(files: Files, handle: int, segment: Segment, offset: int, end: int) -> Place | None:
    """The first batch that begins at or behind ``offset`` and before ``end``."""
    assert segment.header is not None
    seed, epoch, length = segment.header.seed, segment.header.epoch, _FIRST_CHUNK_BYTES
    while offset < end:
        chunk = files.pread(handle, min(length, end - offset) + BATCH_BYTES, offset)
        at = -1
        while (at := chunk.find(BATCH_MAGIC_BYTES, at + 1)) >= 0 and at + BATCH_BYTES <= len(chunk):
            if (offset + at) & 7:
                continue
            _, _, count, of_epoch, first, _, _, crc = BATCH.unpack_from(chunk, at)
            # A mark has no records.
            if count and of_epoch == epoch and extend(seed, chunk[at : at + BATCH_BYTES - 4]) == crc:
                return first, offset + at
        offset += length
        length = min(length * 4, _CHUNK_BYTES)
    return None


def _skimmed(files: Files, handle: int, segment: Segment, start: Place, position: int) -> Place:
    """From ``start`` to ``position`` by the lengths of records alone; ``start`` if there is anything odd on the way."""
    at, offset = start
    size, chunk, base = files.size(handle), b"", offset
    unpack = _LENGTHS.unpack_from
    while at < position:
        here = offset - base
        if here + BATCH_BYTES > len(chunk):
            chunk, base, here = files.pread(handle, _SKIM_BYTES, offset), offset, 0
            if len(chunk) < RECORD_BYTES:
                return start
        word, length = unpack(chunk, here)
        if word == BATCH_MAGIC:
            offset += BATCH_BYTES
        elif word == END:
            offset += TRAILER_BYTES
        else:
            offset += (RECORD_BYTES + word + length + 7) & ~7
            at += 1
        if offset > size:
            return start
    return position, offset
