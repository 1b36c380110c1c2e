"""One segment: its file header, its name, and what is known about it in memory.

A segment ends where the next one begins: recovery never appends to an old file and never truncates one, it begins a
new segment whose first position may lie before the old one's end. Names carry the epoch, so the two never collide.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from struct import Struct

from google_crc32c import extend, value

from ..errors import Corrupt, Unsupported
from .files import Files
from .index import SparseIndex
from .record import VERSION, seed_of

HEADER_BYTES = 4096
"""The header block. A whole page, so that writing the first batch never rewrites the sector the header is in."""

_MAGIC = b"postroad"
_HEADER = Struct("<8sHHIIIQQ16s8sI")
_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{8})\.segment")
_RECYCLED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentHeader:
    """The first bytes of a segment file; see ``record`` for the drawing."""

    store: bytes
    epoch: int
    first: int
    previous: int
    created_ms: int
    salt: bytes
    recycled: bool

    def pack(self) -> bytes:
        flags = _RECYCLED if self.recycled else 0
        packed = _HEADER.pack(
            _MAGIC, VERSION, VERSION, flags, self.epoch, self.previous, self.first, self.created_ms, self.store,
            self.salt, 0,
        )[:-4]  # fmt: skip
        return (packed + int(value(packed)).to_bytes(4, "little")).ljust(HEADER_BYTES, b"\0")

    @property
    def crc(self) -> int:
        """What the first batch continues from."""
        return int.from_bytes(self.pack()[_HEADER.size - 4 : _HEADER.size], "little")

    @property
    def seed(self) -> int:
        return seed_of(self.salt)


def segment_name(first: int, epoch: int) -> str:
    return f"{first:016x}-{epoch:08x}.segment"


def parse_name(name: str) -> tuple[int, int] | None:
    """``(epoch, first)`` of a segment file's name: the order in which segments were written."""
    match = _NAME.fullmatch(name)
    return None if match is None else (int(match[2], 16), int(match[1], 16))


def read_header(files: Files, handle: int, name: str, store: bytes) -> SegmentHeader:
    """The checked header of a segment file.

    Raises:
        Corrupt: it is damaged, or belongs to another store or another name.
        Unsupported: a later version wrote it.
    """
    data = files.pread(handle, HEADER_BYTES, 0)
    if len(data) < HEADER_BYTES or data[:8] != _MAGIC:
        raise Corrupt(f"{name} does not begin like a segment.", segment=name, offset=0)
    _, _, minimum, flags, epoch, previous, first, created_ms, of_store, salt, crc = _HEADER.unpack_from(data)
    if extend(0, data[: _HEADER.size - 4]) != crc or any(data[_HEADER.size :]):
        raise Corrupt(f"The header of {name} is damaged.", segment=name, offset=0)
    if minimum > VERSION:
        raise Unsupported(f"{name} needs format version {minimum}; this is {VERSION}.", segment=name)
    if of_store != store or parse_name(name) != (epoch, first):
        raise Corrupt(f"{name} belongs to another store or another place.", segment=name, offset=0)
    return SegmentHeader(
        store=of_store, epoch=epoch, first=first, previous=previous, created_ms=created_ms, salt=salt,
        recycled=bool(flags & _RECYCLED),
    )  # fmt: skip


@dataclass(slots=True, eq=False)
class Segment:
    """A segment as the running journal knows it.

    Attributes:
        first: Position of its first record.
        end: Position after its last one; ``None`` while it is the last segment.
        capacity: Bytes that fit, the header included.
        header: As in the file; ``None`` until the writer has begun the file.
        index: Where records are.
        live: References held by the owner.
        pins: Readers that must not have the file taken away.
    """

    name: str
    first: int
    epoch: int
    capacity: int
    end: int | None = None
    header: SegmentHeader | None = None
    index: SparseIndex = field(default_factory=SparseIndex)
    live: int = 0
    pins: int = 0
