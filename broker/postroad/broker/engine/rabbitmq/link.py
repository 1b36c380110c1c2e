"""The connection to RabbitMQ and its channels; a lost one is made again, and all channels with it.

aiormq is used below aio-pika's robust connections: those bring consumers back by themselves, without saying that all deliveries held before
have become void; here that has to be known. And a write of aiormq that finds its queue full waits for ever when the connection breaks just
then; so whatever is done on a connection is done within ``Link.use``, which ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPError, ChannelNotFoundEntity, PublishError

from ...errors import Internal, PostroadError, QueueNotFound, Unavailable

log = logging.getLogger("postroad.engine")

RETRY_S = 0.25
CONNECT_S = 3.0
PREPARE_S = 30.0
LOST = (AMQPError, ConnectionError, OSError, asyncio.CancelledError, RuntimeError)


class Link:
    """Args:
    connected: Called with each new connection, to make channels on it, before it counts as up.
    lost: Called when the connection has gone.
    up: Called when it is back.
    """

    def __init__(
        self, url: str, connected: Callable[[], Awaitable[None]], lost: Callable[[], None], up: Callable[[], None]
    ) -> None:
        self.is_up = False
        self.generation = 0
        self._url = url
        self._connected = connected
        self._lost = lost
        self._up = up
        self._connection: AbstractConnection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._uses: set[asyncio.Timeout] = set()

    async def open(self) -> None:
        """Raises: Unavailable."""
        try:
            await self._connect()
        except PostroadError:
            await self._drop()
            raise
        except (*LOST, TimeoutError) as error:
            await self._drop()
            raise Unavailable(f"RabbitMQ cannot be reached: {error!r}") from error
        self.is_up = True
        self._keeper = asyncio.get_running_loop().create_task(self._keep(), name="postroad rabbitmq keeper")

    async def close(self) -> None:
        self.is_up = False
        self._end_uses()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._drop()

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """What is done within ends with ``Unavailable`` at once when the connection is lost.

        Raises:
            Unavailable, QueueNotFound.
        """
        if not self.is_up:
            raise Unavailable("RabbitMQ cannot be reached now.")
        ending = asyncio.timeout(None)
        try:
            async with ending:
                self._uses.add(ending)
                yield
        except LOST as error:
            if isinstance(error, TimeoutError) and not ending.expired():
                raise
            task = asyncio.current_task()
            if task is not None and task.cancelling() and not ending.expired():
                # Whatever cleaning up met: who cancelled us must see it end.
                raise asyncio.CancelledError from error
            raise self.failure(error) from error
        finally:
            self._uses.discard(ending)

    def _end_uses(self) -> None:
        uses, self._uses = self._uses, set()
        for ending in uses:
            ending.reschedule(0)

    async def channel(self, *, confirms: bool = False) -> AbstractChannel:
        """Raises: Unavailable."""
        if self._connection is None:
            raise Unavailable("RabbitMQ cannot be reached now.")
        try:
            return await self._connection.channel(publisher_confirms=confirms)
        except LOST as error:
            raise self.failure(error) from error

    def failure(self, error: BaseException) -> BaseException:
        """What callers are told."""
        if isinstance(error, PostroadError):
            return error
        if isinstance(error, asyncio.CancelledError):
            # aiormq cancels what waits on a connection that breaks; if it was our caller who did it, that must go on.
            task = asyncio.current_task()
            return error if task is not None and task.cancelling() else Unavailable("RabbitMQ cannot be reached now.")
        if isinstance(error, ChannelNotFoundEntity) and "home node" in str(error):
            return Unavailable("RabbitMQ has started, and that queue has not yet.")
        if isinstance(error, ChannelNotFoundEntity | PublishError):
            return QueueNotFound("There is no such queue.")
        if isinstance(error, LOST):
            return Unavailable("RabbitMQ cannot be reached now.")
        log.error("RabbitMQ failed: %r", error)
        return Internal("RabbitMQ refused a command.")

    async def _connect(self) -> None:
        async with asyncio.timeout(CONNECT_S):
            self._connection = await aiormq.connect(self._url)
        self.generation += 1
        async with asyncio.timeout(PREPARE_S):
            await self._connected()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*LOST, TimeoutError):
                async with asyncio.timeout(1):
                    await connection.close()

    async def _keep(self) -> None:
        """Wait for the connection to break; make it again; for ever."""
        while True:
            assert self._connection is not None
            await asyncio.wait([asyncio.ensure_future(self._connection.closing)])
            self.is_up = False
            log.warning("RabbitMQ cannot be reached")
            self._end_uses()
            self._lost()
            await self._until_connected()
            self.is_up = True
            log.warning("RabbitMQ is back")
            self._up()

    async def _until_connected(self) -> None:
        while True:
            await self._drop()
            await asyncio.sleep(RETRY_S)
            try:
                await self._connect()
                return
            except (AMQPError, ConnectionError, OSError, RuntimeError, TimeoutError, PostroadError):
                continue
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise


def header_text(headers: Any, name: str) -> str | None:
    value = (headers or {}).get(name)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode()
    return value if isinstance(value, str) else None
