"""What is declared, kept in tags (``tags.py``), and noticed when another gateway changed it.

SQS tells nobody of a change: a tag of one queue grows with each, and is looked at now and then. Lists of SQS lag by some seconds: what this
gateway itself did a moment ago counts more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from ...errors import PostroadError, QueueNotFound, Unavailable
from ..external import Definition
from .queues import Queues
from .tags import VERSION, from_tags, key_of, keys_of, to_tags

LAG_S = 10.0
LOADING_MAX = 8
FRESH_S = 5.0
LOOKS_AGAIN = 2
"""How often it is looked once more after a change: a list of SQS may lag behind its tags."""


class Definitions:
    def __init__(self, queues: Queues) -> None:
        self._queues = queues
        self._marker = ""
        self._version = ""
        self._ours: dict[str, tuple[float, Definition | None]] = {}
        self._names: set[str] = set()
        self._loaded: tuple[float, str, list[Definition]] = (-FRESH_S, "", [])
        self._looks = 0

    async def open(self) -> None:
        self._marker = await self._queues.make_marker()
        self._version = await self._now()

    async def _now(self) -> str:
        tags: dict[str, str] = (await self._queues.control("list_queue_tags", QueueUrl=self._marker)).get("Tags") or {}
        return tags.get(VERSION, "")

    async def changed_elsewhere(self) -> set[str] | None:
        """None: nothing has changed since it was last asked; else the names of queues that there are no longer."""
        version = await self._now()
        if version != self._version:
            self._looks = LOOKS_AGAIN
        elif self._looks:
            self._looks -= 1
        else:
            return None
        before = set(self._names)
        await self._load(version)
        self._version = version
        return before - self._names

    async def load(self) -> list[Definition]:
        """All of them. Looked at anew when something has changed, or after some seconds: it is a call for each queue."""
        version = await self._now()
        at, then, loaded = self._loaded
        if version != then or time.monotonic() - at > FRESH_S:
            return await self._load(version)
        found = {definition.name: definition for definition in loaded}
        self._put_ours(found)
        return list(found.values())

    async def _load(self, version: str) -> list[Definition]:
        urls = await self._queues.listed()
        loading = asyncio.Semaphore(LOADING_MAX)

        async def one(url: str) -> list[Definition]:
            async with loading:
                try:
                    return from_tags((await self._queues.control("list_queue_tags", QueueUrl=url)).get("Tags") or {})
                except QueueNotFound:
                    return []

        found: dict[str, Definition] = {}
        for definitions in await asyncio.gather(*(one(url) for url in urls.values())):
            found |= {definition.name: definition for definition in definitions}
        self._loaded = time.monotonic(), version, list(found.values())
        self._put_ours(found)
        self._names = {name for name, definition in found.items() if definition.kind == "queue"}
        return list(found.values())

    def _put_ours(self, found: dict[str, Definition]) -> None:
        now = time.monotonic()
        self._ours = {name: entry for name, entry in self._ours.items() if entry[0] > now}
        for name, (_, definition) in self._ours.items():
            if definition is None:
                found.pop(name, None)
            elif name not in found or found[name].version < definition.version:
                found[name] = definition

    async def save(self, definition: Definition, *, new: bool) -> Definition:
        """See ``external.Backend``. Raises: InvalidName, QueueNotFound, LimitExceeded."""
        tags = to_tags(definition)
        if definition.kind == "queue":
            url = await self._queues.make(definition.name, tags)
            self._names.add(definition.name)
        else:
            url = await self._queues.url(definition.settings["target"])
        there = (await self._queues.control("list_queue_tags", QueueUrl=url)).get("Tags") or {}
        kept = {found.name: found for found in from_tags(there)}.get(definition.name)
        if kept is None or (not new and kept != definition):
            await self._queues.control("tag_queue", QueueUrl=url, Tags=tags)
            over = [key for key in keys_of(there, key_of(definition)) if key not in tags]
            if over:
                await self._queues.control("untag_queue", QueueUrl=url, TagKeys=over)
            kept = definition
        if kept.version == definition.version:
            await self._note(definition.name, kept)
        return kept

    async def erase(self, definition: Definition) -> None:
        if definition.kind == "queue":
            await self._queues.remove(definition.name)
        else:
            with contextlib.suppress(QueueNotFound):
                url = await self._queues.url(definition.settings["target"])
                there = (await self._queues.control("list_queue_tags", QueueUrl=url)).get("Tags") or {}
                if keys := keys_of(there, key_of(definition)):
                    await self._queues.control("untag_queue", QueueUrl=url, TagKeys=keys)
        await self._note(definition.name, None)

    async def _note(self, name: str, definition: Definition | None) -> None:
        self._ours[name] = (time.monotonic() + LAG_S, definition)
        if definition is None:
            self._names.discard(name)
        await self.bump()

    async def bump(self) -> None:
        """Let the other gateways know that there is something new; they find out later should it fail."""
        with contextlib.suppress(Unavailable):
            seen = await self._now()
            version = str(time.time_ns())
            await self._queues.control("tag_queue", QueueUrl=self._marker, Tags={VERSION: version})
            if seen == self._version:  # else somebody else changed something that we have yet to look at
                self._version = version

    async def follow(self, every_s: float) -> set[str]:
        """Wait until another gateway changed something; returns the names of queues that were deleted."""
        while True:
            await asyncio.sleep(every_s)
            with contextlib.suppress(PostroadError):
                gone = await self.changed_elsewhere()
                if gone is not None:
                    return gone
