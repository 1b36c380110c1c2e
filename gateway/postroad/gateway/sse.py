"""Events as Server-Sent Events: ``GET /v1/events`` (docs/protocol.md §9). The id is the position, so a reader resumes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
from postroad.broker.engine.engine import Json as JsonObject
from postroad.broker.engine.engine import Watch, WatchSpec
from postroad.broker.errors import InvalidRequest, NotAllowed, PostroadError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .auth.rights import Principal
from .problem import Json
from .protocol.errors import error_fields
from .protocol.fields import queue_of
from .protocol.requests import ask
from .rest.endpoint import api, number_in_query, principal_of, query_fields, refuse_while_stopping, server_of
from .server import Server

HELD_MAX = 1000
HEARTBEAT_S = 15.0


@api
async def events(request: Request) -> Response:
    """The last events as JSON, or with ``Accept: text/event-stream`` also all that follow."""
    principal = principal_of(request)
    fields: dict[str, Any] = query_fields(request, "queue")
    last = number_in_query(request, "last", 0, 1000)
    if "text/event-stream" not in request.headers.get("accept", ""):
        if last is not None:
            fields["last"] = last
        return Json(await ask(server_of(request).context, principal, "events", fields))
    refuse_while_stopping(request)
    queue = queue_of(fields) if fields else None
    if queue is not None:
        principal.need("peek", queue)
    elif not principal.grants.get("peek"):
        raise NotAllowed("This needs the right to peek.")
    stream = EventStream(server_of(request), principal)
    spec = WatchSpec(queue=queue, from_position=_resumed_from(request), last=last or 0)
    stream.watch = watch = await server_of(request).context.engine.watch(spec, stream)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream.run(watch), media_type="text/event-stream", headers=headers)


def _resumed_from(request: Request) -> int | None:
    text = request.headers.get("last-event-id", "")
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 16:
        raise InvalidRequest("Last-Event-ID must be a position.", field="last-event-id")
    return int(text)


class EventStream:
    """The engine's sink behind one stream: a bounded queue; what a slow reader misses is counted and told."""

    def __init__(self, server: Server, principal: Principal) -> None:
        self._server = server
        self._principal = principal
        self._held: deque[bytes] = deque()
        self._skipped = 0
        self._ended = False
        self._news = asyncio.Event()
        self.watch: Watch | None = None

    def events(self, events: Sequence[JsonObject], trimmed: int | None) -> None:
        if trimmed is not None:
            self._hold(_block("trimmed", {"trimmed": trimmed}))
        for event in events:
            if self._principal.may("peek", event.get("queue") or ""):
                self._hold(_block(event["kind"], event, event["position"]))
        if self.watch is not None and len(self._held) > HELD_MAX // 2:
            self.watch.pause()
        self._news.set()

    def state(self, state: JsonObject) -> None:
        """Streams tell events only."""

    def ended(self, error: PostroadError) -> None:
        self._hold(_block("end", error_fields(error)))
        self._ended = True
        self._news.set()

    async def run(self, watch: Watch) -> AsyncIterator[bytes]:
        """The stream's bytes, until the watch ends, the reader leaves or the server stops."""
        expires_at = self._principal.expires_at
        try:
            yield b": postroad\n\n"
            while not self._server.stopping.is_set():
                if expires_at is not None and self._server.context.now() >= expires_at:
                    return
                if self._skipped:
                    skipped, self._skipped = self._skipped, 0
                    yield _block("skipped", {"skipped": skipped})
                if self._held:
                    out = b"".join(self._held)
                    self._held.clear()
                    yield out
                    watch.resume()
                    continue
                if self._ended:
                    return
                self._news.clear()
                if not await self._wait():
                    yield b": still here\n\n"
        finally:
            watch.cancel()

    async def _wait(self) -> bool:
        """Wait for news in short steps, so that a stop or an expiry is seen soon; false when it was quiet for long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + HEARTBEAT_S
        while loop.time() < end and not self._server.stopping.is_set():
            try:
                await asyncio.wait_for(self._news.wait(), 0.5)
                return True
            except TimeoutError:
                if self._principal.expires_at is not None and self._server.context.now() >= self._principal.expires_at:
                    return True
        return False

    def _hold(self, block: bytes) -> None:
        self._held.append(block)
        if len(self._held) > HELD_MAX:
            self._held.popleft()
            self._skipped += 1


def _block(kind: str, data: Any, position: int | None = None) -> bytes:
    head = b"" if position is None else b"id: %d\n" % position
    return head + b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(data))
