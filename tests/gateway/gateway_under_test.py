"""Gateways for tests: a real one on a free port, and a session alone with a port that records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import websockets
from fake_engine import FakeEngine
from postroad.gateway.app import build_app
from postroad.gateway.auth.access import Access
from postroad.gateway.config import Config
from postroad.gateway.protocol.capability import WatchKeys
from postroad.gateway.protocol.context import SessionContext
from postroad.gateway.protocol.frame import decode_binary, encode_binary
from postroad.gateway.protocol.session import Session
from postroad.gateway.server import Server
from postroad.gateway.serving import Running, start
from postroad.gateway.websocket import WebSocketConnection

SECRET = b"s" * 32
KEYS = WatchKeys(SECRET)

to_close: list[asyncio.StreamWriter] = []
"""Clients without manners, cut before their server stops."""


@asynccontextmanager
async def running_gateway(
    engine: FakeEngine,
    *,
    authenticate: Any = None,
    access: Access | None = None,
    connections_max: int = 100,
    protocol: Any = None,
    **app: Any,
) -> AsyncIterator[Running]:
    context = SessionContext(engine=engine, watch_keys=KEYS, authenticate=authenticate)
    server = Server(context=context, access=access or Access("127.0.0.1"), connections_max=connections_max)
    bugs: list[BaseException] = []
    context.report = lambda request_id, error: bugs.append(error)
    running = await start(server, build_app(server, **app), Config(port=0, grace_ms=0), protocol or WebSocketConnection)
    try:
        yield running
    finally:
        while to_close:
            writer = to_close.pop()
            writer.transport.abort()
        await running.stop()
    if bugs:
        raise bugs[0]


@asynccontextmanager
async def connected(running: Running, **options: Any) -> AsyncIterator[Talk]:
    url = running.url.replace("http", "ws") + "/ws"
    options.setdefault("subprotocols", ["postroad.v1"])
    async with websockets.connect(url, compression=None, max_size=None, proxy=None, **options) as socket:
        yield Talk(socket)


class Talk:
    """Frames over a real WebSocket."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.bodies = b""

    async def send(self, *, bodies: bytes | None = None, **frame: Any) -> None:
        text = orjson.dumps(frame)
        await self.socket.send(text.decode() if bodies is None else encode_binary(text) + bodies)

    async def receive(self) -> dict[str, Any]:
        frame = await asyncio.wait_for(self.socket.recv(), 10)
        if isinstance(frame, str):
            return dict(orjson.loads(frame))
        header, bodies = decode_binary(frame)
        self.bodies = bytes(bodies)
        return header

    async def until(self, **wanted: Any) -> dict[str, Any]:
        """The next frame with these fields; others are skipped."""
        while True:
            frame = await self.receive()
            if wanted.items() <= frame.items():
                return frame

    async def ask(self, request_id: int, **frame: Any) -> dict[str, Any]:
        await self.send(id=request_id, **frame)
        return await self.until(id=request_id)


class RecordingPort:
    """A connection that keeps what is sent, decoded."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.raw: list[tuple[bytes, bool]] = []
        self.bodies: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.congested = False
        self.tasks: list[asyncio.Task[None]] = []

    def send(self, parts: Sequence[Any], *, binary: bool) -> None:
        data = b"".join(parts)
        self.raw.append((data, binary))
        if binary:
            header, bodies = decode_binary(data)
            self.sent.append(header)
            self.bodies.append(bytes(bodies))
        else:
            self.sent.append(orjson.loads(data))

    def send_frame(self, frame: bytes) -> None:
        size = frame[1] & 0x7F
        start = 2 if size < 126 else 4 if size == 126 else 10
        self.send((frame[start:],), binary=frame[0] == 0x82)

    def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)

    def throttle(self) -> None:
        pass

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))


class Alone:
    """A session without a socket."""

    def __init__(self, engine: FakeEngine, *, authenticate: Any = None, principal: Any = None) -> None:
        self.engine = engine
        self.bugs: list[BaseException] = []
        context = SessionContext(
            engine=engine,
            watch_keys=KEYS,
            authenticate=authenticate,
            report=lambda request_id, error: self.bugs.append(error),
        )
        self.port = RecordingPort()
        self.session = Session(context, self.port, 1, principal)

    async def settle(self) -> None:
        """Let everything that was asked for happen."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def text(self, **frame: Any) -> list[dict[str, Any]]:
        """What is sent in answer to a text frame."""
        before = len(self.port.sent)
        self.session.receive_text(orjson.dumps(frame).decode())
        await self.settle()
        return self.port.sent[before:]

    async def binary(self, bodies: bytes = b"", **frame: Any) -> list[dict[str, Any]]:
        before = len(self.port.sent)
        self.session.receive_binary(encode_binary(orjson.dumps(frame)) + bodies)
        await self.settle()
        return self.port.sent[before:]
