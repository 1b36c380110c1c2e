"""Redis Streams as a backend: one Redis (not a Cluster), 7.0 or newer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
from redis.exceptions import RedisError

from ...errors import InvalidRequest, PostroadError
from ..engine import Capabilities
from ..external import KEPT_SETTINGS, Counts, Definition, Extent, FeedSink, Moved, Received, Send, Sent, Tail
from . import scripts
from .feed import RedisFeed, rows_of
from .frames import Frames
from .life import Life
from .link import Link, numbered, text
from .rows import position, raw_entries, raw_rows, received, server_info

log = logging.getLogger("postroad.engine")

CAPABILITIES = Capabilities(
    delay="emulated", dedup="emulated", producer_sessions="emulated", retry="emulated", dead_letter="emulated", redrive="emulated",
    peek="native", timeline="emulated", live_events="emulated", results="emulated", atomic_ack_publish="native", pause="emulated",
    cancel="emulated", priority="emulated", ordering_key="emulated", expiry="emulated", topics="emulated", streams="native",
)  # fmt: skip

EVENTS_MAX = 50_000
PRIMED = 20_000
"""Records of the past that a starting gateway reads."""


class RedisBackend:
    """See ``external.Backend``.

    Args:
        url: ``redis://[user:password@]host[:port]/[db]``, with ``prefix`` (default ``postroad:``) and ``node_timeout_ms`` (default 10,000: a gateway
            silent for so long is dead, and what it held is handed out again) among the query.
    """

    name = "redis"
    capabilities = CAPABILITIES
    flights = 1
    flight_messages = 8192
    progress = 0
    settings = KEPT_SETTINGS | {"length_max"}
    stream_settings = frozenset(("retention_ms", "retention_count"))
    reasons: Mapping[str, str] = {}

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        self.prefix = options.pop("prefix", "postroad:")
        self._life = Life(self, int(options.pop("node_timeout_ms", "10000")))
        self.frames = Frames(self.prefix, lambda: self.link, lambda name: self.places(name)[0])
        self._url = urlunsplit(parts._replace(query=urlencode(options)))
        self.durability = "memory"
        self.store = ""
        self.feeds: dict[str, RedisFeed] = {}
        self.definitions: dict[str, Definition] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._tail: Tail
        self._up: Callable[[], None]
        self._last = "0-0"

    @property
    def is_up(self) -> bool:
        return self.link.is_up

    @property
    def node(self) -> str:
        return self._life.node

    async def reborn(self) -> None:
        await self._life.reborn()

    # Life

    async def open(self, tail: Tail, up: Callable[[], None]) -> None:
        self._tail, self._up = tail, up
        self.link = Link(self._url, self._returned)
        await self.link.open()
        await self._look_at_server()
        await self.link.call("SET", self.prefix + "store", secrets.token_hex(8), "NX")
        self.store = text(await self.link.call("GET", self.prefix + "store"))
        await self._life.beat(again=False)
        await self._prime()
        self._tasks = [
            asyncio.create_task(self._follow(), name="postroad redis tail"),
            asyncio.create_task(self._life.live(), name="postroad redis beat"),
        ]

    async def _look_at_server(self) -> None:
        """Raises: InvalidRequest: a Cluster."""
        info = server_info(await self.link.call("INFO"))
        if info.get("cluster_enabled") == "1":
            raise InvalidRequest("A Redis Cluster cannot be used: scripts here touch several slots.", field="engine")
        self.durability = "memory"
        if info.get("aof_enabled") == "1":
            self.durability = "os"
            with contextlib.suppress(PostroadError, RedisError):  # CONFIG may be forbidden: then we promise less
                found = numbered(await self.link.call("CONFIG", "GET", "appendfsync"))
                if found.get("appendfsync") == "always":
                    self.durability = "sync"

    def _returned(self) -> None:
        self._tasks.append(asyncio.create_task(self._again()))

    async def _again(self) -> None:
        with contextlib.suppress(PostroadError):
            await self._look_at_server()
            await self._life.beat(again=True)
        self._up()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.link.is_up:
            with contextlib.suppress(PostroadError):
                await self.link.call("ZREM", self.prefix + "nodes", self.node)
        await self.link.close()

    # Definitions

    def places(self, name: str) -> tuple[str, str, str]:
        """Where the keys of a queue, stream or group begin, where those of its group do, and the consumer group."""
        stream, separator, group = name.partition("/")
        base = f"{self.prefix}{{{stream}}}:"
        return (base, f"{base}g:{group}:", group) if separator else (base, base, "q")

    def is_dead_letter(self, name: str) -> bool:
        definition = self.definitions.get(name)
        return definition is None or definition.dead_letter_of is not None

    async def load(self) -> list[Definition]:
        rows = await self.link.call("HVALS", self.prefix + "definitions")
        found = [Definition(**orjson.loads(row)) for row in rows]
        self.definitions = {definition.name: definition for definition in found}
        return found

    async def save(self, definition: Definition, *, new: bool) -> Definition:
        raw = orjson.dumps({name: getattr(definition, name) for name in definition.__dataclass_fields__})
        base = self.places(definition.name)[0]
        kept = await self.link.run(
            scripts.SAVE, self.prefix, definition.name, raw, "1" if new else "0", base, definition.kind
        )
        found = Definition(**orjson.loads(kept))
        self.definitions[found.name] = found
        return found

    async def erase(self, definition: Definition) -> None:
        gone = [definition]
        if definition.kind == "stream":
            gone = [d for d in self.definitions.values() if d.name.startswith(definition.name + "/")] + gone
        for item in gone:
            await self.link.run(scripts.ERASE, self.prefix, item.name, *self.places(item.name), item.kind)
            self.definitions.pop(item.name, None)

    # Publishing

    async def send(self, sends: Sequence[Send]) -> list[Sent | Exception]:
        return await self.frames.send(sends)

    # Telling

    async def tell(self, records: Sequence[bytes]) -> None:
        await self.link.run(scripts.TELL, self.prefix + "events", EVENTS_MAX, *records)

    async def _prime(self) -> None:
        rows = await self.link.call("XREVRANGE", self.prefix + "events", "+", "-", "COUNT", PRIMED)
        self._told(raw_entries(rows)[::-1])

    def _told(self, rows: list[tuple[str, dict[bytes, bytes]]]) -> None:
        if rows:
            self._last = rows[-1][0]
            self._tail([(position(id), orjson.loads(fields[b"d"])) for id, fields in rows])

    async def _follow(self) -> None:
        events = self.prefix + "events"
        while True:
            try:
                found = await self.link.blocking.execute_command(  # type: ignore[no-untyped-call]
                    "XREAD", "COUNT", 1000, "BLOCK", 5000, "STREAMS", events, self._last
                )
                if found:
                    self._told(raw_rows(found))
            except (RedisError, OSError) as error:
                self.link.failure(error)
                await asyncio.sleep(0.2)
            except Exception:
                log.exception("following Redis failed")
                await asyncio.sleep(1)

    # Consuming and looking

    def feed(self, definition: Definition, sink: FeedSink) -> RedisFeed:
        feed = self.feeds[definition.name] = RedisFeed(self, definition.name, sink)
        return feed

    async def counts(self, definition: Definition) -> Counts:
        reply = await self.link.run(scripts.COUNTS, *self.places(definition.name))
        ready, delayed, retrying, leased, oldest, committed = (int(value) for value in reply[:6])
        totals = {name: int(value) for name, value in numbered(reply[6]).items()}
        return Counts(
            ready=ready, delayed=delayed, retrying=retrying, leased=leased, totals=totals,
            oldest_at=None if oldest < 0 else oldest, committed=None if committed < 0 else committed - 1,
        )  # fmt: skip

    async def purge(self, definition: Definition) -> int:
        base, group_base, _ = self.places(definition.name)
        total = 0
        while count := int(await self.link.run(scripts.PURGE, base, group_base)):
            total += count
        return total

    async def redrive(self, definition: Definition, sequences: list[int] | None, most: int) -> list[Moved]:
        chosen = [f"{sequence + 1}-0" for sequence in sequences or ()]
        reply = await self.link.run(scripts.REDRIVE, self.prefix, self.places(definition.name)[0], most, *chosen)
        return [
            Moved(header=orjson.loads(header), target=text(target), sequence=int(sequence))
            for header, target, sequence in reply
        ]

    async def browse(self, definition: Definition, state: str, after: int, limit: int) -> list[Received]:
        places = self.places(definition.name)
        rows = rows_of(await self.link.run(scripts.BROWSE, *places, state, after, limit))
        return rows[: limit + 1]

    async def fetch(self, definition: Definition, sequence: int) -> Received | None:
        base = self.places(definition.name)[0]
        id = f"{sequence + 1}-0"
        for suffix in ("s", *(f"s{priority}" for priority in range(1, 10))):
            rows = await self.link.call("XRANGE", base + suffix, id, id)
            if rows := raw_entries(rows):
                return received(*rows[0])
        return None

    async def remove(self, definition: Definition, sequences: list[int]) -> list[int]:
        base, group_base, _ = self.places(definition.name)
        reply = await self.link.run(scripts.REMOVE, base, group_base, *(sequence + 1 for sequence in sequences))
        return [int(number) - 1 for number in reply]

    # Streams

    async def extent(self, definition: Definition) -> Extent:
        base = self.places(definition.name)[0]
        end = int(await self.link.call("HGET", base + "n", "next") or 0)
        rows = raw_entries(await self.link.call("XRANGE", base + "s", "-", "+", "COUNT", 1))
        if not rows:
            return Extent(earliest=end, next=end)
        first = received(*rows[0])
        return Extent(earliest=first.sequence, next=end, oldest_at=first.header["t"])

    async def read(self, definition: Definition, offset: int, limit: int) -> list[Received]:
        base = self.places(definition.name)[0]
        rows = await self.link.call("XRANGE", base + "s", f"{offset + 1}-0", "+", "COUNT", limit)
        return [received(id, fields) for id, fields in raw_entries(rows)]

    async def offset_at(self, definition: Definition, at_ms: int) -> int:
        return int(await self.link.run(scripts.OFFSET_AT, self.places(definition.name)[0], at_ms, ""))

    async def start_group(self, definition: Definition, offset: int) -> None:
        await self.link.run(scripts.START_GROUP, *self.places(definition.name), f"{offset}-0")
