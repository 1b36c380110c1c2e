"""Runs one server: engine, uvicorn, signals, and the order of stopping.

Stopping: take no new connections → tell clients to ``drain`` and take their settles for a while → close the engine
(which syncs) → close what is left with 1012. All of it within ten seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .config import Config
from .protocol import opcodes
from .server import Server
from .websocket import WebSocketConnection, protocol_class

HEADERS_S = 5.0
HTTP_CONNECTIONS_SPARE = 1_000


class HttpConnection(HttpToolsProtocol):
    """uvicorn's HTTP connection, with a deadline for the first request's headers, which it lacks."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEADERS_S, self._too_late)

    def on_headers_complete(self) -> None:
        self._in_time()
        super().on_headers_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_time()
        self._deadline = self.loop.call_later(HEADERS_S, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # The parser and this object hold each other; let go, so that a WebSocket does not keep them in memory.
        self.parser = self.flow = self.scope = self.headers = self.transport = None  # type: ignore[assignment]

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class _Uvicorn(uvicorn.Server):
    """uvicorn without its own signal handlers: ``serve`` below has the order of stopping."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


class Running:
    """A started server. ``url`` is where it listens; ``stop`` ends it in order."""

    def __init__(self, server: Server, http: uvicorn.Server, task: asyncio.Task[None], grace_ms: int) -> None:
        self.server = server
        self._http = http
        self._task = task
        self._grace_ms = grace_ms
        name, port = http.servers[0].sockets[0].getsockname()[:2]
        self.port: int = port
        self.url = f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

    async def stop(self) -> None:
        """Drain and close; the engine is closed when this returns."""
        for listener in self._http.servers:
            listener.close()
        await self.server.drain(self._grace_ms)
        await self.server.context.engine.close(0)
        await self.server.close_all(opcodes.RESTARTING, "the server restarts")
        await self.abandon()

    async def abandon(self) -> None:
        """Stop HTTP without regard to the engine."""
        self.server.stopping.set()
        self._http.should_exit = True
        await self._task


async def start(
    server: Server, app: Any, config: Config, connection: type[WebSocketConnection] = WebSocketConnection
) -> Running:
    """Listen. The engine must have been started.

    Args:
        connection: Another class of WebSocket connections, for tests.

    Raises:
        OSError: the address cannot be bound.
    """
    http = _Uvicorn(
        uvicorn.Config(
            app,
            host=config.host,
            port=config.port,
            http=HttpConnection,
            ws=protocol_class(server, connection),  # type: ignore[arg-type]  # it looks like a Protocol to uvicorn, and is buffered to the loop
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=3,
            limit_concurrency=config.connections_max + HTTP_CONNECTIONS_SPARE,
            backlog=1024,
        )
    )
    # uvicorn would exit the process when it cannot bind, so we do it.
    task = asyncio.create_task(http.serve(sockets=[_listen(config.host, config.port)]))
    while not http.started:
        if task.done():
            await task
            raise OSError("the HTTP server did not start")
        await asyncio.sleep(0.005)
    return Running(server, http, task, config.grace_ms)


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


@contextlib.asynccontextmanager
async def stop_signals() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    handled: list[signal.Signals] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, stop.set)
            handled.append(name)
    try:
        yield stop
    finally:
        for name in handled:
            loop.remove_signal_handler(name)
