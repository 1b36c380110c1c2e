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

import re
from struct import Struct, error

from google_crc32c import extend, value

from ..errors import Corrupt
from .files import Files, read_whole, write_whole

_MAGIC = b"prsnapsh"
_VERSION = 1
_HEADER = Struct("<8sI16sQQI")
_NAME = re.compile(r"([0-9a-f]{16})\.snapshot")


def snapshot_name(position: int) -> str:
    return f"{position:016x}.snapshot"


def list_snapshots(files: Files) -> list[int]:
    """Positions of the snapshot files, ascending."""
    return [int(match[1], 16) for name in files.list() if (match := _NAME.fullmatch(name))]


def write_snapshot(files: Files, store: bytes, position: int, data: bytes) -> None:
    """Make a snapshot durable, and prove it by reading it back.

    Raises:
        Corrupt: what was read back is not what was written; the file is removed.
    """
    head = _HEADER.pack(_MAGIC, _VERSION, store, position, len(data), 0)[:-4]
    head += int(value(head)).to_bytes(4, "little")
    name = snapshot_name(position)
    write_whole(files, name, [head, data, int(extend(value(head), data)).to_bytes(4, "little")])
    try:
        intact = read_snapshot(files, store, position) == data
    except Corrupt:
        intact = False
    if not intact:
        files.unlink(name)
        files.dirsync()
        raise Corrupt(f"{name} reads back differently.", segment=name, offset=0)


def read_snapshot(files: Files, store: bytes, position: int) -> bytes:
    """The checked data of a snapshot.

    Raises:
        Corrupt: damaged, or of another store.
    """
    name = snapshot_name(position)
    content = read_whole(files, name)
    try:
        magic, version, of_store, at, length, crc = _HEADER.unpack_from(content)
    except error:
        raise Corrupt(f"{name} is cut short.", segment=name, offset=0) from None
    head, data = content[: _HEADER.size], content[_HEADER.size : -4]
    if magic != _MAGIC or version != _VERSION or value(head[:-4]) != crc or of_store != store or at != position:
        raise Corrupt(f"The header of {name} is damaged, or of another store.", segment=name, offset=0)
    if len(data) != length or int(extend(value(head), data)).to_bytes(4, "little") != content[-4:]:
        raise Corrupt(f"{name} is damaged.", segment=name, offset=_HEADER.size)
    return data


def drop_snapshots(files: Files, keep: int) -> list[int]:
    """Delete all but the newest ``keep``; returns the positions kept, ascending."""
    positions = list_snapshots(files)
    for position in positions[:-keep]:
        files.unlink(snapshot_name(position))
    if len(positions) > keep:
        files.dirsync()
    return positions[-keep:]
