"""Work of looking, in slices: after so many items or so much time others get their turn of the loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

ITEMS = 200
BUSY_S = 0.003
"""A slice is over after ``ITEMS`` items, or when it has taken so long: what an item costs is not known beforehand."""

T = TypeVar("T")
U = TypeVar("U")


class Slices:
    """Ask ``is_over`` for each item, and ``give_way`` if it is. What was looked up before may be gone afterwards."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._left = ITEMS
        self._until = time.perf_counter() + BUSY_S

    def is_over(self) -> bool:
        self._left -= 1
        return self._left <= 0 or time.perf_counter() >= self._until

    async def give_way(self) -> None:
        await asyncio.sleep(0)
        self._begin()


async def in_slices(items: Iterable[T], make: Callable[[T], U | None]) -> list[U]:
    """What ``make`` makes of each item, without what is None."""
    slices = Slices()
    made: list[U] = []
    for item in items:
        if (found := make(item)) is not None:
            made.append(found)
        if slices.is_over():
            await slices.give_way()
    return made
