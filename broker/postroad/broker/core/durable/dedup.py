"""Dedup keys of one name, within a window of time and number (docs/protocol.md §4.1)."""

from __future__ import annotations

from typing import Any

WINDOW_MS = 300_000
KEYS_MAX = 1_000_000


class DedupWindow:
    """Key → where the first message with it is, and a digest of its body. Oldest first, so pruning looks only at the front."""

    __slots__ = ("keys",)

    def __init__(self) -> None:
        self.keys: dict[str, tuple[int, int, int, int]] = {}

    def to_list(self) -> list[tuple[str, int, int, int, int]]:
        return [(key, *entry) for key, entry in self.keys.items()]

    @classmethod
    def from_list(cls, rows: list[list[Any]]) -> DedupWindow:
        window = cls()
        window.keys = {key: (position, index, digest, at) for key, position, index, digest, at in rows}
        return window

    def find(self, key: str, at_ms: int) -> tuple[int, int, int] | None:
        """``(position, index, digest)`` of the first message with this key, if it is still in the window."""
        entry = self.keys.get(key)
        if entry is None or entry[3] + WINDOW_MS <= at_ms:
            return None
        return entry[0], entry[1], entry[2]

    def add(self, key: str, position: int, index: int, digest: int, at_ms: int) -> None:
        keys = self.keys
        keys.pop(key, None)
        keys[key] = (position, index, digest, at_ms)
        while keys:
            oldest = next(iter(keys))
            if len(keys) <= KEYS_MAX and keys[oldest][3] + WINDOW_MS > at_ms:
                break
            del keys[oldest]
