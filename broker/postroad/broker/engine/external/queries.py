"""Looking without touching: the ``query`` operations of docs/protocol.md §6."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import Gone, InvalidRequest, MessageNotFound, PostroadError, Unsupported
from ..arguments import integer_of, shown_body, text_of
from ..engine import Json
from .able import refusal
from .backend import Backend, Received
from .chronicle import Chronicle
from .envelope import id_of, split_id
from .registry import Registry
from .source import Source
from .stats import Stats
from .story import Story

BROWSE_MAX = 200
EVENTS_MAX = 1000
BODY_BYTES = 64 * 1024
STATES = ("ready", "delayed", "leased", "dead")


class Queries:
    def __init__(
        self, backend: Backend, registry: Registry, chronicle: Chronicle, stats: Stats, sources: dict[str, Source],
        now: Callable[[], int],
    ) -> None:  # fmt: skip
        self._backend = backend
        self._registry = registry
        self._chronicle = chronicle
        self._stats = stats
        self._sources = sources
        self._now = now
        self._started_at = now()

    async def answer(self, what: str, args: Mapping[str, Any]) -> Json:
        """Raises: InvalidRequest, QueueNotFound, MessageNotFound, Gone, Unsupported, Unavailable."""
        match what:
            case "overview":
                found: Json = {"queues": await self.queues(), "uptime_ms": self._now() - self._started_at}
                if self._backend.capabilities.streams != "unsupported":
                    found["streams"] = await self.streams()
                return found
            case "queues":
                return {"queues": await self.queues()}
            case "streams":
                self.able("streams")
                return {"streams": await self.streams()}
            case "stream":
                self.able("streams")
                stream = await self._registry.need(text_of(args, "stream"), "stream")
                return {"stream": await self._stats.of_stream(stream)}
            case "offset":
                raise Unsupported("This engine cannot tell the offset of a time.")
            case "queue":
                return await self.queue(text_of(args, "queue"))
            case "bindings":
                return {"bindings": self.bindings()}
            case "schedules":
                return {"schedules": []}
            case "operations":  # each is carried out in one go
                return {"operations": []}
            case "messages":
                return await self.browse(args)
            case "message":
                self.able("timeline")
                return {"message": await self.message(text_of(args, "message"), body=args.get("body", True) is True)}
            case "logs":
                self.able("timeline")
                _, prefix, index = self.need_story(text_of(args, "message"))
                return {"logs": self._chronicle.logs.of(f"{prefix}{index}")}
            case "events":
                self.able("live_events")
                queue = args.get("queue")
                if queue is not None:
                    await self._registry.need(text_of(args, "queue"), "queue", "group", "stream")
                return {"events": self._chronicle.last_events(queue, min(integer_of(args, "last", 100), EVENTS_MAX))}
        raise InvalidRequest(f"There is no query {what[:40]!a}.", field="what")

    def able(self, capability: str) -> None:
        """Raises: Unsupported."""
        if getattr(self._backend.capabilities, capability) == "unsupported":
            raise refusal(self._backend, capability)

    async def queues(self) -> list[Json]:
        return [await self._stats.of(definition) for definition in self._registry.names("queue")]

    async def streams(self) -> list[Json]:
        return [await self._stats.of_stream(definition) for definition in self._registry.names("stream")]

    async def queue(self, name: str) -> Json:
        definition = await self._registry.need(name, "queue", "group")
        return {
            "queue": await self._stats.of(definition),
            "settings": definition.settings,
            "consumers": self._stats.consumers(name),
        }

    def bindings(self) -> list[Json]:
        rows = []
        for definition in self._registry.names("binding"):
            target = definition.settings["target"]
            kind = "stream" if self._registry.find(target, "stream") else "queue"
            rows.append(
                {"topic": definition.settings["topic"], kind: target, "headers": definition.settings.get("headers")}
            )
        return rows

    async def browse(self, args: Mapping[str, Any]) -> Json:
        self.able("peek")
        name = text_of(args, "queue")
        definition = await self._registry.need(name, "queue", "group")
        wanted = args.get("state") or "ready"
        if wanted not in STATES:
            raise InvalidRequest(f"state must be one of {', '.join(STATES)}.", field="state")
        if any(args.get(field) is not None for field in ("text", "headers", "key")):
            raise refusal(self._backend, "search", field="text")
        if wanted == "dead" and definition.dead_letter_of is None:
            target = self._registry.dead_letter_name(name)
            found = self._registry.find(target, "queue") if target else None
            if found is None:
                return {"messages": [], "next": None}
            definition = found
        if wanted == "dead":
            wanted = "ready"
        limit = min(integer_of(args, "limit", 50), BROWSE_MAX)
        messages = await self._backend.browse(definition, wanted, integer_of(args, "after", -1), limit)
        rows = [self.row(definition.name, message) for message in messages[:limit]]
        return {"messages": rows, "next": rows[-1]["sequence"] if len(messages) > limit else None}

    def row(self, queue: str, message: Received) -> Json:
        """A message as a line of a list."""
        header, settings = message.header, self._registry.settings(queue)
        row: Json = {
            "id": id_of(message),
            "queue": queue,
            "sequence": message.sequence,
            "state": "queued",
            "type": header.get("y", "json"),
            "size": len(message.body),
            "published_at": header["t"],
            "attempts": message.attempts,
            "attempts_max": settings.attempts_max if settings else None,
            "headers": header.get("h"),
            "key": header.get("k"),
            "priority": header.get("p", 0),
            "due": None,
            "consumer": None,
        } | (message.more or {})
        if "m" in header:
            row["topic"] = header["m"]
        if row["state"] == "delivered":
            row["consumer"] = self._holder(queue, message.sequence)
        if len(message.body) <= BODY_BYTES:
            row |= shown_body(row["type"], message.body)
        return row

    def _holder(self, queue: str, sequence: int) -> str | None:
        source = self._sources.get(queue)
        for subscription in source.everyone() if source else ():
            if any(held.sequence == sequence for held in subscription.leases.values()):
                return subscription.consumer
        return None

    def story(self, prefix: str, index: int) -> Story | None:
        # What another gateway did with it may be told before that it was published here.
        kept = sorted(self._chronicle.of_message(prefix, index), key=lambda entry: entry[1]["k"] != "published")
        if not kept or kept[0][1]["k"] != "published":
            return None
        story = Story(f"{prefix}{index}", index)
        for entry in kept:
            story.apply(entry)
        for placement in story.placements:
            settings = self._registry.settings(placement.queue)
            placement.attempts_max = settings.attempts_max if settings else None
        return story

    def need_story(self, id: str) -> tuple[Story, str, int]:
        """Raises: MessageNotFound: no id of ours. Gone: it is not among what is still known."""
        parts = split_id(id)
        if parts is None:
            raise MessageNotFound(f"There is no message {id[:64]!a}.")
        story = self.story(*parts)
        if story is None:
            raise Gone("The message is older than what this engine remembers, or there never was one.")
        return story, *parts

    async def message(self, id: str, *, body: bool) -> Json:
        story, _, _ = self.need_story(id)
        found = story.to_json()
        placement = story.placements[0] if story.placements else None
        if body and placement is not None and placement.sequence is not None and not placement.is_over:
            definition = self._registry.find(placement.queue.split("/", 1)[0], "queue", "stream")
            if definition is not None and placement.at == placement.queue and self._can_fetch:
                try:
                    stored = await self._backend.fetch(definition, placement.sequence)
                except PostroadError:
                    stored = None
                if stored is not None:
                    found |= {"headers": stored.header.get("h"), "key": stored.header.get("k")}
                    found |= shown_body(found["type"], stored.body)
        return found

    @property
    def _can_fetch(self) -> bool:
        return self._backend.capabilities.peek != "unsupported"
