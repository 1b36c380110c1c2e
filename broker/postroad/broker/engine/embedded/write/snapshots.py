"""When to write a snapshot, and when to let dead segments go. Taking one is quick (arrays are copied); writing is in a thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ....core.durable import snapshot
from ....core.machine import Machine
from ....errors import PostroadError
from ....journal import Journal

log = logging.getLogger("postroad.engine")

RECORDS = 50_000
"""A snapshot after so many records: replaying them takes less than a second."""

BYTES = 256 * 1024 * 1024
COLLECT_MS = 10_000


class Snapshots:
    def __init__(self, machine: Machine, journal: Journal, durable: Callable[[int], Awaitable[None]]) -> None:
        self._machine = machine
        self._journal = journal
        self._durable = durable
        self._records = 0
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._collected_at = 0

    def count(self, records: int, size: int) -> None:
        self._records += records
        self._bytes += size

    def consider(self, at_ms: int) -> None:
        """Once a second: write one if it is time."""
        if self._task is not None and not self._task.done():
            return
        if self._records >= RECORDS or self._bytes >= BYTES:
            self._task = asyncio.create_task(self._write())
        elif at_ms - self._collected_at >= COLLECT_MS:
            self._collected_at = at_ms
            self._task = asyncio.create_task(self._collect())

    async def close(self) -> None:
        """A last one, so that the next start has nothing to replay."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._records:
            await self._write()

    async def _write(self) -> None:
        self._records = self._bytes = 0
        position, data = snapshot.take(self._machine.state, self._machine.leased_runs())
        try:
            await self._durable(position)
            await asyncio.to_thread(self._journal.write_snapshot, position, data)
        except (PostroadError, OSError) as error:  # the older snapshot still serves; a failed journal tells by itself
            log.error("no snapshot was written: %s", error)
            return
        await self._collect()

    async def _collect(self) -> None:
        try:
            freed = await asyncio.to_thread(self._journal.collect, self._machine.now)
        except (PostroadError, OSError) as error:
            log.error("dead segments were kept: %s", error)
            return
        if freed:
            log.info("%d dead segments freed", freed)
