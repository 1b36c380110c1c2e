"""Readers of streams: an offset that moves on as messages are told and the socket has room. A slow one stays behind and loses nothing."""

from __future__ import annotations

import asyncio
import logging

from ...errors import PostroadError, QueueNotFound, Unavailable
from ..engine import ReadSink
from .backend import Backend, Definition
from .envelope import to_batch

log = logging.getLogger("postroad.engine")

STEP = 500
POLL_S = 1.0


class ExternalReader:
    """See ``engine.Reader``."""

    def __init__(self, backend: Backend, definition: Definition, sink: ReadSink, offset: int, position: int) -> None:
        self.position = position
        self.offset = offset
        self.name = definition.name
        self._backend = backend
        self._definition = definition
        self._sink = sink
        self._event = asyncio.Event()
        self._event.set()
        self._paused = False
        self._task = asyncio.create_task(self._run(), name=f"postroad reader {self.name}")

    @property
    def is_over(self) -> bool:
        return self._task.done()

    def wake(self) -> None:
        self._event.set()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._event.set()

    def cancel(self) -> None:
        self._task.cancel()

    def end(self, error: PostroadError) -> None:
        self._task.cancel()
        self._sink.ended(error)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(POLL_S):
                    await self._event.wait()
            except TimeoutError:
                pass
            self._event.clear()
            try:
                while not self._paused and await self._step():
                    pass
            except Unavailable:
                continue
            except QueueNotFound as error:
                self._sink.ended(error)
                return
            except Exception:
                log.exception("reading %s failed", self.name)

    async def _step(self) -> bool:
        messages = await self._backend.read(self._definition, self.offset, STEP)
        if not messages:
            return False
        trimmed = messages[0].sequence if messages[0].sequence > self.offset else None
        self.offset = messages[-1].sequence + 1
        batch = to_batch(0, messages)
        batch.attributes.pop("attempts", None)
        self._sink.messages(batch, trimmed)
        return len(messages) == STEP
