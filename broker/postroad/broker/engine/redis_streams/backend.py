"""Redis Streams as a backend: one Redis (not a Cluster), 7.0 or newer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
from redis.exceptions import RedisError

from ...errors import Conflict, InvalidRequest, OutcomeUnknown, PostroadError, QueueFull, QueueNotFound, Unavailable
from ..engine import Capabilities, Json
from ..external import Counts, Definition, Extent, FeedSink, Moved, Received, Send, Sent, Tail
from . import scripts
from .feed import RedisFeed, rows_of
from .link import Argument, Link, numbered, text

log = logging.getLogger("postroad.engine")

CAPABILITIES = Capabilities(
    delay="emulated", dedup="emulated", producer_sessions="emulated", retry="emulated", dead_letter="emulated", redrive="emulated",
    peek="native", timeline="emulated", live_events="emulated", results="emulated", atomic_ack_publish="native", pause="emulated",
    cancel="emulated", priority="emulated", ordering_key="emulated", expiry="emulated", topics="emulated", streams="native",
)  # fmt: skip

EVENTS_MAX = 50_000
PRIMED = 20_000
"""Records of the past that a starting gateway reads."""

BASE_MS = 1_600_000_000_000
BEAT_S = 1.0


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
    settings = frozenset(
        ("lease_ms", "attempts_max", "backoff_ms", "backoff_max_ms", "dead_letter", "expire_ms", "length_max")
    )
    stream_settings = frozenset(("retention_ms", "retention_count"))
    reasons: Mapping[str, str] = {}

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        self.prefix = options.pop("prefix", "postroad:")
        self._patience_ms = int(options.pop("node_timeout_ms", "10000"))
        self._url = urlunsplit(parts._replace(query=urlencode(options)))
        self.durability = "memory"
        self.store = ""
        self.node = secrets.token_hex(8)
        self.feeds: dict[str, RedisFeed] = {}
        self._definitions: dict[str, Definition] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._tail: Tail
        self._up: Callable[[], None]
        self._steady = 0.0
        self._last = "0-0"

    @property
    def is_up(self) -> bool:
        return self.link.is_up

    # Life

    async def open(self, tail: Tail, up: Callable[[], None]) -> None:
        self._tail, self._up = tail, up
        self.link = Link(self._url, self._returned)
        await self.link.open()
        await self._look_at_server()
        await self.link.call("SET", self.prefix + "store", secrets.token_hex(8), "NX")
        self.store = text(await self.link.call("GET", self.prefix + "store"))
        await self._beat(again=False)
        await self._prime()
        self._tasks = [
            asyncio.create_task(self._follow(), name="postroad redis tail"),
            asyncio.create_task(self._live(), name="postroad redis beat"),
        ]

    async def _look_at_server(self) -> None:
        """Raises: InvalidRequest: a Cluster."""
        info = _info(await self.link.call("INFO"))
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
            await self._beat(again=True)
        self._up()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.link.is_up:
            with contextlib.suppress(PostroadError):
                await self.link.call("ZREM", self.prefix + "nodes", self.node)
        await self.link.close()

    # Being alive, and noticing who is not

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(min(BEAT_S, self._patience_ms / 4000))
            try:
                await self._beat(again=True)
                await self._trim()
            except Unavailable:
                self._steady = 0.0
            except Exception:
                log.exception("looking after Redis failed")

    async def _beat(self, *, again: bool) -> None:
        now = asyncio.get_running_loop().time()
        self._steady = self._steady or now
        # After an outage all gateways look dead: nobody is judged before each had time to say otherwise.
        sweep = "1" if (now - self._steady) * 1000 > self._patience_ms else "0"
        reply = await self.link.run(
            scripts.BEAT, self.prefix, self.node, self._patience_ms, sweep, "again" if again else "first"
        )
        if text(reply[0]) == "gone":
            await self.reborn()
            return
        for node in reply[1]:
            await self._reclaim(text(node))

    async def reborn(self) -> None:
        """Others thought this gateway dead and have its messages: it goes on under another name, holding nothing."""
        log.warning("this gateway was silent too long: what it held was handed to others")
        self.node = secrets.token_hex(8)
        self._steady = 0.0
        for feed in list(self.feeds.values()):
            feed.sink.lost()
        await self._beat(again=False)

    async def _reclaim(self, node: str) -> None:
        for definition in list(self._definitions.values()):
            if definition.kind not in ("queue", "group"):
                continue
            base, _, group = self.places(definition.name)
            more = True
            while more:
                reply = await self.link.run(scripts.RECLAIM, base, group, node)
                more = text(reply[0]) == "more"
                headers = [orjson.loads(raw) for raw in reply[1]]
                if headers:
                    ids = [[header["i"], header["x"], 1] for header in headers]
                    record = {"k": "returned", "q": definition.name, "n": len(ids), "i": ids, "w": ["", 0]}
                    record["at"] = int(text((await self.link.call("TIME"))[0])) * 1000
                    await self.tell([orjson.dumps(record)])
        await self.link.call("SREM", self.prefix + "dead", node)

    async def _trim(self) -> None:
        """Streams let go of what is too old."""
        for definition in list(self._definitions.values()):
            keep = definition.settings.get("retention_ms") if definition.kind == "stream" else None
            if keep is not None:
                now = int(text((await self.link.call("TIME"))[0])) * 1000
                await self.link.run(scripts.OFFSET_AT, self.places(definition.name)[0], now - keep, "trim")

    # Definitions

    def places(self, name: str) -> tuple[str, str, str]:
        """Where the keys of a queue, stream or group begin, where those of its group do, and the consumer group."""
        stream, separator, group = name.partition("/")
        base = f"{self.prefix}{{{stream}}}:"
        return (base, f"{base}g:{group}:", group) if separator else (base, base, "q")

    def is_dead_letter(self, name: str) -> bool:
        definition = self._definitions.get(name)
        return definition is None or definition.dead_letter_of is not None

    async def load(self) -> list[Definition]:
        rows = await self.link.call("HVALS", self.prefix + "definitions")
        found = [Definition(**orjson.loads(row)) for row in rows]
        self._definitions = {definition.name: definition for definition in found}
        return found

    async def save(self, definition: Definition, *, new: bool) -> Definition:
        raw = orjson.dumps({name: getattr(definition, name) for name in definition.__dataclass_fields__})
        base = self.places(definition.name)[0]
        kept = await self.link.run(
            scripts.SAVE, self.prefix, definition.name, raw, "1" if new else "0", base, definition.kind
        )
        found = Definition(**orjson.loads(kept))
        self._definitions[found.name] = found
        return found

    async def erase(self, definition: Definition) -> None:
        gone = [definition]
        if definition.kind == "stream":
            gone = [d for d in self._definitions.values() if d.name.startswith(definition.name + "/")] + gone
        for item in gone:
            await self.link.run(scripts.ERASE, self.prefix, item.name, *self.places(item.name), item.kind)
            self._definitions.pop(item.name, None)

    # Publishing

    def meta(self, send: Send, args: list[Argument]) -> Json:
        """What the scripts want to know of a frame; its envelopes and bodies are put on ``args``."""
        at = len(args)
        for header, body in zip(send.headers, send.bodies, strict=True):
            args.append(header)
            args.append(body)
        targets = []
        for target in send.targets:
            row: Json = {"name": target.name, "b": self.places(target.name)[0], "kind": target.kind}
            for name, value in (("only", target.only), ("max", target.settings.get("length_max")), ("keep", target.settings.get("retention_count"))):  # fmt: skip
                if value is not None:
                    row[name] = value
            targets.append(row)
        meta: Json = {"P": self.prefix, "at": at, "count": len(send.headers), "prefix": send.prefix, "targets": targets}
        for name, values in (("prios", send.priorities), ("keys", send.keys), ("dues", send.dues)):
            if values is not None:
                meta[name] = values
        if send.dedup is not None:
            meta |= {"dedup": send.dedup, "scope": send.dedup_scope}
        if send.producer is not None:
            meta["session"], meta["frame"] = send.producer
        return meta

    async def send(self, sends: Sequence[Send]) -> list[Sent | Exception]:
        groups = _alike(sends)
        if len(groups) == 1:
            return await self._send_group(groups[0])
        results = await asyncio.gather(*(self._send_group(group) for group in groups[:1]))
        for group in groups[1:]:
            results.append(await self._send_group(group))
        return [result for group in results for result in group]

    async def _send_group(self, group: list[Send]) -> list[Sent | Exception]:
        """Frames that can be stored as one: they differ only in their messages."""
        first = group[0]
        args: list[Argument] = []
        meta = self.meta(first, args)
        for send in group[1:]:
            meta["count"] += len(send.headers)
            for header, body in zip(send.headers, send.bodies, strict=True):
                args.append(header)
                args.append(body)
        try:
            reply = await self.link.run(scripts.SEND, orjson.dumps(meta), *args)
            replay = self.check(reply, group)
        except PostroadError as error:
            return [error] * len(group)
        if replay is not None:
            return [replay]
        results: list[Sent | Exception] = []
        before = 0
        for send in group:
            results.append(Sent(firsts=[first + before for first in reply[1]]))
            before += len(send.headers)
        if reply[2]:
            assert len(group) == 1
            results = [Sent(firsts=list(reply[1]), duplicates=_duplicates([text(item) for item in reply[2]]))]
        return results

    def check(self, reply: Any, sends: Sequence[Send]) -> Sent | None:
        """Raises: what a script refused with."""
        match text(reply[0]):
            case "replay":
                prefix, duplicates = orjson.loads(reply[1])
                return Sent(firsts=[], replay=(prefix, _duplicates(list(duplicates)) or None))
            case "unknown":
                raise OutcomeUnknown("The frame is older than what is remembered of its session.")
            case "conflict":
                id = text(reply[1])
                raise Conflict("The dedup key was used before with another body.", message_id=id)
            case "missing":
                name = text(reply[1])
                raise QueueNotFound(f'There is no queue named "{name}".', queue=name)
            case "full":
                name = text(reply[1])
                raise QueueFull(f'"{name}" is full.', queue=name)
        return None

    # Telling

    async def tell(self, records: Sequence[bytes]) -> None:
        await self.link.run(scripts.TELL, self.prefix + "events", EVENTS_MAX, *records)

    async def _prime(self) -> None:
        rows = await self.link.call("XREVRANGE", self.prefix + "events", "+", "-", "COUNT", PRIMED)
        self._told(_raw_entries(rows)[::-1])

    def _told(self, rows: list[tuple[str, dict[bytes, bytes]]]) -> None:
        if rows:
            self._last = rows[-1][0]
            self._tail([(_position(id), orjson.loads(fields[b"d"])) for id, fields in rows])

    async def _follow(self) -> None:
        events = self.prefix + "events"
        while True:
            try:
                found = await self.link.blocking.execute_command(  # type: ignore[no-untyped-call]
                    "XREAD", "COUNT", 1000, "BLOCK", 5000, "STREAMS", events, self._last
                )
                if found:
                    self._told(_raw_rows(found))
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
            if rows := _raw_entries(rows):
                return _received(*rows[0])
        return None

    async def remove(self, definition: Definition, sequences: list[int]) -> list[int]:
        base, group_base, _ = self.places(definition.name)
        reply = await self.link.run(scripts.REMOVE, base, group_base, *(sequence + 1 for sequence in sequences))
        return [int(number) - 1 for number in reply]

    # Streams

    async def extent(self, definition: Definition) -> Extent:
        base = self.places(definition.name)[0]
        end = int(await self.link.call("HGET", base + "n", "next") or 0)
        rows = _raw_entries(await self.link.call("XRANGE", base + "s", "-", "+", "COUNT", 1))
        if not rows:
            return Extent(earliest=end, next=end)
        first = _received(*rows[0])
        return Extent(earliest=first.sequence, next=end, oldest_at=first.header["t"])

    async def read(self, definition: Definition, offset: int, limit: int) -> list[Received]:
        base = self.places(definition.name)[0]
        rows = await self.link.call("XRANGE", base + "s", f"{offset + 1}-0", "+", "COUNT", limit)
        return [_received(id, fields) for id, fields in _raw_entries(rows)]

    async def offset_at(self, definition: Definition, at_ms: int) -> int:
        return int(await self.link.run(scripts.OFFSET_AT, self.places(definition.name)[0], at_ms, ""))

    async def start_group(self, definition: Definition, offset: int) -> None:
        await self.link.run(scripts.START_GROUP, *self.places(definition.name), f"{offset}-0")


def _alike(sends: Sequence[Send]) -> list[list[Send]]:
    """Plain frames to the same queue go together; all others alone."""
    groups: list[list[Send]] = []
    for send in sends:
        if groups and _is_plain(send) and _is_plain(groups[-1][0]) and send.targets[0].name == groups[-1][0].targets[0].name:  # fmt: skip
            groups[-1].append(send)
        else:
            groups.append([send])
    return groups


def _is_plain(send: Send) -> bool:
    extras = (send.priorities, send.keys, send.dues, send.dedup, send.producer, send.targets[0].only)
    return len(send.targets) == 1 and all(extra is None for extra in extras) and not send.targets[0].settings.get("length_max")  # fmt: skip


def _duplicates(flat: list[Any]) -> dict[int, str]:
    return {int(flat[at]): str(flat[at + 1]) for at in range(0, len(flat), 2)}


def _position(id: str) -> int:
    ms, _, number = id.partition("-")
    return (int(ms) - BASE_MS) * 4096 + min(int(number), 4095)


def _info(raw: Any) -> dict[str, str]:
    if isinstance(raw, dict):
        return {str(name): str(value) for name, value in raw.items()}
    lines = [line.split(":", 1) for line in text(raw).splitlines() if ":" in line]
    return {line[0]: line[1] for line in lines}


def _received(id: str, fields: dict[bytes, bytes]) -> Received:
    number = int(id.partition("-")[0])
    return Received(f"0:{number}", number - 1, orjson.loads(fields[b"h"]), fields[b"b"])


def _raw_entries(rows: Any) -> list[tuple[str, dict[bytes, bytes]]]:
    """redis-py has parsed them, or not, depending on how they were asked for: one shape here."""
    found = []
    for id, fields in rows or ():
        if not isinstance(fields, dict):
            fields = {fields[at]: fields[at + 1] for at in range(0, len(fields), 2)}
        found.append((text(id), fields))
    return found


def _raw_rows(found: Any) -> list[tuple[str, dict[bytes, bytes]]]:
    return _raw_entries(found[0][1] if isinstance(found, list) else next(iter(found.values()))[0])
