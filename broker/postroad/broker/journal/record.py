"""The journal's formats, drawn. Little-endian; everything starts at a multiple of 8, padding is zero.

A segment file is a header block, then batches, then anything (zeros, or the leavings of a recycled file)::

    segment   0        8         10          12      16      20         24      32           40      56     64    68 … 4096
              +--------+---------+-----------+-------+-------+----------+-------+------------+-------+------+-----+-------+
              | magic  | version | min reader| flags | epoch | previous | first | created_ms | store | salt | crc | zeros |
              +--------+---------+-----------+-------+-------+----------+-------+------------+-------+------+-----+-------+
               8s       u16       u16         u32     u32     u32        u64     u64          16s     8s     u32

    batch     0       4        8       12      16      24        32         36           40              length-8  length-4
              +-------+--------+-------+-------+-------+---------+----------+------------+---------------+---------+-----+
              | magic | length | count | epoch | first | durable | previous | header crc | count records | end     | crc |
              +-------+--------+-------+-------+-------+---------+----------+------------+---------------+---------+-----+
               u32     u32      u32     u32     u64     u64       u32        u32                          u32       u32

    record    0               4               8            12           16
              +---------------+---------------+------------+------------+--------+--------+---------+
              | header length | bodies length | bodies crc | header crc | header | bodies | padding |
              +---------------+---------------+------------+------------+--------+--------+---------+
               u32             u32             u32          u32

- *crc*: CRC-32C, started from ``seed`` = CRC-32C of the segment's random salt. So zeros never parse, and neither does
  what a recycled file held before, another store's data, or a body made to look like a batch.
- batch *header crc* covers its first 36 bytes and is checked before the length is believed; *crc* covers all before
  *end*. A batch without its end never happened.
- *previous*: the crc of the batch before; in a segment's first batch the segment header's crc; in the segment header
  the crc of the last batch before it. So nothing can be lost, swapped or repeated unnoticed.
- *first*: position of the first record; *durable*: everything up to this position was synced when this was written.
  A batch of no records is a mark: it only carries *durable*.
- record *header crc* covers (position u64, header length, bodies length, bodies crc) and the header. A record can so be
  served alone, and its header without reading the bodies.
- *flags*: 1 = recycled, so bytes after the last batch mean nothing.
- The first word tells the three apart: a record's is below 2³¹, a batch's *magic* and *end* are above.

To change a format: raise ``VERSION``; keep the old reader beside the new one, chosen by the segment's version; write
only new segments in the new format; set the min reader to the oldest version that can still read it; add a journal of
the released version to ``tests/recovery/journals``. A reader that meets a higher min reader refuses and touches nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct

from google_crc32c import extend, value

from .files import Buffer

VERSION = 1

BATCH_MAGIC = 0xD15A7C4B
BATCH_MAGIC_BYTES = BATCH_MAGIC.to_bytes(4, "little")
END = 0xE0F0A5C3

BATCH = Struct("<IIIIQQII")
_BATCH_UNCHECKED = Struct("<IIIIQQI")
TRAILER = Struct("<II")
RECORD = Struct("<IIII")
_RECORD_CHECKED = Struct("<QIII")

BATCH_BYTES = BATCH.size
TRAILER_BYTES = TRAILER.size
RECORD_BYTES = RECORD.size
FRAME_BYTES = BATCH_BYTES + TRAILER_BYTES
"""What a batch takes beside its records."""

_JOIN_BYTES = 32 * 1024
_PADS = [bytes(n) for n in range(8)]


def seed_of(salt: bytes) -> int:
    """Where the checksums of a segment start from."""
    return int(value(b"postroad" + salt))


def record_bytes(header_length: int, bodies_length: int) -> int:
    """Bytes a record takes in the journal."""
    return (RECORD_BYTES + header_length + bodies_length + 7) & ~7


def header_crc(seed: int, position: int, header: bytes, bodies_length: int, bodies_crc: int) -> int:
    checked = _RECORD_CHECKED.pack(position, len(header), bodies_length, bodies_crc)
    return int(extend(extend(seed, checked), header))


def encode_batch(
    headers: Sequence[bytes],
    bodies: Sequence[Buffer],
    *,
    first: int,
    length: int,
    epoch: int,
    durable: int,
    previous: int,
    seed: int,
) -> tuple[list[bytes], int]:
    """A batch as buffers to write, and its crc. Large bodies are not copied together with the rest.

    Args:
        headers: One per record.
        bodies: One per record, empty if there is none.
        length: Of the whole batch, as the caller has computed it by ``record_bytes`` and ``FRAME_BYTES``.
    """
    start = _BATCH_UNCHECKED.pack(BATCH_MAGIC, length, len(headers), epoch, first, durable, previous)
    small = [start, int(extend(seed, start)).to_bytes(4, "little")]
    buffers: list[bytes] = []
    pack, checked, crc_of, pads = RECORD.pack, _RECORD_CHECKED.pack, extend, _PADS
    position = first
    for header, body in zip(headers, bodies, strict=True):
        if not isinstance(body, bytes):
            body = bytes(body)  # the checksum wants bytes; and now nobody can change them before they are written
        header_length, body_length = len(header), len(body)
        body_crc = crc_of(seed, body)
        crc = crc_of(crc_of(seed, checked(position, header_length, body_length, body_crc)), header)
        small += (pack(header_length, body_length, body_crc, crc), header)
        if body_length >= _JOIN_BYTES:
            buffers += (b"".join(small), body)
            small = [pads[-(header_length + body_length) & 7]]
        else:
            small += (body, pads[-(header_length + body_length) & 7])
        position += 1
    small.append(END.to_bytes(4, "little"))
    buffers.append(b"".join(small))
    crc = seed
    for buffer in buffers[:-1]:
        crc = crc_of(crc, buffer)
    last = buffers[-1]
    crc = crc_of(crc, last[:-4])
    buffers[-1] = last + crc.to_bytes(4, "little")
    return buffers, crc


def records_of(batch: bytes, count: int) -> Iterator[tuple[bytes, int, int]]:
    """``(header, start of bodies, length of bodies)`` of each record in a batch whose crc was checked."""
    unpack, at = RECORD.unpack_from, BATCH_BYTES
    for _ in range(count):
        header_length, bodies_length, _, _ = unpack(batch, at)
        start = at + RECORD_BYTES + header_length
        yield batch[at + RECORD_BYTES : start], start, bodies_length
        at = (start + bodies_length + 7) & ~7
