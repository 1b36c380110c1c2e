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

    def views(self, kinds: str, sizes: list[int]) -> list[memoryview]:
        """Like ``take``, but what is there already: no copy is made."""
        found = []
        for kind, size in zip(kinds, sizes, strict=True):
            found.append(_cast(self._view[:size], kind))
            self._view = self._view[size:]
        return found

    def take(self, kinds: str, sizes: list[int]) -> list[array[int]]:
        """The next arrays, with these type codes and lengths in bytes."""
        return [array_of(kind, view) for kind, view in zip(kinds, self.views(kinds, sizes), strict=True)]


def array_of(kind: str, view: memoryview) -> array[int]:
    """A copy of a view as an array."""
    values = array(kind)
    values.frombytes(view.cast("B"))
    return values


def _cast(view: memoryview, kind: str) -> memoryview:
    match kind:
        case "Q":
            return view.cast("Q")
        case "I":
            return view.cast("I")
        case _:
            assert kind == "H", f"no part has elements of type {kind}"
            return view.cast("H")
