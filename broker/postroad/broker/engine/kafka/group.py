"""The log of a consumer group: commands only; its messages are in the stream.

It is cut by writing down what it comes to (``state``, as of offset ``at``); who opens it begins with the last of those.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from confluent_kafka import Message

from ...errors import PostroadError
from ..engine import Json
from ..external import Received
from .link import Link
from .log import Log, now_ms
from .machine import Entry
from .record import runs
from .shelf import Shelf
from .stream import Stream

STATE_EVERY = 5000
"""Commands between two of those."""


class GroupLog(Log):
    def __init__(self, link: Link, node: str, name: str, topic: str, shelf: Shelf, stream: Stream) -> None:
        super().__init__(link, node, name, topic, shelf)
        self.stream = stream
        self._unread: list[Message] | None = None
        self._goal = 0
        stream.on_new[name] = self.look_again

    async def _open(self) -> None:
        await self.stream.open()
        await super()._open()

    def _begin(self, high: int) -> None:
        self._unread, self._goal = ([], high) if high > self.applied else (None, 0)

    def close(self, error: PostroadError) -> None:
        self.stream.on_new.pop(self.name, None)
        super().close(error)

    def tailed(self, messages: list[Message]) -> None:
        if self._unread is not None:
            self._unread += messages
            if (messages[-1].offset() or 0) + 1 < self._goal:
                return
            messages, self._unread = self._from_last_state(self._unread), None
        super().tailed(messages)

    def _from_last_state(self, messages: list[Message]) -> list[Message]:
        latest: Json | None = None
        for message in messages:
            if b'"do":"state"' in (message.value() or b"")[:20]:
                state: Json = orjson.loads(message.value() or b"")
                if latest is None or state["at"] > latest["at"]:  # an older one may have been written later
                    latest = state
        if latest is not None:
            self.machine.load(latest)
            self.place.reach(latest["at"])
        return messages

    async def extent(self) -> Json:
        low, high = await self.stream.bounds()
        return {"to": high, "low": low}

    def has_ready(self) -> bool:
        return self.stream.next > self.machine.next or super().has_ready()

    async def take(self, most: int) -> list[Entry]:
        await self.stream.open()
        if not self.has_ready():
            return []
        stream = self.stream
        return (await self.ask("take", n=most, at=now_ms(), to=stream.next, low=stream.low)).entries

    async def received(self, entries: Sequence[Entry]) -> list[Received]:
        """What the stream has let go of is settled."""
        stored = await self.stream.those(sorted(entry.sequence for entry in entries))
        found, gone = [], []
        for entry in entries:
            message = stored.get(entry.sequence)
            if message is None:
                gone.append(entry.sequence)
            else:
                message.attempts = entry.attempts
                found.append(message)
        if gone:
            self._write({"do": "settle", "acks": runs(sorted(gone))}, None)
        return found

    async def tidy(self) -> None:
        if self._opening is None or not self._opening.done() or self.machine.outbox:
            return
        if self.applied - self._cut < STATE_EVERY:
            return
        at = self.applied
        await self.ask("state", at=at, **self.machine.state())
        self._cut = at
        await self._link.topics.cut(self.topic, at)
