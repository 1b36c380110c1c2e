"""WebSocket clients that cost next to nothing: plain sockets under one epoll, which count bodies and do not decode frames.

A body ends with ``MARK``, which occurs nowhere else, so counting marks counts deliveries however frames were cut or packed.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

BODY_BYTES = 120
MARK = b'~#~"}'
_AT = b'"at":'
_HEAD = b'{"at":%016d,"text":"'
_FRAME = b'{"op":"messages"'
_PADDING = b"x" * (BODY_BYTES - len(_HEAD % 0) - len(MARK))
_RECEIVE_BYTES = 64 * 1024
_UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def body() -> bytes:
    """120 bytes of JSON with the time inside, µs."""
    return _HEAD % (time.monotonic_ns() // 1_000) + _PADDING + MARK


def frame(payload: bytes, *, opcode: int = 2) -> bytes:
    """A WebSocket frame of a client, with a mask of zeros."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    return head + b"\0\0\0\0" + payload


def request(header: dict[str, Any], *bodies: bytes) -> bytes:
    """A binary frame of Postroad, docs/protocol.md §1.1."""
    text = json.dumps(header | ({"sizes": [len(part) for part in bodies]} if bodies else {})).encode()
    return frame(struct.pack("!I", len(text)) + text + b"".join(bodies))


def upgraded(port: int) -> socket.socket:
    """A WebSocket connection, open."""
    peer = socket.create_connection(("127.0.0.1", port), timeout=30)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.sendall(_UPGRADE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += peer.recv(4096)
    if b" 101 " not in answer:
        raise RuntimeError(f"not upgraded: {answer[:200]!r}")
    return peer


class Crowd:
    """Connections that listen, and one that publishes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.listeners: dict[int, socket.socket] = {}
        self.received = 0
        self.latencies_us: list[int] = []
        self.frames_of_first = 0
        self._poll = select.epoll()
        self._partial: dict[int, bytes] = {}
        self._publisher = upgraded(port)

    def grow(self, count: int) -> None:
        for _ in range(count):
            peer = upgraded(self.port)
            self.listeners[peer.fileno()] = peer
            self._poll.register(peer, select.EPOLLIN)

    def say(self, data: bytes, expect: bytes) -> None:
        """All listeners say the same and wait for an answer with these bytes in it."""
        for peer in self.listeners.values():
            peer.sendall(data)
        for peer in self.listeners.values():
            answer = b""
            while expect not in answer:
                if not (more := peer.recv(_RECEIVE_BYTES)):
                    raise RuntimeError(f"the connection has ended: {answer[:200]!r}")
                answer += more

    def publish(self, data: bytes) -> None:
        self._publisher.sendall(data)

    def drain(self, timeout: float, *, timed: bool = False) -> None:
        """Take in what has come, or wait for something up to ``timeout`` seconds."""
        first = next(iter(self.listeners))
        for number, _ in self._poll.poll(timeout, 1024):
            data = self.listeners[number].recv(_RECEIVE_BYTES)
            if not data:
                raise RuntimeError("the server has ended a connection")
            if number in self._partial:
                data = self._partial.pop(number) + data
            if not data.endswith(MARK):
                self._partial[number] = data[-len(MARK) + 1 :]
            self.received += data.count(MARK)
            if number == first:
                self.frames_of_first += data.count(_FRAME)
            if timed:
                now = time.monotonic_ns() // 1_000
                place = data.find(_AT)
                while place >= 0:
                    digits = data[place + 5 : place + 21]
                    if digits.isdigit() and len(digits) == 16:
                        self.latencies_us.append(now - int(digits))
                    place = data.find(_AT, place + BODY_BYTES)

    def flood(self, make: Callable[[], bytes], pack: int, window: int, seconds: float) -> float:
        """Publish whenever less than ``window`` publishes are on their way to somebody; returns deliveries a second.

        Raises: RuntimeError: what was published has not reached all in ten seconds.
        """
        each = len(self.listeners) * pack
        start, sent, before = time.monotonic(), 0, self.received
        until = start + seconds
        while time.monotonic() < until:
            while sent * each - (self.received - before) <= (window - 1) * each:
                self.publish(make())
                sent += 1
            self.drain(0.05)
        while self.received - before < sent * each:
            self.drain(0.05)
            if time.monotonic() > until + 10:
                raise RuntimeError(f"{sent * each - self.received + before} deliveries are missing")
        return (self.received - before) / (time.monotonic() - start)

    def pace(self, make: Callable[[], bytes], rate: float, seconds: float) -> None:
        """Publish ``rate`` a second and note when each listener has it."""
        self.latencies_us = []
        start, sent, before = time.monotonic(), 0, self.received
        count = int(rate * seconds)
        until = start + seconds + 10
        while self.received - before < count * len(self.listeners) and time.monotonic() < until:
            due = start + sent / rate
            if sent < count and time.monotonic() >= due:
                self.publish(make())
                sent += 1
            else:
                self.drain(max(0.0, due - time.monotonic()) if sent < count else 0.05, timed=True)

    def close(self) -> None:
        self._poll.close()
        for peer in (self._publisher, *self.listeners.values()):
            peer.close()
