"""How far a topic was read here, and who waits for more."""

from __future__ import annotations

import asyncio

from ...errors import PostroadError, Unavailable

PATIENCE_S = 2.0


class Place:
    """Attributes:
    offset: Of the next record.
    """

    def __init__(self) -> None:
        self.offset = 0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    def reach(self, offset: int) -> None:
        self.offset = offset
        if not self._waiters:
            return
        for goal, waiter in self._waiters:
            if goal <= offset and not waiter.done():
                waiter.set_result(None)
        self._waiters = [entry for entry in self._waiters if not entry[1].done()]

    async def until(self, offset: int, *, patiently: bool = False) -> None:
        """Wait until all before ``offset`` was read.

        Raises:
            Unavailable: it takes too long, unless ``patiently``.
        """
        if self.offset >= offset:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((offset, waiter))
        try:
            async with asyncio.timeout(None if patiently else PATIENCE_S):
                await waiter
        except TimeoutError as error:
            raise Unavailable("Kafka does not answer.") from error

    def fail(self, error: PostroadError) -> None:
        """Who waits is told."""
        waiters, self._waiters = self._waiters, []
        for _, waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)
                waiter.exception()  # it may be that nobody waits any more
