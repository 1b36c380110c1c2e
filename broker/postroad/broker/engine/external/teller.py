"""Records on their way to all gateways: kept while the engine is away, told in batches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import orjson

from ...errors import Unavailable
from ..engine import Json
from .backend import Backend
from .chronicle import Chronicle

log = logging.getLogger("postroad.engine")

WAITING_MAX = 20_000
"""Records waiting for an engine that is away; older ones are dropped."""

BATCH_MAX = 500


class Teller:
    """Attributes:
    serial: Number of the last record told by this gateway.
    """

    def __init__(self, backend: Backend, chronicle: Chronicle, node: str, now: Callable[[], int]) -> None:
        self.serial = 0
        self._backend = backend
        self._chronicle = chronicle
        self._node = node
        self._now = now
        self._waiting: list[bytes] = []
        self._task: asyncio.Task[None] | None = None

    def tell(self, record: Json) -> None:
        self.serial += 1
        record = {"at": self._now(), "w": [self._node, self.serial], **record}
        if "f" in record:
            # Known here at once: the client may send the frame again before its record has come round.
            self._chronicle.note_frame(record)
        self._waiting.append(orjson.dumps(record))
        if len(self._waiting) > WAITING_MAX:
            del self._waiting[: len(self._waiting) - WAITING_MAX]
        self.go_on()

    def go_on(self) -> None:
        """Tell what waits: something does, or the engine is back."""
        if self._task is None and self._waiting:
            self._task = asyncio.get_running_loop().create_task(self._tell(), name="postroad tell")

    async def _tell(self) -> None:
        try:
            await asyncio.sleep(0)
            while self._waiting:
                records, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                try:
                    await self._backend.tell(records)
                except Unavailable:
                    self._waiting = records + self._waiting
                    return
        except Exception:
            log.exception("records could not be told")
        finally:
            self._task = None

    async def idle(self) -> None:
        """Wait until all is told, or cannot be."""
        while self._task is not None:
            await asyncio.wait([self._task])
