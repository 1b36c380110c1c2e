"""Who is alive: every gateway tells all others once a second that it is.

One that was silent for too long is dead, and what it held is handed out again. After an outage all look dead: nobody is judged before each had
as long to say otherwise.
"""

from __future__ import annotations

import asyncio

import orjson
from confluent_kafka import Message

from .link import Link
from .tail import Follower

KEPT_MS = 600_000


class Gateways(Follower):
    def __init__(self, link: Link, topic: str, node: str, patience_ms: int) -> None:
        self._link = link
        self._topic = topic
        self._node = node
        self._patience = patience_ms / 1000
        self._seen: dict[str, float] = {}
        self._left: set[str] = set()
        self._steady: float | None = None

    async def open(self) -> None:
        """Raises: Unavailable."""
        await self._link.topics.make(self._topic, retention_ms=str(KEPT_MS), segment_ms=str(KEPT_MS))
        await self._follow()
        await self.beat()

    async def _follow(self) -> None:
        _, high = await self._link.bounds(self._topic)
        await self._link.follow(self._topic, high, self)

    def torn(self) -> None:
        self._link.unfollow([self._topic])
        self._link.anew(self._follow)

    def tailed(self, messages: list[Message]) -> None:
        now = asyncio.get_running_loop().time()
        for message in messages:
            told = orjson.loads(message.value() or b"{}")
            self._seen[told["n"]] = now
            if told.get("bye"):
                self._left.add(told["n"])

    async def beat(self, *, bye: bool = False) -> None:
        """Raises: Unavailable."""
        value = orjson.dumps({"n": self._node, "bye": bye})
        await self._link.sent(self._topic, value)
        if self._steady is None:
            self._steady = asyncio.get_running_loop().time()

    def shaken(self) -> None:
        """The server was away."""
        self._steady = None

    def is_dead(self, node: str) -> bool:
        if node == self._node:
            return False
        if node in self._left:
            return True
        now = asyncio.get_running_loop().time()
        if self._steady is None or now - self._steady <= self._patience:
            return False
        return now - self._seen.get(node, self._steady) > self._patience
