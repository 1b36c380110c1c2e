"""One connection's conversation (docs/protocol.md): frames in, frames out; no sockets.

States: *opened* → *ready* → *draining* → *closed*. Ready is reached by ``hello``, or by the first request where no token
is asked for. Draining is ready without publishes and deliveries.

Order: requests are carried out as they arrive. Publishing and settling are carried out at once and answered when
durable; a request that the engine must wait for (declare, consume, …) holds the ones behind it in ``_backlog`` until it
is done, so that ``declare`` then ``publish`` means what it says. Queries change nothing, so they hold nobody, up to
``QUERIES_MAX`` at a time. An operation on many messages (``inspecting.LONG``) acts on what exists when the engine has been
asked for it; it holds the requests behind it only until then, and is answered when it has ended.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from functools import partial
from typing import Any

import orjson
from postroad.broker.checks import bytes_of, exceeded
from postroad.broker.engine.engine import Buffer, Confirm, Settled
from postroad.broker.errors import (
    Internal,
    InvalidRequest,
    InvalidState,
    LimitExceeded,
    NotAuthenticated,
    PostroadError,
    Unavailable,
)

from ..auth.rights import NOBODY, Principal
from . import requests
from .consumer import Consumer
from .consuming import settle_batch
from .context import SessionContext
from .errors import error_frame
from .fields import integer
from .frame import Header, Unreadable, decode_binary, decode_text, encode_binary
from .hello import Hello, parse_hello
from .inspecting import is_long, sub_of
from .opcodes import NOT_AUTHENTICATED, Violation
from .port import Port
from .publishing import frame_number, publish_batch
from .reader import StreamReader
from .watcher import Watcher

QUERIES_MAX = 16
OPERATIONS_MAX = 16
"""Operations on many messages that one connection may have going on."""

OWED_BYTES_MAX = 32 * 1024 * 1024
"""Bytes published and not yet confirmed beyond which the connection is not read."""

Reply = dict[str, Any]
Sub = Consumer | StreamReader | Watcher


class State(Enum):
    OPENED = "opened"
    READY = "ready"
    DRAINING = "draining"
    CLOSED = "closed"


class Session:
    """See the module.

    Args:
        context: What all sessions share.
        port: The connection.
        number: Counts connections; part of default consumer names.
        principal: The caller, if the upgrade request has shown a token already.
    """

    def __init__(self, context: SessionContext, port: Port, number: int, principal: Principal | None = None) -> None:
        self.context = context
        self.port = port
        self.number = number
        known = principal or context.default_principal
        self.principal = known or NOBODY
        self._authenticated = known is not None
        self.state = State.OPENED
        self.is_binary: bool | None = None
        self.client_name = "client"
        self.client = ""
        self.producer: str | None = None
        self.subs: dict[int, Sub] = {}
        self.cancelled: dict[int, Consumer] = {}
        """Consumers that take settles for what was begun, but get nothing more."""
        self._backlog: deque[tuple[Header, Buffer]] | None = None  # made when needed: an empty one has 600 bytes
        self._is_held = False
        self._queries = 0
        self._operations = 0
        self._owed_bytes = 0

    @property
    def is_closed(self) -> bool:
        return self.state is State.CLOSED

    @property
    def is_authenticated(self) -> bool:
        return self._authenticated

    @property
    def is_busy(self) -> bool:
        """The connection should not be read for now."""
        return bool(self._backlog) or self._owed_bytes > OWED_BYTES_MAX

    @property
    def _waiting(self) -> bool:
        return self._is_held or self._queries >= QUERIES_MAX

    @property
    def has_consumers(self) -> bool:
        return bool(self.cancelled) or any(not isinstance(sub, Watcher) for sub in self.subs.values())

    # Frames in

    def receive_binary(self, data: bytes) -> None:
        """Raises: Violation: the frame is broken; close the connection with its code."""
        if self.is_binary is None:
            self.is_binary = True
        try:
            header, bodies = decode_binary(data)
        except Unreadable as error:
            self.fail(error.request_id, error)
            return
        self._accept(header, bodies)

    def receive_text(self, text: str) -> None:
        """Raises: Violation: as ``receive_binary``."""
        if self.is_binary is None:
            self.is_binary = False
        limit = self.context.limits.text_frame_bytes_max
        try:
            if len(text) > limit or bytes_of(text, "text") > limit:
                raise exceeded(f"A text frame may have {limit} bytes.", "text_frame_bytes_max", limit)
            header = decode_text(text)
        except PostroadError as error:
            self.fail(error.request_id if isinstance(error, Unreadable) else None, error)
            return
        self._accept(header, b"")

    def _accept(self, header: Header, bodies: Buffer) -> None:
        if self._waiting or self._backlog:
            if self._backlog is None:
                self._backlog = deque()
            self._backlog.append((header, bodies))
            self.port.throttle()
        else:
            self._carry_out(header, bodies)

    def _carry_out(self, header: Header, bodies: Buffer) -> None:
        if self.state is State.CLOSED:
            return
        request_id: int | None = None
        try:
            request_id = integer(header, "id", 0)
            op = header.get("op")
            if op == "publish":  # the one that has to be fast
                self._ready()
                self._publish(header, bodies, request_id)
            elif op == "settle":
                self._ready()
                self._settle(header, request_id)
            elif op == "hello":
                self._hello(header, request_id)
            else:
                self._ready()
                self._other(op, header, request_id)
        except PostroadError as error:
            self.fail(request_id, error)
        except Exception as error:  # noqa: BLE001  # the barrier: a bug costs one request, never the connection's neighbours
            self.fail(request_id, self.internal(error))

    def _ready(self) -> None:
        if not self._authenticated:
            raise NotAuthenticated("Say hello with a token first.")
        if self.state is State.OPENED:
            self.state = State.READY

    # hello

    def _hello(self, header: Header, request_id: int | None) -> None:
        hello = parse_hello(header)
        context = self.context
        if hello.token is not None and context.authenticate is not None:
            self.principal = context.authenticate(hello.token)
            self._authenticated = True
        if hello.is_binary is not None:
            self.is_binary = hello.is_binary
        self._ready()
        if hello.client_name is not None:
            self.client_name = hello.client_name
            self.client = hello.client
        welcome: Reply = {"op": "welcome"}
        if request_id is not None:
            welcome["id"] = request_id
        welcome |= context.welcome(self.principal)
        welcome |= self._producer_session(hello)
        self.push(welcome)
        self.port.throttle()

    def _producer_session(self, hello: Hello) -> Reply:
        engine = self.context.engine
        if hello.session is not None and hello.session != self.producer:
            if self.producer is not None:
                engine.session_closed(self.producer)
            self.producer = hello.session
            return {"session": {"id": hello.session, "last_frame": engine.session_opened(hello.session)}}
        return {}

    # publish and settle: carried out at once

    def _publish(self, header: Header, bodies: Buffer, request_id: int | None) -> None:
        principal, context = self.principal, self.context
        if self.state is State.DRAINING:
            raise Unavailable("The server is stopping.")
        batch = publish_batch(header, bodies, context.limits, context.body_bytes_max(principal))
        principal.need("publish", batch.queue)
        batch.declare = batch.declare and principal.may("manage", batch.queue)
        if "frame" in header:
            batch.producer = frame_number(header, self.producer)
        size = len(batch.bodies)
        self._owe(size)
        context.engine.publish(batch, partial(self._published, request_id, size, batch.kind == "topic"))

    def _published(self, request_id: int | None, size: int, is_topic: bool, outcome: Confirm | PostroadError) -> None:
        self._owe(-size)
        if isinstance(outcome, PostroadError):
            self.fail(request_id, outcome)
        elif request_id is not None:
            self.push(requests.confirm_reply(request_id, outcome, self.context.watch_keys, is_topic=is_topic))

    def _owe(self, size: int) -> None:
        was_busy = self._owed_bytes > OWED_BYTES_MAX
        self._owed_bytes += size
        if was_busy != (self._owed_bytes > OWED_BYTES_MAX):
            self.port.throttle()

    def _settle(self, header: Header, request_id: int | None) -> None:
        number = sub_of(header)
        consumer = self.subs.get(number) or self.cancelled.get(number)
        if not isinstance(consumer, Consumer) or consumer.subscription is None:
            raise InvalidRequest(f"There is no consumer {number} on this connection.", field="sub")
        batch = settle_batch(header, self.context.limits, self.context.body_bytes_max(self.principal))
        for completion in batch.completions:
            for publish in completion.publishes:
                self.principal.need("publish", publish.queue)
                publish.declare = publish.declare and self.principal.may("manage", publish.queue)
        consumer.subscription.settle(batch, partial(self._settled, request_id))

    def _settled(self, request_id: int | None, outcome: Settled | PostroadError) -> None:
        if isinstance(outcome, PostroadError):
            self.fail(request_id, outcome)
        elif request_id is not None:
            self.push(requests.settled_reply(request_id, outcome))

    # the others

    def _other(self, op: object, header: Header, request_id: int | None) -> None:
        if not isinstance(op, str):
            raise InvalidRequest("op must be text.", field="op")
        at_once = requests.AT_ONCE.get(op)
        if at_once is not None:
            self.answer(request_id, at_once(self, header))
            return
        handler = requests.WAITING.get(op) if isinstance(op, str) else None
        if handler is None:
            raise InvalidRequest(
                f"There is no op {ascii(op)[:80]}." if op is not None else "op is missing.", field="op"
            )
        if op == "operate" and is_long(header.get("do")):
            self._begin_operation(handler(self, header), request_id)
            return
        is_query = op == "query"
        if is_query:
            self._queries += 1
        else:
            self._is_held = True
        self.port.spawn(self._wait_for(handler(self, header), request_id, is_query))

    def _begin_operation(self, work: Coroutine[Any, Any, requests.Answer], request_id: int | None) -> None:
        """Raises: LimitExceeded: too many go on."""
        if self._operations >= OPERATIONS_MAX:
            work.close()
            raise LimitExceeded(
                f"A connection may have {OPERATIONS_MAX} operations going on.",
                limit="operations_max",
                value=OPERATIONS_MAX,
            )
        self._operations += 1
        self._is_held = True
        self.port.spawn(self._wait_for_operation(work, request_id))
        # What is spawned begins in order: this one runs when the operation has been asked for.
        self.port.spawn(self._go_on())

    async def _go_on(self) -> None:
        self._is_held = False
        self._catch_up()

    async def _wait_for_operation(self, work: Awaitable[requests.Answer], request_id: int | None) -> None:
        try:
            self.answer(request_id, (await work).fields)
        except PostroadError as error:
            self.fail(request_id, error)
        except Exception as error:  # noqa: BLE001  # see _carry_out
            self.fail(request_id, self.internal(error))
        finally:
            self._operations -= 1

    async def _wait_for(self, work: Awaitable[requests.Answer], request_id: int | None, is_query: bool) -> None:
        try:
            answer = await work
            self.answer(request_id, answer.fields)
            if answer.then is not None:
                answer.then()
        except PostroadError as error:
            self.fail(request_id, error)
        except Exception as error:  # noqa: BLE001  # see _carry_out
            self.fail(request_id, self.internal(error))
        finally:
            if is_query:
                self._queries -= 1
            else:
                self._is_held = False
            self._catch_up()

    def _catch_up(self) -> None:
        if self.is_closed:
            self._backlog = None
            return
        while self._backlog and not self._waiting:
            self._carry_out(*self._backlog.popleft())
        if not self._backlog:
            self._backlog = None
        self.port.throttle()

    # Subscriptions

    def claim(self, number: int, sub: Sub) -> None:
        """Raises: InvalidState: the number is taken. LimitExceeded: too many."""
        if number in self.subs:
            raise InvalidState(f"sub {number} is in use on this connection.", field="sub")
        limit = self.context.limits.subscriptions_max
        if len(self.subs) >= limit:
            raise LimitExceeded(f"A connection may have {limit} subscriptions.", limit="subscriptions_max", value=limit)
        self.subs[number] = sub

    def forget(self, sub: Sub) -> None:
        if self.subs.get(sub.number) is sub:
            del self.subs[sub.number]
        if isinstance(sub, Consumer) and self.cancelled.get(sub.number) is sub:
            del self.cancelled[sub.number]

    def congestion_changed(self) -> None:
        """The port's ``congested`` changed."""
        congested = self.port.congested
        for sub in list(self.subs.values()):
            if congested or (self.state is State.DRAINING and not isinstance(sub, Watcher)):
                sub.pause()
            else:
                sub.resume()

    # Frames out

    def answer(self, request_id: int | None, fields: Reply) -> None:
        if request_id is not None:
            self.push({"op": "ok", "id": request_id, **fields})

    def fail(self, request_id: int | None, error: PostroadError) -> None:
        self.push(error_frame(error, request_id))
        if isinstance(error, NotAuthenticated):
            self.port.close(NOT_AUTHENTICATED, "not authenticated")

    def internal(self, error: BaseException) -> Internal:
        request_id = uuid.uuid4().hex[:16]
        self.context.report(request_id, error)
        return Internal("Something went wrong in the server.", request_id=request_id)

    def push(self, frame: Reply) -> None:
        self.push_raw(orjson.dumps(frame))

    def push_raw(self, frame: bytes) -> None:
        if self.state is not State.CLOSED:
            if self.is_binary:
                self.port.send((encode_binary(frame),), binary=True)
            else:
                self.port.send((frame,), binary=False)

    # The end

    def expired(self) -> None:
        """The token's time is over."""
        self.fail(None, NotAuthenticated("The token has expired."))

    def drain(self, grace_ms: int) -> None:
        """The server is stopping: no more deliveries and publishes, settles are taken."""
        if self.state is State.CLOSED:
            return
        self.state = State.DRAINING
        self.push({"op": "drain", "grace_ms": grace_ms})
        self.congestion_changed()

    def lost(self) -> None:
        """The connection is gone. Leases are held for a while by the engine, so that the client can come back."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._backlog = None
        for sub in [*self.subs.values(), *self.cancelled.values()]:
            requests.end(sub)
        self.subs.clear()
        self.cancelled.clear()
        if self.producer is not None:
            self.context.engine.session_closed(self.producer)


Handler = Callable[[Session, Header], Awaitable[requests.Answer]]
__all__ = ["Handler", "Session", "State", "Violation"]
