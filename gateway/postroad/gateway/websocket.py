"""WebSocket connections: moves bytes between a socket and ``protocol.session``.

uvicorn accepts the HTTP connection, reads the upgrade request and then hands the transport to the class below; from
there on no ASGI is involved. What makes it quick:

- One receive buffer is shared by all connections (``get_buffer``): the loop is single-threaded and every read is taken
  in before the next one starts. A connection owns memory only while it holds part of a frame.
- All frames of a read are handled in one go, and all that is sent in one turn of the loop leaves in one write.

Back-pressure goes both ways. Outwards: above ``SEND_HIGH`` bytes waiting for the peer the connection is *congested*:
its consumers are paused, watches conflate, and nothing more is read, so that a peer cannot ask for answers it does not
read. A connection that only watches has ``WRITE_DEADLINE_S`` to get below again, then it is cut with 1013; one with
consumers is left to the ping, as the network may be slow and its leases run out by themselves. Inwards: while the
session owes too much (unconfirmed bytes, requests behind a slow one) the socket is not read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar, cast

from postroad.broker.engine.engine import Buffer
from postroad.broker.errors import NotAuthenticated

from .auth.rights import Principal
from .handshake import Refused, accept, bearer_token, check_upgrade, parse_upgrade
from .protocol import opcodes
from .protocol.opcodes import BINARY, CLOSE, PING, PONG, TEXT, Violation
from .protocol.parser import Parser, close_payload, header, parse_close, text
from .protocol.session import Session
from .server import Server

log = logging.getLogger("postroad.gateway.websocket")

RECEIVE_BYTES = 256 * 1024
SEND_HIGH = 1024 * 1024
SEND_LOW = 256 * 1024
JOIN_BYTES = 64 * 1024
WRITE_DEADLINE_S = 10.0
HELLO_S = 5.0
CLOSE_S = 5.0

_scratch = memoryview(bytearray(RECEIVE_BYTES))


class WebSocketConnection(asyncio.BufferedProtocol):
    """One connection. Made by uvicorn with its own arguments; ``protocol_class`` binds it to a server."""

    server: ClassVar[Server]

    def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        self._loop: asyncio.AbstractEventLoop = _loop or asyncio.get_running_loop()
        self._uvicorn_connections: set[Any] = server_state.connections
        self._parser = Parser(self.server.context.limits.frame_bytes_max)
        self._transport = cast(asyncio.Transport, None)  # set by connection_made, before anything else
        self.session = cast(Session, None)  # set when the handshake is done
        self._out: list[Buffer] = []
        self._out_bytes = 0
        self._flush_due = False
        self._is_write_paused = False
        self._is_reading_paused = True
        self._is_closing = False
        self._close_received = False
        self.congested = False
        self._received = True
        self._unsent_at_ping = 0
        self._timers: dict[str, asyncio.TimerHandle] | None = None

    # uvicorn's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._uvicorn_connections.add(self)
        self._transport.set_write_buffer_limits(high=SEND_HIGH, low=SEND_LOW)

    def data_received(self, data: bytes) -> None:
        """The upgrade request, once; everything after it comes by ``buffer_updated``."""
        # uvloop chooses between data_received and get_buffer when reading starts, so it must start anew.
        self._transport.pause_reading()
        server = self.server
        request = parse_upgrade(data)
        try:
            check_upgrade(request, server.access)
            principal = self._principal(bearer_token(request))
            if server.stopping.is_set() or len(server.connections) >= server.connections_max:
                raise Refused(503, "No more connections are taken.", "retry-after: 5")
        except Refused as refused:
            log.info("upgrade_refused", extra={"status": refused.status, "reason": refused.text})
            self._transport.write(refused.response())
            self._transport.close()
            return
        self._transport.write(accept(request))
        server.connections.add(self)
        self.session = self.open_session(principal)
        if not self.session.is_authenticated:
            self._timer("hello", HELLO_S, self._not_authenticated)
        self._watch_expiry()
        server.keep_alive.add(self)
        self._loop.call_soon(self.throttle)

    def open_session(self, principal: Principal | None) -> Session:
        return Session(self.server.context, self, self.server.next_number(), principal)

    def shutdown(self) -> None:
        """uvicorn stops; the server has drained before, so what is left is cut short."""
        self.close(opcodes.RESTARTING, "the server restarts")

    def _principal(self, token: str | None) -> Principal | None:
        authenticate = self.server.context.authenticate
        if token is None or authenticate is None:
            return None
        try:
            return authenticate(token)
        except NotAuthenticated as error:
            raise Refused(401, error.message, "www-authenticate: Bearer") from None

    # Bytes in

    def get_buffer(self, sizehint: int) -> memoryview:
        return _scratch

    def buffer_updated(self, nbytes: int) -> None:
        self._received = True
        events = self._parser.feed(_scratch[:nbytes])
        try:
            for opcode, payload in events:
                if self._is_closing and opcode != CLOSE:
                    continue
                if opcode == BINARY:
                    self.received_binary(payload)
                elif opcode == TEXT:
                    self.received_text(text(payload))
                elif opcode == PING:
                    self._send_frame(PONG, payload)
                elif opcode == CLOSE:
                    self._peer_closes(payload)
                    return
            if self._parser.violation is not None:
                raise self._parser.violation
        except Violation as violation:
            self._fail(violation)

    def received_binary(self, payload: bytes) -> None:
        self.session.receive_binary(payload)

    def received_text(self, payload: str) -> None:
        self.session.receive_text(payload)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._uvicorn_connections.discard(self)
        self.server.connections.discard(self)
        for timer in (self._timers or {}).values():
            timer.cancel()
        self._timers = None
        self._is_closing = True
        self._out.clear()
        if self.session is not None:
            self.server.keep_alive.discard(self)
            self.session.lost()

    # Frames out

    def send(self, parts: Sequence[Buffer], *, binary: bool) -> None:
        if self._is_closing:
            return
        size = sum(map(len, parts)) if len(parts) > 1 else len(parts[0])
        self._out.append(header(BINARY if binary else TEXT, size))
        self._out += parts
        self._queued(size)

    def send_frame(self, frame: bytes) -> None:
        if self._is_closing:
            return
        if self._flush_due:  # behind what is to leave first
            self._out.append(frame)
            self._queued(len(frame))
        elif not self._transport.is_closing():
            self._transport.write(frame)  # uvloop gathers a turn's writes itself

    def _send_frame(self, opcode: int, payload: bytes) -> None:
        self._out.append(header(opcode, len(payload)) + payload)
        self._queued(len(payload))

    def _queued(self, size: int) -> None:
        self._out_bytes += size + 2
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)
        if self._out_bytes > SEND_HIGH and not self.congested:
            self._set_congested(True)

    def _flush(self) -> None:
        self._flush_due = False
        self.server.context.encode_once.forget()
        out, self._out = self._out, []
        size, self._out_bytes = self._out_bytes, 0
        if out and not self._transport.is_closing():
            if len(out) == 1:
                self._transport.write(out[0])
            elif size < JOIN_BYTES:
                self._transport.write(b"".join(out))
            else:
                self._transport.writelines(out)
        if self.congested and not self._is_write_paused:
            self._set_congested(False)

    def pause_writing(self) -> None:
        self._is_write_paused = True
        self._set_congested(True)

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self._set_congested(False)

    def _set_congested(self, congested: bool) -> None:
        if self.congested == congested:
            return
        self.congested = congested
        self._stop_timer("write")
        if congested:
            self._timer("write", WRITE_DEADLINE_S, self._write_deadline)
        if self.session is not None and not self._is_closing:
            self.session.congestion_changed()
            self.throttle()

    def throttle(self) -> None:
        """Read, or not: see the module. Also called when the session's token was renewed."""
        if self._transport.is_closing():
            return
        pause = not self._is_closing and (self.congested or self.session.is_busy)
        if pause != self._is_reading_paused:
            self._is_reading_paused = pause
            if pause:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
        if self.session.is_authenticated:
            self._stop_timer("hello")
        self._watch_expiry()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.server.spawn(work)

    # Time

    def _timer(self, name: str, seconds: float, callback: Any) -> None:
        if self._timers is None:
            self._timers = {}
        self._timers[name] = self._loop.call_later(seconds, callback)

    def _stop_timer(self, name: str) -> None:
        if self._timers is not None and (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()

    def _not_authenticated(self) -> None:
        self.session.fail(None, NotAuthenticated("No hello with a token came in time."))

    def _watch_expiry(self) -> None:
        expires_at = self.session.principal.expires_at
        if expires_at is None or self._is_closing:
            return
        self._stop_timer("expiry")
        self._timer("expiry", max(0.0, expires_at - self.server.context.now()), self.session.expired)

    def _write_deadline(self) -> None:
        self._stop_timer("write")
        if self._is_write_paused and not self.session.has_consumers:
            self.close(opcodes.TOO_SLOW, "too slow: the send buffer stayed over its limit")

    def ping(self) -> None:
        """A peer is alive if anything came since the last ping, or what was waiting for it is getting less.

        While we do not read, its pong cannot reach us: then only a full send buffer that does not move counts.
        """
        unsent = self._transport.get_write_buffer_size()
        stuck = unsent > 0 and unsent >= self._unsent_at_ping > 0
        if not self._received and (stuck or not self._is_reading_paused):
            log.info("peer_timed_out", extra={"connection": self.session.number})
            self.abort()
            return
        self._received = False
        self._unsent_at_ping = unsent
        if not self._is_write_paused:
            self._send_frame(PING, b"")

    # The end

    def drain(self, grace_ms: int) -> None:
        self.session.drain(grace_ms)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye and wait a little for the answer; what comes meanwhile is not looked at."""
        if self._is_closing or self._transport.is_closing():
            return
        self._send_frame(CLOSE, close_payload(code, reason))
        self._flush()
        self._is_closing = True
        if code != opcodes.NORMAL:
            log.info("connection_closed", extra={"code": code, "reason": reason})
        self._timer("close", CLOSE_S, self.abort)
        if self._is_reading_paused:
            self._is_reading_paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        self._transport.abort()

    def _fail(self, violation: Violation) -> None:
        """The peer broke the protocol. Its close frame cannot be told from garbage, so only its end is waited for."""
        self.close(violation.code, violation.reason)
        if not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()

    def _peer_closes(self, payload: bytes) -> None:
        if not self._is_closing:
            code, _ = parse_close(payload)
            self._send_frame(CLOSE, b"" if code == 1005 else payload[:2])
            self._flush()
            self._is_closing = True
        self._transport.close()


def protocol_class(
    server: Server, connection: type[WebSocketConnection] = WebSocketConnection
) -> type[WebSocketConnection]:
    """The class for uvicorn's ``ws``, bound to a server."""
    return type(f"Bound{connection.__name__}", (connection,), {"server": server})
