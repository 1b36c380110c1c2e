"""Dedup keys of one name, within a window of time and number (docs/protocol.md §4.1).

A key is known by 128 bits of its BLAKE2b hash: the odds that two of a million keys have the same are one in 10^26. So a key costs some 60 bytes,
whatever its length: a row in arrays, oldest first, and an entry in an index by hash.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

from .hash_index import HashIndex

WINDOW_MS = 300_000
KEYS_MAX = 1_000_000

PRUNE_MAX = 16
"""Old rows that each new key lets go of: enough to catch up, and no more work after a pause than at any time."""

BLOCK = 1024
KINDS = "QQQIQQ"
"""Type codes of a row's columns: the halves of the key's hash, position, index, digest, time."""


class DedupWindow:
    """Key → where the first message with it is, and a digest of its body. ``len`` is how many rows there are."""

    __slots__ = ("_blocks", "_first", "_index", "_next")

    def __init__(self) -> None:
        self._blocks: list[list[array[int]]] = []
        self._first = self._next = 0
        """Numbers of the oldest row, and of the next."""
        self._index = HashIndex("Q", self._hash_of)

    def __len__(self) -> int:
        return self._next - self._first

    def find(self, key: str, at_ms: int) -> tuple[int, int, int] | None:
        """``(position, index, digest)`` of the first message with this key, if it is still in the window."""
        row = self._row(*_halves(key))
        if row is None:
            return None
        (_, _, positions, indexes, digests, times), at = self._place(row)
        return (positions[at], indexes[at], digests[at]) if times[at] + WINDOW_MS > at_ms else None

    def add(self, key: str, position: int, index: int, digest: int, at_ms: int) -> None:
        self._add(*_halves(key), position, index, digest, at_ms)
        for _ in range(PRUNE_MAX):
            (_, _, _, _, _, times), at = self._place(self._first)
            if len(self) <= KEYS_MAX and times[at] + WINDOW_MS > at_ms:
                return
            self._drop_first()

    def to_arrays(self) -> list[array[int]]:
        """All rows, for snapshots."""
        found = [array(kind) for kind in KINDS]
        for number, block in enumerate(self._blocks):
            start = self._first % BLOCK if number == 0 else 0
            for whole, part in zip(found, block, strict=True):
                whole.extend(part[start:])
        return found

    @classmethod
    def from_arrays(cls, arrays: list[array[int]]) -> DedupWindow:
        window = cls()
        window._index.reserve(len(arrays[0]))
        for start in range(0, len(arrays[0]), BLOCK):
            window._blocks.append([column[start : start + BLOCK] for column in arrays])
        for row, (low, high) in enumerate(zip(arrays[0], arrays[1], strict=True)):
            window._note(low, high, row)
        window._next = len(arrays[0])
        return window

    @classmethod
    def from_rows(cls, rows: list[tuple[str, int, int, int, int]]) -> DedupWindow:
        """``(key, position, index, digest, at)``, as snapshots of version 1 have it."""
        window = cls()
        for key, *row in rows:
            window._add(*_halves(key), *row)
        return window

    def _add(self, low: int, high: int, *values: int) -> None:
        if self._next % BLOCK == 0:
            self._blocks.append([array(kind) for kind in KINDS])
        for column, value in zip(self._blocks[-1], (low, high, *values), strict=True):
            column.append(value)
        self._note(low, high, self._next)
        self._next += 1

    def _note(self, low: int, high: int, row: int) -> None:
        """The key is in this row now; a former row of it goes when it is the oldest."""
        former = self._row(low, high)
        if former is not None:
            self._index.remove(low, former)
        self._index.add(low, row)

    def _drop_first(self) -> None:
        block, at = self._place(self._first)
        self._index.remove(block[0][at], self._first)
        self._first += 1
        if self._first % BLOCK == 0:
            del self._blocks[0]

    def _row(self, low: int, high: int) -> int | None:
        for row in self._index.find(low):
            block, at = self._place(row)
            if block[0][at] == low and block[1][at] == high:
                return row
        return None

    def _place(self, row: int) -> tuple[list[array[int]], int]:
        """The block that a row is in, and its place there."""
        return self._blocks[row // BLOCK - self._first // BLOCK], row % BLOCK

    def _hash_of(self, row: int) -> int:
        block, at = self._place(row)
        return block[0][at]


def _halves(key: str) -> tuple[int, int]:
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
