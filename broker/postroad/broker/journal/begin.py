"""The first segment of a start: it holds the unproven suffix, written again and synced.

Order: the manifest clears ``clean`` and raises the epoch; the new segment is written under a temporary name, synced and
renamed; the directory is synced. After a crash between two of these steps the old files are untouched, and the next start
repeats them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from ..clock import Clock
from .files import NO_SPACE, Files, write_all, zero_fill
from .manifest import Manifest, write_manifest
from .reader import SegmentReader
from .record import FRAME_BYTES, RECORD_BYTES, encode_batch, records_of
from .recover import Found
from .segment import HEADER_BYTES, Segment, SegmentHeader
from .spares import Spares, is_recycled
from .writer import begin_file

_SMALL_BYTES = 1024 * 1024


class Begun:
    """Where the writer continues.

    Attributes:
        handle: The new segment's file.
        offset: End of the rewritten suffix.
        previous: Crc to continue from.
        manifest: As it is on disk now.
    """

    __slots__ = ("handle", "manifest", "offset", "previous")

    def __init__(self, handle: int, offset: int, previous: int, manifest: Manifest) -> None:
        self.handle, self.offset, self.previous, self.manifest = handle, offset, previous, manifest


def begin(files: Files, found: Found, segment: Segment, spares: Spares, clock: Clock) -> Begun:
    """Write the file of ``segment``, whose first position follows the last proven one.

    Raises:
        OSError: no space, or a failing disk.
    """
    manifest = replace(
        found.manifest, epoch=segment.epoch, clean=False, proven=found.proven, proven_crc=found.proven_crc
    )
    write_manifest(files, manifest)
    spare = _file_for(files, found, segment, spares)
    header = SegmentHeader(
        store=bytes.fromhex(manifest.store), epoch=segment.epoch, first=segment.first, previous=found.proven_crc,
        created_ms=clock.now_ms(), salt=os.urandom(8), recycled=is_recycled(spare),
    )  # fmt: skip
    handle = begin_file(files, spare, segment, header)
    offset, previous = _rewrite(files, found, segment, header, handle)
    files.sync(handle)
    files.rename(spare, segment.name)
    files.dirsync()
    for name in (*found.useless, *(name for name in files.list() if name.endswith(".tmp"))):
        files.unlink(name)
    if found.segments and found.segments[-1].first == segment.first:
        files.unlink(found.segments[-1].name)  # all of it is in the new one
    files.dirsync()
    return Begun(handle, offset, previous, replace(manifest, dropped=[]))


def _file_for(files: Files, found: Found, segment: Segment, spares: Spares) -> str:
    needed = HEADER_BYTES + found.suffix_bytes + FRAME_BYTES
    if needed <= segment.capacity:
        try:
            return spares.take_or_make()
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            # A small segment is enough to start with: settles free space.
            segment.capacity = min(segment.capacity, needed + _SMALL_BYTES)
    else:
        # Segments are smaller now than at the last start: this one must hold what was in a larger one.
        segment.capacity = needed
    name = spares.new_name(making=True)
    handle = files.open(name, create=True)
    try:
        files.allocate(handle, segment.capacity)
        zero_fill(files, handle, 0, segment.capacity)
    finally:
        files.close(handle)
    return name


def _rewrite(files: Files, found: Found, segment: Segment, header: SegmentHeader, target: int) -> tuple[int, int]:
    offset, previous, index = HEADER_BYTES, header.crc, segment.index
    for first, headers, bodies in _suffix(files, found):
        lengths = [(RECORD_BYTES + len(a) + len(b) + 7) & ~7 for a, b in zip(headers, bodies, strict=True)]
        length = FRAME_BYTES + sum(lengths)
        buffers, crc = encode_batch(
            headers, bodies, first=first, length=length, epoch=header.epoch, durable=found.proven, previous=previous,
            seed=header.seed,
        )  # fmt: skip
        write_all(files, target, buffers, offset)
        at = offset + FRAME_BYTES - 8
        for position, size in enumerate(lengths, first):
            if at >= index.next_offset:
                index.add(position, at)
            at += size
        offset, previous = offset + length, crc
    return offset, previous


def _suffix(files: Files, found: Found) -> Iterator[tuple[int, list[bytes], list[bytes]]]:
    if found.last <= found.proven:
        return
    source = found.segments[-1]
    assert source.header is not None
    handle = files.open(source.name)
    try:
        for batch in SegmentReader(files, handle, source.header):
            if batch.count and batch.first > found.proven:
                triples = list(records_of(batch.data, batch.count))
                yield batch.first, [t[0] for t in triples], [batch.data[t[1] : t[1] + t[2]] for t in triples]
    finally:
        files.close(handle)
