"""Reading a segment batch by batch. Every batch is checked before it is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google_crc32c import extend

from .files import Files
from .record import BATCH, BATCH_BYTES, BATCH_MAGIC, BATCH_MAGIC_BYTES, END, FRAME_BYTES, TRAILER
from .segment import HEADER_BYTES, SegmentHeader

_CHUNK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """A whole, checked batch. ``data`` is all of it."""

    offset: int
    first: int
    count: int
    durable: int
    crc: int
    data: bytes


class SegmentReader:
    """The batches of a segment, up to the first thing that is not the next whole batch.

    Attributes:
        header: The segment's.
        size: Bytes in the file.
        offset: Where the next batch would start.
        position: Its first position.
        previous: Crc it must continue from.
        batches: Batches read so far.
    """

    def __init__(self, files: Files, handle: int, header: SegmentHeader) -> None:
        self._files, self._handle = files, handle
        self.header = header
        self.size = files.size(handle)
        self.offset = HEADER_BYTES
        self.position = header.first
        self.previous = header.crc
        self.batches = 0

    def __iter__(self) -> Iterator[Batch]:
        seed, epoch, size = self.header.seed, self.header.epoch, self.size
        unpack, crc_of = BATCH.unpack_from, extend
        chunk, at = b"", 0
        while self.offset + FRAME_BYTES <= size:
            if len(chunk) - at < BATCH_BYTES:
                chunk, at = self._files.pread(self._handle, _CHUNK_BYTES, self.offset), 0
                if len(chunk) < BATCH_BYTES:
                    return
            magic, length, count, of_epoch, first, durable, previous, header_crc = unpack(chunk, at)
            if (
                magic != BATCH_MAGIC
                or crc_of(seed, chunk[at : at + BATCH_BYTES - 4]) != header_crc
                or of_epoch != epoch
                or first != self.position
                or previous != self.previous
                or not FRAME_BYTES <= length <= size - self.offset
                or length & 7
            ):
                return
            if len(chunk) - at < length:
                chunk, at = self._files.pread(self._handle, max(length, _CHUNK_BYTES), self.offset), 0
                if len(chunk) < length:
                    return
            data = chunk[at : at + length]
            end, crc = TRAILER.unpack_from(data, length - 8)
            if end != END or crc_of(seed, data[:-8]) != crc:
                return
            batch = Batch(self.offset, first, count, durable, crc, data)
            self.offset += length
            self.position += count
            self.previous = crc
            self.batches += 1
            at += length
            yield batch

    def torn_bytes(self, later: int) -> int:
        """How many bytes from ``offset`` on belong to a torn write, as far as can be told.

        Args:
            later: End of the last whole batch found behind it, or 0.
        """
        if later:
            return later - self.offset
        head = self._files.pread(self._handle, BATCH_BYTES, self.offset)
        if len(head) == BATCH_BYTES:
            magic, length, _, epoch, first, _, _, header_crc = BATCH.unpack(head)
            known = magic == BATCH_MAGIC and extend(self.header.seed, head[:-4]) == header_crc
            if known and (epoch, first) == (self.header.epoch, self.position):
                return int(min(length, self.size - self.offset))
        if self.header.recycled:
            return 0  # most likely old content of a recycled file; nothing here was ever reported as durable
        end = offset = self.offset
        while chunk := self._files.pread(self._handle, _CHUNK_BYTES, offset):
            if stripped := chunk.rstrip(b"\0"):
                end = offset + len(stripped)
            offset += len(chunk)
        return end - self.offset

    def later_batches(self) -> Iterator[tuple[int, int, int]]:
        """``(first, durable, end offset)`` of whole batches of this segment somewhere behind ``offset``."""
        seed, epoch = self.header.seed, self.header.epoch
        offset = self.offset
        while chunk := self._files.pread(self._handle, _CHUNK_BYTES + BATCH_BYTES, offset):
            at = -1
            while (at := chunk.find(BATCH_MAGIC_BYTES, at + 1)) >= 0 and at + BATCH_BYTES <= len(chunk):
                if (offset + at) & 7 or extend(seed, chunk[at : at + BATCH_BYTES - 4]) != int.from_bytes(
                    chunk[at + BATCH_BYTES - 4 : at + BATCH_BYTES], "little"
                ):
                    continue
                _, length, _, of_epoch, first, durable, _, _ = BATCH.unpack_from(chunk, at)
                start = offset + at
                if of_epoch != epoch or not FRAME_BYTES <= length <= self.size - start:
                    continue
                data = self._files.pread(self._handle, length, start)
                if len(data) == length and TRAILER.unpack_from(data, length - 8) == (END, extend(seed, data[:-8])):
                    yield first, durable, start + length
            offset += _CHUNK_BYTES
