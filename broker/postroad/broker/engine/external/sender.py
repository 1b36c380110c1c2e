"""Publishes on their way to the engine: what arrives while one batch is under way goes with the next.

While the engine is known to be away the answer is ``unavailable`` at once. When it confirms nothing for ``PATIENCE_S`` all that waits is refused
with what was under way, and until it answers again only one batch at a time is tried; so nobody waits longer than that for an engine that
hangs. What was under way may have been stored all the same; a client sends it again under the same frame number.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ...errors import Internal, PostroadError, Unavailable
from ..engine import Confirm, Done, Json
from .backend import Backend, Send, Sent
from .records import publish_record

log = logging.getLogger("postroad.engine")

PATIENCE_S = 2.0
BYTES_MAX = 8 * 1024 * 1024
WAITING_BYTES_MAX = 256 * 1024 * 1024


class Sender:
    """Args:
    tell: Tells all gateways a record.
    position: The last position seen.
    """

    def __init__(self, backend: Backend, tell: Callable[[Json], None], position: Callable[[], int]) -> None:
        self._backend = backend
        self._tell = tell
        self._position = position
        self._waiting: list[tuple[Send, Done[Confirm]]] = []
        self._waiting_bytes = 0
        self._flying: set[asyncio.Task[None]] = set()
        self._wanted = False
        self._hangs = False

    def send(self, send: Send, done: Done[Confirm]) -> None:
        if not self._backend.is_up:
            done(Unavailable(f"{self._backend.name} cannot be reached now."))
            return
        size = sum(map(len, send.bodies))
        if self._waiting_bytes + size > WAITING_BYTES_MAX:
            done(Unavailable(f"{self._backend.name} is too slow for what is published."))
            return
        self._waiting.append((send, done))
        self._waiting_bytes += size
        self._want()

    def _want(self) -> None:
        if not self._wanted and len(self._flying) < (1 if self._hangs else self._backend.flights):
            self._wanted = True
            asyncio.get_running_loop().call_soon(self._launch)

    def _launch(self) -> None:
        self._wanted = False
        if not self._waiting:
            return
        batch, count, size = 0, 0, 0
        while batch < len(self._waiting) and count < self._backend.flight_messages and size < BYTES_MAX:
            send = self._waiting[batch][0]
            count += len(send.bodies)
            size += sum(map(len, send.bodies))
            batch += 1
        rows, self._waiting = self._waiting[:batch], self._waiting[batch:]
        self._waiting_bytes -= size
        task = asyncio.create_task(self._fly(rows), name="postroad send")
        self._flying.add(task)
        task.add_done_callback(self._landed)
        if self._waiting:
            self._want()

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        if self._waiting:
            self._want()

    async def _fly(self, rows: list[tuple[Send, Done[Confirm]]]) -> None:
        results: list[Sent | Exception]
        try:
            results = await self._patiently([send for send, _ in rows])
            self._hangs = False
        except TimeoutError:
            results = [Unavailable(f"{self._backend.name} did not confirm in time.")] * len(rows)
            self._refuse_waiting()
        except PostroadError as error:
            results = [error] * len(rows)
        except Exception:
            log.exception("sending failed")
            results = [Internal("Sending failed.")] * len(rows)
        for (send, done), result in zip(rows, results, strict=True):
            if isinstance(result, Sent):
                done(self._confirm(send, result))
            else:
                done(result if isinstance(result, PostroadError) else Internal("Sending failed."))

    async def _patiently(self, sends: list[Send]) -> list[Sent | Exception]:
        """Raises: TimeoutError: nothing was confirmed for ``PATIENCE_S``. A long batch that is confirmed bit by bit takes as long as it takes."""
        loop = asyncio.get_running_loop()
        seen = self._backend.progress
        timer: asyncio.TimerHandle | None = None
        async with asyncio.timeout(PATIENCE_S) as ending:

            def look() -> None:
                nonlocal seen, timer
                if self._backend.progress != seen and not ending.expired():
                    seen = self._backend.progress
                    ending.reschedule(loop.time() + PATIENCE_S)
                timer = loop.call_later(PATIENCE_S / 4, look)

            look()
            try:
                return await self._backend.send(sends)
            finally:
                if timer is not None:
                    timer.cancel()

    def _refuse_waiting(self) -> None:
        self._hangs = True
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for _, done in waiting:
            done(Unavailable(f"{self._backend.name} does not answer."))

    def _confirm(self, send: Send, sent: Sent) -> Confirm:
        prefix, duplicates, routed = send.prefix, sent.duplicates, len(send.targets)
        if sent.replay is not None:
            prefix, duplicates = sent.replay
        elif not duplicates or len(duplicates) < len(send.headers):
            self._tell(publish_record(send, sent.firsts, duplicates))
        return Confirm(
            position=self._position(), id_prefix=prefix, count=len(send.headers), routed=routed,
            duplicates=duplicates or None, replayed=sent.replay is not None,
        )  # fmt: skip

    async def close(self) -> None:
        while self._flying or self._waiting:
            if self._flying:
                await asyncio.wait(set(self._flying))
            else:
                await asyncio.sleep(0)
