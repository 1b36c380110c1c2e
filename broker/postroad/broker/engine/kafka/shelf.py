"""Memory for bodies that are likely to be handed out soon; what finds no room is fetched again when it is."""

from __future__ import annotations

import weakref

from .record import Batch


class Shelf:
    def __init__(self, size: int) -> None:
        self._free = size

    def keep(self, batch: Batch) -> None:
        """Keep the bodies of a batch for as long as it lives, if there is room."""
        if batch.size > self._free:
            batch.drop_bodies()
            return
        self._free -= batch.size
        weakref.finalize(batch, self._give_back, batch.size).atexit = False

    def _give_back(self, size: int) -> None:
        self._free += size
