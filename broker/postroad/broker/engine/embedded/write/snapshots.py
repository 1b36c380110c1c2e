"""When to write a snapshot, and when to let dead segments go.

A snapshot is made by a forked copy of the process (``offshoot.py``) and written in a thread of its own, so the loop pays for the
fork and nothing else. Where there is no fork, and at a stop, when nobody is served any more, it is made on the loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from ....core.durable import snapshot
from ....core.machine import Machine
from ....errors import PostroadError
from ....journal import Journal
from .offshoot import CAN_FORK, Offshoot, fork

log = logging.getLogger("postroad.engine")

WORK_MAX = 50_000
"""A snapshot after so much work: replaying it takes about a second. A record is 1, and so are ``HEADER_BYTES`` of headers, since
the more a record says the longer it takes to apply."""

HEADER_BYTES = 200
BYTES_MAX = 256 * 1024 * 1024
COLLECT_MS = 10_000
RETRY_MS = 60_000
"""Before it is tried again when it failed."""


class Snapshots:
    """Args: durable: Waits until a position is durable."""

    def __init__(self, machine: Machine, journal: Journal, durable: Callable[[int], Awaitable[None]]) -> None:
        self._machine = machine
        self._journal = journal
        self._durable = durable
        self._work = 0
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._offshoot: Offshoot | None = None
        self._collected_at = 0
        self._not_before = 0
        self._is_closing = False
        self._thread = ThreadPoolExecutor(1, "postroad-keeping")

    def count(self, records: int, header_bytes: int, size: int) -> None:
        """So much was journaled; ``size``: bytes of bodies."""
        self._work += records + header_bytes // HEADER_BYTES
        self._bytes += header_bytes + size

    def consider(self, at_ms: int) -> None:
        """Once a second: write one if it is time."""
        if self._task is not None and not self._task.done():
            return
        if (self._work >= WORK_MAX or self._bytes >= BYTES_MAX) and at_ms >= self._not_before:
            self._task = asyncio.create_task(self.write())
        elif at_ms - self._collected_at >= COLLECT_MS:
            self._collected_at = at_ms
            self._task = asyncio.create_task(self._collect())

    async def close(self) -> None:
        """A last one, so that the next start has nothing to replay."""
        self._is_closing = True
        if self._offshoot is not None:
            self._offshoot.kill()
        if self._task is not None:
            await asyncio.wait([self._task])
        if self._work:
            await self.write()
        self._thread.shutdown()

    def take(self) -> tuple[int, bytes]:
        """Position and bytes of a snapshot as of now."""
        return snapshot.take(self._machine.state, self._machine.leased_runs())

    async def write(self) -> None:
        """Write one of the state as of now. What fails is logged, and the older one still serves."""
        work, size = self._work, self._bytes
        self._work = self._bytes = 0
        try:
            if self._is_closing or (offshoot := self._fork()) is None:
                position, data = self.take()
                await self._durable(position)
                await self._in_thread(self._journal.write_snapshot, position, data)
            else:
                await self._write_from(offshoot, self._machine.state.position)
        except (PostroadError, OSError) as error:  # a failed journal tells by itself
            self._work, self._bytes = self._work + work, self._bytes + size
            self._not_before = self._machine.now + RETRY_MS
            if not self._is_closing or self._offshoot is None:
                log.error("no snapshot was written: %s", error)
            return
        finally:
            self._offshoot = None
        await self._collect()

    def _fork(self) -> Offshoot | None:
        """A copy of the process that makes a snapshot as of now; None: there cannot be one."""
        if not CAN_FORK:
            return None
        try:
            self._offshoot = fork(self.take)
        except OSError as error:
            log.warning("a snapshot is made on the loop, since there can be no other process: %s", error)
        return self._offshoot

    async def _write_from(self, offshoot: Offshoot, position: int) -> None:
        def write() -> None:
            at, length = offshoot.head()
            assert at == position, f"the snapshot is of position {at}, not {position}"
            self._journal.stream_snapshot(at, length, offshoot.slices(length))

        try:
            await self._durable(position)
            await self._in_thread(write)
        finally:
            offshoot.kill()
            await self._in_thread(offshoot.end)

    async def _in_thread(self, call: Callable[..., object], *args: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, call, *args)

    async def _collect(self) -> None:
        try:
            freed = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._journal.collect, self._machine.aging
            )
        except (PostroadError, OSError) as error:
            log.error("dead segments were kept: %s", error)
            return
        if freed:
            log.info("%d dead segments freed", freed)
