"""Snapshot files: the owner's state as of a position.

::

    0        8         12      28         36       44           48     48+length
    +--------+---------+-------+----------+--------+------------+------+-----+
    | magic  | version | store | position | length | header crc | data | crc |
    +--------+---------+-------+----------+--------+------------+------+-----+
     8s       u32       16s     u64        u64      u32                 u32   (little-endian, CRC-32C)

Written aside, synced, renamed, the directory synced, read back and compared: only then does it count. The newest
``snapshots_kept`` are kept, and the journal from the oldest of them on, so a damaged one is passed over.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from struct import Struct, error

from google_crc32c import extend, value

from ..errors import Corrupt
from .files import Buffer, Files, write_all

SLICE_BYTES = 1024 * 1024
"""Most bytes that are checksummed at once: the interpreter's lock is held meanwhile."""

_CRC_BYTES = 4
_MAGIC = b"prsnapsh"
_VERSION = 1
_HEADER = Struct("<8sI16sQQI")
_NAME = re.compile(r"([0-9a-f]{16})\.snapshot")


def snapshot_name(position: int) -> str:
    return f"{position:016x}.snapshot"


def list_snapshots(files: Files) -> list[int]:
    """Positions of the snapshot files, ascending."""
    return [int(match[1], 16) for name in files.list() if (match := _NAME.fullmatch(name))]


def write_snapshot(files: Files, store: bytes, position: int, length: int, slices: Iterable[Buffer]) -> None:
    """Make a snapshot durable, and prove it by reading it back. Never holds more than one slice.

    Args:
        length: Bytes of all slices together. The space for them is reserved before the first one is asked for.

    Raises:
        Corrupt: the slices are of another length, or what was read back is not what was written; the file is removed.
    """
    head = _HEADER.pack(_MAGIC, _VERSION, store, position, length, 0)[:-4]
    head += int(value(head)).to_bytes(4, "little")
    name = snapshot_name(position)
    temporary = f"{name}.tmp"
    try:
        handle = files.open(temporary, create=True)
        try:
            files.allocate(handle, _HEADER.size + length + _CRC_BYTES)
            crc = _write(files, handle, head, length, slices, name)
            files.sync(handle)
        finally:
            files.close(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            files.unlink(temporary)  # it may hold the last of the space
        raise
    files.rename(temporary, name)
    files.dirsync()
    try:
        intact = _read_back(files, name, length) == (head, crc)
    except Corrupt:
        intact = False
    if not intact:
        files.unlink(name)
        files.dirsync()
        raise Corrupt(f"{name} reads back differently.", segment=name, offset=0)


def _write(files: Files, handle: int, head: bytes, length: int, slices: Iterable[Buffer], name: str) -> int:
    """Returns the checksum at the end."""
    crc, offset, end = int(value(head)), len(head), len(head) + length
    write_all(files, handle, [head], 0)
    for part in slices:
        if offset + len(part) > end:
            break
        crc = int(extend(crc, bytes(part)))
        write_all(files, handle, [part], offset)
        offset += len(part)
    else:
        if offset == end:
            write_all(files, handle, [crc.to_bytes(_CRC_BYTES, "little")], offset)
            return crc
    raise Corrupt(f"{name} was given with another length than it has.", segment=name, offset=offset)


def _read_back(files: Files, name: str, length: int) -> tuple[bytes, int]:
    """The header of a snapshot file and the checksum at its end, which is that of what was read.

    Raises:
        Corrupt: it is not.
    """
    handle = files.open(name)
    try:
        head = files.pread(handle, _HEADER.size, 0)
        crc, offset, end = int(value(head)), len(head), _HEADER.size + length
        while offset < end and (part := files.pread(handle, min(SLICE_BYTES, end - offset), offset)):
            crc = int(extend(crc, part))
            offset += len(part)
        if files.pread(handle, _CRC_BYTES + 1, offset) != crc.to_bytes(_CRC_BYTES, "little"):
            raise Corrupt(f"{name} is damaged.", segment=name, offset=_HEADER.size)
        return head, crc
    finally:
        files.close(handle)


def read_snapshot(files: Files, store: bytes, position: int) -> bytes:
    """The checked data of a snapshot.

    Raises:
        Corrupt: damaged, or of another store.
    """
    name = snapshot_name(position)
    handle = files.open(name)
    try:
        head, size = files.pread(handle, _HEADER.size, 0), files.size(handle)
        try:
            magic, version, of_store, at, length, crc = _HEADER.unpack(head)
        except error:
            raise Corrupt(f"{name} is cut short.", segment=name, offset=0) from None
        if magic != _MAGIC or version != _VERSION or value(head[:-4]) != crc or of_store != store or at != position:
            raise Corrupt(f"The header of {name} is damaged, or of another store.", segment=name, offset=0)
        if size == _HEADER.size + length + _CRC_BYTES:
            data = files.pread(handle, length, _HEADER.size)
            end = files.pread(handle, _CRC_BYTES, _HEADER.size + length)
            if len(data) == length and int(extend(value(head), data)).to_bytes(_CRC_BYTES, "little") == end:
                return data
        raise Corrupt(f"{name} is damaged.", segment=name, offset=_HEADER.size)
    finally:
        files.close(handle)


def drop_snapshots(files: Files, keep: int) -> list[int]:
    """Delete all but the newest ``keep``; returns the positions kept, ascending."""
    positions = list_snapshots(files)
    for position in positions[:-keep]:
        files.unlink(snapshot_name(position))
    if len(positions) > keep:
        files.dirsync()
    return positions[-keep:]
