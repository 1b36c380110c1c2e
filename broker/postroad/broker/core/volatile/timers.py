"""Timers: the core says when it wants the next tick; the engine waits, and sends the tick."""

from __future__ import annotations

from heapq import heappop, heappush

Key = tuple[str, int | str]


class Timers:
    """One deadline a key. Setting an earlier one replaces it; a later one is found when the earlier comes."""

    __slots__ = ("_due", "_heap")

    def __init__(self) -> None:
        self._due: dict[Key, int] = {}
        self._heap: list[tuple[int, str, int | str]] = []

    def at(self, kind: str, key: int | str, due_ms: int) -> None:
        """Wake at ``due_ms`` at the latest for this key."""
        current = self._due.get((kind, key))
        if current is None or due_ms < current:
            self._due[kind, key] = due_ms
            heappush(self._heap, (due_ms, kind, key))

    def next_due(self) -> int | None:
        heap = self._heap
        while heap and self._due.get((heap[0][1], heap[0][2])) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else None

    def pop_due(self, at_ms: int) -> Key | None:
        """Remove and return the key that is due longest; None: nothing is due. If its work fails, set it again."""
        due = self.next_due()
        if due is None or due > at_ms:
            return None
        _, kind, key = heappop(self._heap)
        del self._due[kind, key]
        return kind, key
