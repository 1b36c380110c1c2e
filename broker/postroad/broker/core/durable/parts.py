"""Arrays beside a snapshot's JSON header: written and read in the same order, their lengths in bytes in the header."""

from __future__ import annotations

from array import array


class PartWriter:
    """Attributes:
    parts: What was put, in order.
    """

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[array[int]] = []

    def put(self, *arrays: array[int]) -> list[int]:
        """Add arrays; returns their lengths in bytes, for the header."""
        self.parts.extend(arrays)
        return [len(values) * values.itemsize for values in arrays]


class PartReader:
    """Args:
    view: All parts back to back.
    """

    __slots__ = ("_view",)

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def take(self, kinds: str, sizes: list[int]) -> list[array[int]]:
        """The next arrays, with these type codes and lengths in bytes."""
        taken = []
        for kind, size in zip(kinds, sizes, strict=True):
            values = array(kind)
            values.frombytes(self._view[:size])
            self._view = self._view[size:]
            taken.append(values)
        return taken
