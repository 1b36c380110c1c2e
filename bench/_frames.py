"""A client that costs next to nothing: frames made beforehand, plain sockets, headers of deliveries decoded and no bodies.

With it a broker shows what it can do when its clients are not in the way.
"""

from __future__ import annotations

import select
import struct
from collections.abc import Iterator
from typing import Any

import orjson
from _sockets import frame, request, upgraded

BODY = b'{"to":"someone@example.com","n":1234567,"text":"' + b"x" * 50 + b'"}'
MESSAGES = 960
"""In a frame: 96 KB of bodies, at which the Node client closes one."""
WINDOW = 32
"""Frames that may wait for their confirm: enough to keep a group commit busy."""
PREFETCH = 16_384
"""The most that a consumer may hold."""
PUBLISH, SETTLE = 1, 10
"""Request ids: of all publishes, and from where those of settles count."""
_RECEIVE_BYTES = 1 << 20


class Line:
    """An upgraded connection; sends what does not fit at once when there is room."""

    def __init__(self, port: int) -> None:
        self.socket = upgraded(port)
        self.socket.setblocking(False)
        self._out = bytearray()
        self._in = bytearray()
        self._scratch = bytearray(_RECEIVE_BYTES)
        self.say({"op": "hello", "id": 0, "format": "binary"})

    def say(self, header: dict[str, Any], *bodies: bytes) -> None:
        self.send(request(header, *bodies))

    def send(self, data: bytes) -> None:
        if not self._out:
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        self._out += data

    @property
    def is_clogged(self) -> bool:
        return bool(self._out)

    def flush(self) -> None:
        if self._out:
            try:
                del self._out[: self.socket.send(self._out)]
            except BlockingIOError:
                return

    def received(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Headers that came, and the size of the bodies behind each.

        Raises: RuntimeError: the server has ended the connection, or answered with an error.
        """
        try:
            count = self.socket.recv_into(self._scratch)
        except BlockingIOError:
            return
        if not count:
            raise RuntimeError("the server has ended the connection")
        self._in += memoryview(self._scratch)[:count]
        at, data = 0, self._in
        while len(data) - at >= 4:
            size, start = data[at + 1] & 0x7F, at + 2
            if size == 126:
                size, start = struct.unpack_from("!H", data, start)[0], start + 2
            elif size == 127:
                if len(data) < start + 8:
                    break
                size, start = struct.unpack_from("!Q", data, start)[0], start + 8
            if len(data) < start + size:
                break
            if data[at] == 0x89:  # ping
                self.send(frame(bytes(data[start : start + size]), opcode=10))
            elif data[at] == 0x82:
                head = struct.unpack_from("!I", data, start)[0]
                header = orjson.loads(bytes(data[start + 4 : start + 4 + head]))
                if header["op"] in ("error", "end"):
                    raise RuntimeError(f"the server says {header}")
                yield header, size - head - 4
            at = start + size
        del data[:at]

    def close(self) -> None:
        self.socket.close()


class Load:
    """A producer and, if there is a queue to consume from, a consumer, both in this thread."""

    def __init__(self, port: int, queue: str, *, source: str | None, prefetch: int = PREFETCH) -> None:
        self._producer = Line(port)
        self._frame = request({"op": "publish", "id": PUBLISH, "queue": queue}, *[BODY] * MESSAGES)
        self._producer.say({"op": "declare", "id": 2, "queue": queue})
        self._consumer = Line(port) if source is not None else None
        self.sent = self.confirmed = self.delivered = self.acked = 0
        self._settle = SETTLE
        self._waiting: dict[int, int] = {}
        self._poll = select.epoll()
        self._lines: dict[int, Line] = {}
        for line in (self._producer, self._consumer):
            if line is not None:
                self._lines[line.socket.fileno()] = line
                self._poll.register(line.socket, select.EPOLLIN)
        if self._consumer is not None:
            self._consumer.say({"op": "consume", "id": 3, "sub": 1, "queue": source, "prefetch": prefetch})

    def run(self, frames: int) -> None:
        """Publish so many frames of ``MESSAGES``, and return when all are confirmed; with a consumer, when as many are acked."""
        self.sent = self.confirmed = self.delivered = self.acked = 0
        wanted = frames * MESSAGES
        while self.confirmed < frames or (self._consumer is not None and self.acked < wanted):
            while self.sent < frames and self.sent - self.confirmed < WINDOW and not self._producer.is_clogged:
                self._producer.send(self._frame)
                self.sent += 1
            clogged = any(line.is_clogged for line in self._lines.values())
            for number, _ in self._poll.poll(0.0005 if clogged else 1.0):
                self._take(self._lines[number])
            for line in self._lines.values():
                line.flush()

    def _take(self, line: Line) -> None:
        acks: list[list[int]] = []
        for header, _ in line.received():
            if header["op"] == "deliver":
                count = len(header["sizes"])
                self.delivered += count
                acks.append([header["number"], header["number"] + count - 1])
            elif header["op"] == "ok" and header["id"] == PUBLISH:
                self.confirmed += 1
            elif header["op"] == "ok" and header["id"] >= SETTLE:
                self.acked += self._waiting.pop(header["id"])
        if acks:
            self._settle += 1
            self._waiting[self._settle] = sum(last - first + 1 for first, last in acks)
            line.say({"op": "settle", "id": self._settle, "sub": 1, "ack": acks})

    def close(self) -> None:
        self._poll.close()
        for line in self._lines.values():
            line.close()
