"""Dedup keys of one name, within a window of time and number (docs/protocol.md §4.1).

Rows are kept oldest first, in blocks of arrays; a dictionary finds the row of a key. So old rows go from the front at no cost: a dictionary
alone, emptied from its front, looks again and again over the places of what has gone.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from .parts import PartReader, PartWriter

WINDOW_MS = 300_000
KEYS_MAX = 1_000_000

PRUNE_MAX = 16
"""Old rows that each new key lets go of: enough to catch up, and no more work after a pause than at any time."""

BLOCK = 1024
KINDS = "QIQQ"
"""Type codes of a row's columns beside its key: position, index, digest, time."""


class _Block:
    __slots__ = ("digests", "indexes", "keys", "positions", "times")

    def __init__(self, keys: list[str], columns: Sequence[array[int]]) -> None:
        self.keys = keys
        self.positions, self.indexes, self.digests, self.times = columns

    def columns(self) -> list[array[int]]:
        return [self.positions, self.indexes, self.digests, self.times]


class DedupWindow:
    """Key → where the first message with it is, and a digest of its body. ``len`` is how many rows there are."""

    __slots__ = ("_blocks", "_first", "_next", "_rows")

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._blocks: list[_Block] = []
        self._first = self._next = 0
        """Numbers of the oldest row, and of the next. A row of a key that came again later goes when it is the oldest."""

    def __len__(self) -> int:
        return self._next - self._first

    def find(self, key: str, at_ms: int) -> tuple[int, int, int] | None:
        """``(position, index, digest)`` of the first message with this key, if it is still in the window."""
        row = self._rows.get(key)
        if row is None:
            return None
        block, at = self._blocks[row // BLOCK - self._first // BLOCK], row % BLOCK
        if block.times[at] + WINDOW_MS <= at_ms:
            return None
        return block.positions[at], block.indexes[at], block.digests[at]

    def add(self, key: str, position: int, index: int, digest: int, at_ms: int) -> None:
        row = self._next
        if row % BLOCK == 0:
            self._blocks.append(_Block([], [array(kind) for kind in KINDS]))
        block = self._blocks[-1]
        block.keys.append(key)
        block.positions.append(position)
        block.indexes.append(index)
        block.digests.append(digest)
        block.times.append(at_ms)
        self._rows[key] = row
        self._next = row + 1
        before = at_ms - WINDOW_MS
        for _ in range(PRUNE_MAX):
            if self._blocks[0].times[self._first % BLOCK] > before and self._next - self._first <= KEYS_MAX:
                return
            self._drop_first()

    def _drop_first(self) -> None:
        row = self._first
        key = self._blocks[0].keys[row % BLOCK]
        if self._rows[key] == row:
            del self._rows[key]
        self._first = row + 1
        if self._first % BLOCK == 0:
            del self._blocks[0]

    def to_json(self, parts: PartWriter) -> dict[str, object]:
        keys: list[str] = []
        columns = [array(kind) for kind in KINDS]
        for number, block in enumerate(self._blocks):
            start = self._first % BLOCK if number == 0 else 0
            keys.extend(block.keys[start:])
            for whole, part in zip(columns, block.columns(), strict=True):
                whole.extend(part[start:])
        return {"keys": keys, "rows": parts.put(*columns)}

    @classmethod
    def from_json(cls, data: dict[str, Any], parts: PartReader) -> DedupWindow:
        return cls._of(data["keys"], parts.take(KINDS, data["rows"]))

    @classmethod
    def from_rows(cls, rows: list[tuple[str, int, int, int, int]]) -> DedupWindow:
        """``(key, position, index, digest, at)``, as snapshots of version 1 have it."""
        columns = [array(kind, [int(row[number]) for row in rows]) for number, kind in enumerate(KINDS, 1)]
        return cls._of([row[0] for row in rows], columns)

    @classmethod
    def _of(cls, keys: list[str], columns: list[array[int]]) -> DedupWindow:
        window = cls()
        for start in range(0, len(keys), BLOCK):
            end = start + BLOCK
            window._blocks.append(_Block(keys[start:end], [column[start:end] for column in columns]))
        window._rows = {key: row for row, key in enumerate(keys)}
        window._next = len(keys)
        return window
