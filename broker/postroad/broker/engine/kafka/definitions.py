"""What is declared, in a compacted topic that every gateway follows.

Each definition has a key of its own in it, made when it was declared; an update is written under the same key, its end is a tombstone. Of two
gateways that declare the same name at once the one whose record comes first wins; the other takes its record back.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import orjson
from confluent_kafka import Message

from ...errors import Unavailable
from ..engine import Json
from ..external import Definition
from .link import Link
from .place import Place
from .tail import Follower


@dataclass(frozen=True, slots=True)
class Declared:
    """Attributes:
    key: Of its record.
    topic: Where its messages or its log are; "" for a binding.
    """

    definition: Definition
    key: str
    topic: str


class Definitions(Follower):
    """Attributes:
    found: By name.
    """

    def __init__(self, link: Link, topic: str, node: str) -> None:
        self.found: dict[str, Declared] = {}
        self._link = link
        self._topic = topic
        self._node = node
        self._numbers = itertools.count(1)
        self._place = Place()
        self._over: set[str] = set()

    async def open(self) -> None:
        """Raises: Unavailable."""
        await self._link.topics.make(self._topic, cleanup_policy="compact")
        await self._read()
        await self.caught_up()

    async def _read(self) -> None:
        low, _ = await self._link.bounds(self._topic)
        self.found, self._over = {}, set()
        self._place.reach(low)
        await self._link.follow(self._topic, low, self)

    def torn(self) -> None:
        """Kafka has lost some of it."""
        self._link.unfollow([self._topic])
        self._link.anew(self._read)

    def tailed(self, messages: list[Message]) -> None:
        for message in messages:
            offset, key = message.offset() or 0, (message.key() or b"")
            self._apply(key.decode() if isinstance(key, bytes) else key, message.value())
            self._place.reach(offset + 1)

    def _apply(self, key: str, value: bytes | None) -> None:
        if value is None:
            for name in [name for name, declared in self.found.items() if declared.key == key]:
                del self.found[name]
            self._over.add(key)
            return
        row = orjson.loads(value)
        definition = Definition(**row["def"])
        present = self.found.get(definition.name)
        if key in self._over or (present is not None and row["new"] and present.key != key):
            return
        if present is None or present.definition.version < definition.version:
            self.found[definition.name] = Declared(definition, key, row["topic"])

    async def caught_up(self) -> None:
        """Raises: Unavailable."""
        _, high = await self._link.bounds(self._topic)
        await self._place.until(high)

    async def _write(self, key: str, row: Json | None) -> None:
        value = None if row is None else orjson.dumps(row)
        await self._place.until(await self._link.sent(self._topic, value, key=key) + 1)

    async def declare(self, definition: Definition, topic: str) -> Declared:
        """Keep it, unless there is one of that name; returns what there is."""
        key = f"{definition.name} {self._node}-{next(self._numbers)}"
        await self._write(key, {"new": True, "topic": topic, "def": _plain(definition)})
        kept = self.found.get(definition.name)
        if kept is None:
            raise Unavailable("It was deleted at the same moment.")
        if kept.key != key:
            await self._write(key, None)
        return kept

    async def update(self, definition: Definition) -> Definition:
        """Raises: QueueNotFound, Unavailable."""
        present = self.found.get(definition.name)
        if present is None:
            raise Unavailable("It was deleted at the same moment.")
        await self._write(present.key, {"new": False, "topic": present.topic, "def": _plain(definition)})
        if present.key in self._over:
            await self._write(present.key, None)
        kept = self.found.get(definition.name)
        return definition if kept is None else kept.definition

    async def erase(self, name: str) -> str | None:
        """Returns its topic, if there was one."""
        present = self.found.get(name)
        if present is None:
            return None
        await self._write(present.key, None)
        return present.topic


def _plain(definition: Definition) -> Json:
    return {name: getattr(definition, name) for name in definition.__dataclass_fields__}
