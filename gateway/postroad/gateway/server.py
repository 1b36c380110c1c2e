"""What every connection and every endpoint of one server shares."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from postroad.broker.errors import PostroadError

from .auth.access import Access
from .keep_alive import KeepAlive
from .protocol.context import SessionContext

if TYPE_CHECKING:
    from .websocket import WebSocketConnection

log = logging.getLogger("postroad.gateway")


@dataclass(slots=True, kw_only=True)
class Server:
    """Attributes:
    context: What sessions share; endpoints use its engine, limits and authentication.
    access: Hosts and origins that are served.
    connections_max: WebSocket connections beyond which an upgrade is answered 503.
    connections: The open WebSocket connections.
    stopping: Set when no new work is taken.
    """

    context: SessionContext
    access: Access
    connections_max: int = 10_000
    connections: set[WebSocketConnection] = field(default_factory=set)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    connections_made: int = 0
    keep_alive: KeepAlive = field(default_factory=KeepAlive)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.context.connections = lambda: len(self.connections)
        self.context.report = self.report

    def next_number(self) -> int:
        self.connections_made += 1
        return self.connections_made

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run to its end, whoever asked for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def report(self, request_id: str, error: BaseException) -> None:
        log.error("internal_error", exc_info=error, extra={"request_id": request_id})

    async def drain(self, grace_ms: int) -> None:
        """Stop deliveries and publishes, and take settles until nothing is leased or the time is over."""
        self.stopping.set()
        for connection in list(self.connections):
            connection.drain(grace_ms)
        loop = asyncio.get_running_loop()
        end = loop.time() + grace_ms / 1000
        while self.connections and loop.time() < end and await self._owes_settles():
            await asyncio.sleep(0.05)

    async def _owes_settles(self) -> bool:
        if not any(connection.session.has_consumers for connection in self.connections):
            return False
        try:
            answer = await self.context.engine.query("queues", {})
        except PostroadError:
            return True
        return any(queue.get("leased") for queue in answer["queues"])

    async def close_all(self, code: int, reason: str) -> None:
        """Close every WebSocket; those that do not answer within a second are cut."""
        for connection in list(self.connections):
            connection.close(code, reason)
        end = asyncio.get_running_loop().time() + 1
        while self.connections and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        for connection in list(self.connections):
            connection.abort()
