"""A watch of one connection: the engine's sink for events and state (docs/protocol.md §7).

A slow watcher costs no more memory than a fixed number of events: while the connection is congested the latest state
replaces the one before it, events beyond ``HELD_EVENTS_MAX`` are counted instead of kept, and history waits in the engine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson
from postroad.broker.engine.engine import Json, Watch, WatchSpec
from postroad.broker.errors import PostroadError

from .errors import error_fields

if TYPE_CHECKING:
    from ..auth.rights import Principal
    from .session import Session

HELD_EVENTS_MAX = 256
DELIVERIES_MAX = 50
LOGS_MAX = 200
_HIDDEN = ("body", "headers", "key")


class EncodeOnce:
    """JSON of the value that was encoded last: all watchers of one thing get the same object in a row."""

    __slots__ = ("_json", "_value")

    def __init__(self) -> None:
        self._value: object = None
        self._json = b""

    def dumps(self, value: object) -> bytes:
        if value is not self._value:
            self._json = orjson.dumps(value)
            self._value = value
        return self._json

    def forget(self) -> None:
        """The loop turn is over: what was encoded may change from now on."""
        self._value = None


class Watcher:
    """Filters what the caller may not see, conflates for a slow peer, and encodes what all see once."""

    __slots__ = ("_early", "_events", "_session", "_skipped", "_state", "_trimmed", "is_message", "number", "watch")

    def __init__(self, session: Session, number: int, *, is_message: bool) -> None:
        self._session = session
        self._events: deque[Json] = deque()
        self._skipped = 0
        self._trimmed: int | None = None
        self._state: Json | None = None
        self._early = True
        self.number = number
        self.is_message = is_message
        self.watch: Watch | None = None

    async def open(self, spec: WatchSpec) -> Watch:
        self.watch = watch = await self._session.context.engine.watch(spec, self)
        return watch

    def snapshot(self) -> Json:
        assert self.watch is not None
        return visible_state(self.watch.snapshot, self._session.principal)

    def opened(self) -> None:
        self._early = False
        if self._session.port.congested:
            self.pause()
        else:
            self.resume()

    def pause(self) -> None:
        """The socket is full: what was before waits in the engine, what happens now is conflated here."""
        if self.watch is not None:
            self.watch.pause()

    def resume(self) -> None:
        self.flush()
        if self.watch is not None:
            self.watch.resume()

    def events(self, events: Sequence[Json], trimmed: int | None) -> None:
        principal = self._session.principal
        if not principal.may_all("peek") and not self.is_message:
            events = [event for event in events if principal.may("peek", event.get("queue") or "")]
        if not events and trimmed is None:
            return
        if trimmed is None and not self._holding and not self._events and not self._skipped:
            self._session.push_raw(self._head("event") + b',"events":' + self._encoded(events) + b"}")
            if self._session.port.congested:
                self.pause()
            return
        self._trimmed = trimmed if self._trimmed is None else self._trimmed
        self._events.extend(events)
        while len(self._events) > HELD_EVENTS_MAX and self._holding and not self._early:
            self._events.popleft()
            self._skipped += 1
        if not self._holding:
            self.flush()

    def state(self, state: Json) -> None:
        if self._holding:
            self._state = state if self._state is None else _conflated(self._state, state)
        else:
            self._send_state(state)

    def ended(self, error: PostroadError) -> None:
        self._session.forget(self)
        self._session.push({"op": "end", "sub": self.number, **error_fields(error)})

    def flush(self) -> None:
        """The peer reads again: send what was held."""
        if self._events or self._skipped or self._trimmed is not None:
            frame: dict[str, Any] = {"op": "event", "sub": self.number, "events": list(self._events)}
            if self._trimmed is not None:
                frame["trimmed"] = self._trimmed
            if self._skipped:
                frame["skipped"] = self._skipped
            self._events.clear()
            self._skipped, self._trimmed = 0, None
            self._session.push(frame)
        if self._state is not None:
            state, self._state = self._state, None
            self._send_state(state)

    @property
    def _holding(self) -> bool:
        return self._early or self._session.port.congested

    def _head(self, op: str) -> bytes:
        return b'{"op":"%s","sub":%d' % (op.encode(), self.number)

    def _encoded(self, value: object) -> bytes:
        return self._session.context.encode_once.dumps(value)

    def _send_state(self, state: Json) -> None:
        if "message" in state or not self._session.principal.may_all("peek"):
            self._session.push({"op": "state", "sub": self.number, **visible_state(state, self._session.principal)})
        else:
            encoded = self._encoded(state)
            self._session.push_raw(self._head("state") + (b"," + encoded[1:] if len(encoded) > 2 else b"}"))


def visible_state(state: Json, principal: Principal) -> Json:
    """The part of a state or snapshot that this caller may see: no bodies, no queues without the right to peek."""
    if "message" in state:
        return {**state, "message": {k: v for k, v in state["message"].items() if k not in _HIDDEN}}
    if not principal.may_all("peek"):
        state = {name: value for name, value in state.items() if name != "deliveries"}
        for kind in ("queues", "streams"):
            if kind in state:
                state[kind] = [item for item in state[kind] if principal.may("peek", item["name"])]
    return state


def _conflated(older: Json, newer: Json) -> Json:
    """Both in one: the latest of each thing, as a state of all queues has only those that changed."""
    joined = {**older, **newer}
    for kind in ("queues", "streams"):
        if kind in older and kind in newer:
            joined[kind] = list({item["name"]: item for item in (*older[kind], *newer[kind])}.values())
    if "logs" in older and "logs" in newer:
        joined["logs"] = [*older["logs"], *newer["logs"]][-LOGS_MAX:]
    deliveries = [*older.get("deliveries", ()), *newer.get("deliveries", ())][-DELIVERIES_MAX:]
    return {**joined, "deliveries": deliveries} if deliveries else joined
