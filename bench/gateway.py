"""How fast the gateway is by itself: ready-made frames into an engine that does nothing but say yes.

Run: python bench/gateway.py [--seconds 3]

Server and client are two processes over loopback TCP. The client sends bytes made beforehand and counts the answers, so
what is measured is the server: WebSocket, frame, checks, engine call, confirm. Small frames are one 100-byte message
each, pipelined; large ones 64 KB of 100-byte messages.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import platform
import resource
import socket
import subprocess
import time
from typing import Any, ClassVar

import orjson
import uvloop
from postroad.broker.engine.engine import Capabilities, Confirm, DeliveryBatch, PublishBatch, Run

BODY = b'{"to":"someone@example.com","n":1234567,"text":"' + b"x" * 50 + b'"}'
assert len(BODY) == 100
MASK = b"\x11\x22\x33\x44"


class NullEngine:
    """Confirms at once; delivers a ready batch for every credit when it is consumed from."""

    name, durability, store, epoch, position, healthy = "null", "memory", "null", 1, 1, True
    unready = on_failure = None
    capabilities = Capabilities()
    reasons: ClassVar[dict[str, str]] = {}

    def publish(self, batch: PublishBatch, done: Any) -> None:
        done(Confirm(position=1, id_prefix="1-1-", count=len(batch.sizes)))

    async def close(self, drain_ms: int = 0) -> None: ...

    async def consume(self, spec: Any, sink: Any) -> Any:
        return Flood(sink)


class Flood:
    """A subscription that always has more."""

    token, lease_ms, position = "s", 30_000, 1

    def __init__(self, sink: Any) -> None:
        self.lost: list[Any] = []
        self.sink, self.paused = sink, False
        self.batch = DeliveryBatch(
            number=1,
            runs=[Run(sequence=1, count=640, id_prefix="1-1-", index=0, published_at=1)],
            sizes=[100] * 640,
            bodies=[BODY * 640],
            attributes={},
        )
        asyncio.get_running_loop().call_soon(self.more)

    def more(self) -> None:
        for _ in range(8):
            if self.paused:
                return
            self.sink.deliver(self.batch)
        asyncio.get_running_loop().call_soon(self.more)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        asyncio.get_running_loop().call_soon(self.more)

    def detach(self) -> None:
        self.paused = True


def serve(port: Any, cpu: Any) -> None:
    from postroad.gateway.app import build_app
    from postroad.gateway.auth.access import Access
    from postroad.gateway.config import Config
    from postroad.gateway.protocol.capability import WatchKeys
    from postroad.gateway.protocol.context import SessionContext
    from postroad.gateway.server import Server
    from postroad.gateway.serving import start

    async def run() -> None:
        context = SessionContext(engine=NullEngine(), watch_keys=WatchKeys(b"k" * 32))  # type: ignore[arg-type]
        server = Server(context=context, access=Access("127.0.0.1"))
        running = await start(server, build_app(server), Config(port=0))
        port.value = running.port
        while True:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            cpu.value = usage.ru_utime + usage.ru_stime
            await asyncio.sleep(0.02)

    uvloop.run(run())


def masked(payload: bytes) -> bytes:
    """A client's binary frame."""
    size = len(payload)
    if size < 126:
        head = bytes((0x82, 0x80 | size))
    elif size < 65_536:
        head = bytes((0x82, 0xFE)) + size.to_bytes(2)
    else:
        head = bytes((0x82, 0xFF)) + size.to_bytes(8)
    repeated = (MASK * (size // 4 + 1))[:size]
    xored = int.from_bytes(payload) ^ int.from_bytes(repeated)
    return head + MASK + xored.to_bytes(size)


def request(header: dict[str, Any], bodies: bytes = b"") -> bytes:
    text = orjson.dumps(header)
    return masked(len(text).to_bytes(4) + text + bodies)


def connect(port: int) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port))
    peer.sendall(
        b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    while not peer.recv(65_536).endswith(b"\r\n\r\n"):
        pass
    return peer


def publish(port: int, frame: bytes, batch: int, window: int, seconds: float) -> int:
    """Frames confirmed in ``seconds`` with ``window`` of them open."""
    peer = connect(port)
    chunk = frame * batch
    sent = confirmed = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or confirmed < sent:
        while sent - confirmed < window and time.perf_counter() < end:
            peer.sendall(chunk)
            sent += batch
        answers = peer.recv(1 << 20)
        if not answers:
            raise SystemExit("the server closed the connection")
        confirmed += answers.count(b'"op":"ok"')  # an answer cut by a read is seen by neither half,
        if confirmed < sent and time.perf_counter() > end + 0.5:  # so the last ones are not waited for long
            break
    peer.close()
    return confirmed


def consume(port: int, seconds: float) -> int:
    peer = connect(port)
    peer.sendall(request({"op": "consume", "id": 1, "sub": 1, "queue": "a", "prefetch": 1000}))
    total = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        total += len(peer.recv(1 << 20))
    peer.close()
    return total


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=3)
    seconds: float = options.parse_args().seconds
    port, cpu = multiprocessing.Value("i", 0), multiprocessing.Value("d", 0.0)
    server = multiprocessing.Process(target=serve, args=(port, cpu), daemon=True)
    server.start()
    while not port.value:
        time.sleep(0.05)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], check=False, capture_output=True, text=True
    ).stdout.strip()
    print(f"commit {commit}, Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")

    small = request({"op": "publish", "id": 1, "queue": "a", "sizes": [100]}, BODY)
    large = request({"op": "publish", "id": 1, "queue": "a", "sizes": [100] * 640}, BODY * 640)
    for name, frame, count, batch, window in (
        ("publish, 1 message a frame", small, 1, 64, 512),
        ("publish, 640 messages (64 KB) a frame", large, 640, 1, 16),
    ):
        time.sleep(0.1)
        before, started = cpu.value, time.perf_counter()
        frames = publish(port.value, frame, batch, window, seconds)
        time.sleep(0.1)
        spent, used = time.perf_counter() - started - 0.1, cpu.value - before
        print(
            f"{name}: {frames / spent:,.0f} frames/s, {frames * count / spent:,.0f} messages/s, "
            f"{used / frames * 1e6:.1f} µs CPU a frame"
        )
    time.sleep(0.1)
    before = cpu.value
    messages = consume(port.value, seconds) / (64_000 + 2_650) * 640
    time.sleep(0.1)
    print(f"deliver, 640 messages a frame: {messages / seconds:,.0f} messages/s, "
          f"{(cpu.value - before) / messages * 1e9:.0f} ns CPU a message")  # fmt: skip
    server.terminate()


if __name__ == "__main__":
    main()
