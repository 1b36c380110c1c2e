"""Kafka as a backend: 4.0 or newer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

import orjson

from ...errors import InvalidRequest, PostroadError, QueueNotFound, Unavailable
from ..engine import Capabilities
from ..external import KEPT_SETTINGS, Counts, Definition, Extent, FeedSink, Moved, Received, Send, Sent, Tail
from .definitions import Declared, Definitions
from .events import Events
from .feed import KafkaFeed
from .gateways import Gateways
from .group import GroupLog
from .link import Link
from .log import Log
from .looking import browse, counts_of, fetch
from .moving import redrive
from .outbox import Outbox
from .sending import Sending
from .shelf import Shelf
from .stream import Stream

log = logging.getLogger("postroad.engine")

CAPABILITIES = Capabilities(
    delay="emulated", dedup="emulated", producer_sessions="emulated", retry="emulated", dead_letter="emulated", redrive="emulated",
    peek="emulated", timeline="emulated", live_events="emulated", results="emulated", atomic_ack_publish="emulated", pause="emulated",
    cancel="emulated", priority="emulated", ordering_key="emulated", expiry="emulated", topics="emulated", streams="native",
)  # fmt: skip

_PREFIX = re.compile(r"[a-zA-Z0-9._-]{1,60}")
BEAT_S = 1.0
SHELF_BYTES = 128 * 1024 * 1024


class KafkaBackend:
    """See ``external.Backend``.

    Args:
        url: ``kafka://[user:password@]host:port[,host:port]``, with, among the query, ``prefix`` (default ``postroad.``), ``node_timeout_ms``
            (default 10,000: a gateway silent for so long is dead, and what it held is handed out again), ``replication`` (replicas of each topic;
            default: as Kafka is set), ``flush`` (1: Kafka syncs every record, and a confirm promises that), and librdkafka's own settings, those
            with a dot in their name, such as ``security.protocol``.
    """

    name = "kafka"
    capabilities = CAPABILITIES
    flights = 4
    flight_messages = 4096
    progress = 0
    settings = KEPT_SETTINGS | {"length_max"}
    stream_settings = frozenset(("retention_ms", "retention_count"))
    reasons: Mapping[str, str] = {}

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        login, _, servers = parts.netloc.rpartition("@")
        client = {name: options.pop(name) for name in list(options) if "." in name}
        if login:
            client["sasl.username"], _, client["sasl.password"] = login.partition(":")
        self.prefix = options.pop("prefix", "postroad.")
        if not _PREFIX.fullmatch(self.prefix):
            raise InvalidRequest("prefix must have 1 to 60 characters of a-z A-Z 0-9 . _ -", field="engine")
        self._patience_ms = _whole(options.pop("node_timeout_ms", "10000"), "node_timeout_ms")
        self._replication = _whole(options.pop("replication", "-1"), "replication")
        self._flush = options.pop("flush", "0") == "1"
        if options:
            raise InvalidRequest(f"There is no option {next(iter(options))[:40]!a}.", field="engine")
        self.durability = "sync" if self._flush else "os"
        self.store = ""
        self.node = secrets.token_hex(8)
        self.feeds: dict[str, KafkaFeed] = {}
        self.link = Link(servers, client, self._probe, self._returned)
        self.definitions = Definitions(self.link, self.prefix + "definitions", self.node)
        self._events = Events(self.link, self.prefix + "events")
        self._gateways = Gateways(self.link, self.prefix + "gateways", self.node, self._patience_ms)
        self.outbox = Outbox(self)
        self._shelf = Shelf(SHELF_BYTES)
        self._logs: dict[str, Log] = {}
        self._streams: dict[str, Stream] = {}
        self._sending = Sending(self)
        self._life: asyncio.Task[None] | None = None
        self._up: Callable[[], None]

    @property
    def is_up(self) -> bool:
        return self.link.is_up

    # Life

    async def open(self, tail: Tail, up: Callable[[], None]) -> None:
        self._up = up
        cluster = await self.link.open()
        self.link.topics.replication = self._replication
        if self._flush:
            self.link.topics.more = {"flush.messages": "1"}
        try:
            await self.definitions.open()
            await self._events.open(tail)
            await self._gateways.open()
        except BaseException:
            await self.link.close()
            raise
        self.store = f"kafka-{cluster}-{self.prefix}"
        self._life = asyncio.create_task(self._live(), name="postroad kafka beat")

    async def _probe(self) -> None:
        await self._gateways.beat()

    def _returned(self) -> None:
        self._gateways.shaken()
        self._up()

    async def close(self) -> None:
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        if self.is_up:
            with contextlib.suppress(PostroadError):
                await self._gateways.beat(bye=True)
        stopping = Unavailable("The broker is stopping.")
        for queue in self._logs.values():
            queue.close(stopping)
        for stream in self._streams.values():
            stream.close(stopping)
        await self.link.close()

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(min(BEAT_S, self._patience_ms / 4000))
            try:
                await self._gateways.beat()
                self._forget_erased()
                for log_ in list(self._logs.values()):
                    with contextlib.suppress(QueueNotFound):
                        await self._look_after(log_)
                for declared in list(self.definitions.found.values()):
                    if declared.definition.kind == "stream":
                        with contextlib.suppress(QueueNotFound):
                            stream = await self.stream_of(declared.definition.name)
                            stream.definition = declared.definition
                            await stream.tidy()
            except Unavailable:
                continue
            except Exception:
                log.exception("looking after Kafka failed")

    def is_dead(self, node: str) -> bool:
        return self._gateways.is_dead(node)

    async def _look_after(self, log_: Log) -> None:
        for node in list(log_.machine.held):
            if self.is_dead(node):
                taken = (await log_.ask("reclaim", of=node)).entries
                if taken:
                    headers = [message.header for message in await log_.received(taken)]
                    record = {"k": "returned", "q": log_.name, "n": len(headers), "w": ["", 0], "at": log_.now()}
                    record["i"] = [[header["i"], header["x"], 1] for header in headers]
                    await self._events.tell([orjson.dumps(record)])
        await self.outbox.look_after(log_)
        await log_.tidy()

    # Definitions

    async def _declared(self, name: str) -> Declared:
        """Raises: QueueNotFound, Unavailable."""
        if name not in self.definitions.found:
            await self.definitions.caught_up()
        found = self.definitions.found.get(name)
        if found is None:
            self._forget(name)
            raise QueueNotFound(f'There is no queue or stream named "{name}".', queue=name)
        return found

    async def log_of(self, name: str) -> Log:
        """Raises: QueueNotFound, Unavailable."""
        declared = await self._declared(name)
        found = self._logs.get(name)
        if found is not None and found.topic != declared.topic:
            self._forget(name)
            found = None
        if found is None:
            if declared.definition.kind == "group":
                stream = await self.stream_of(name.partition("/")[0])
                found = GroupLog(self.link, self.node, name, declared.topic, self._shelf, stream)
            else:
                found = Log(self.link, self.node, name, declared.topic, self._shelf)
            found = self._logs.setdefault(name, found)
        return found

    async def stream_of(self, name: str) -> Stream:
        declared = await self._declared(name)
        found = self._streams.get(name)
        if found is None or found.topic != declared.topic:
            self._forget(name)
            found = self._streams[name] = Stream(self.link, declared.definition, declared.topic)
        return found

    def _forget_erased(self) -> None:
        for name in [*self._logs, *self._streams]:
            if name not in self.definitions.found:
                self._forget(name)

    def _forget(self, name: str) -> None:
        for gone in (self._logs.pop(name, None), self._streams.pop(name, None)):
            if gone is not None:
                gone.close(QueueNotFound(f'"{name}" was deleted.', queue=name))

    async def load(self) -> list[Definition]:
        await self.definitions.caught_up()
        self._forget_erased()
        return [declared.definition for declared in self.definitions.found.values()]

    async def save(self, definition: Definition, *, new: bool) -> Definition:
        if not new:
            return await self.definitions.update(definition)
        topic = ""
        if definition.kind != "binding":
            # A name of its own: clients of Kafka mistake a topic that was made again for the one that was removed.
            topic = f"{self.prefix}{definition.kind}.{definition.name.replace('/', '.')}.{secrets.token_hex(3)}"
            await self.link.topics.make(topic, retention_ms="-1", retention_bytes="-1")
        kept = await self.definitions.declare(definition, topic)
        if topic and kept.topic != topic:
            await self.link.topics.remove(topic)
        return kept.definition

    async def erase(self, definition: Definition) -> None:
        gone = [definition.name]
        if definition.kind == "stream":
            gone = [name for name in self.definitions.found if name.startswith(definition.name + "/")] + gone
        for name in gone:
            topic = await self.definitions.erase(name)
            self._forget(name)
            if topic:
                await self.link.topics.remove(topic)

    # Publishing

    async def send(self, sends: Sequence[Send]) -> list[Sent | Exception]:
        if not self.is_up:
            raise Unavailable("Kafka cannot be reached now.")
        return await self._sending.send(sends)

    # Telling

    async def tell(self, records: Sequence[bytes]) -> None:
        await self._events.tell(records)

    # Consuming and looking

    def feed(self, definition: Definition, sink: FeedSink) -> KafkaFeed:
        feed = self.feeds[definition.name] = KafkaFeed(self, definition.name, sink)
        return feed

    async def counts(self, definition: Definition) -> Counts:
        return await counts_of(await self.log_of(definition.name))

    async def browse(self, definition: Definition, state: str, after: int, limit: int) -> list[Received]:
        return await browse(await self.log_of(definition.name), state, after, limit)

    async def fetch(self, definition: Definition, sequence: int) -> Received | None:
        if definition.kind == "stream":
            return next(iter(await (await self.stream_of(definition.name)).read(sequence, 1)), None)
        return await fetch(await self.log_of(definition.name), sequence)

    async def purge(self, definition: Definition) -> int:
        queue = await self.log_of(definition.name)
        await queue.caught_up()
        return (await queue.ask("purge", **await queue.extent())).count

    async def remove(self, definition: Definition, sequences: list[int]) -> list[int]:
        queue = await self.log_of(definition.name)
        return [entry.sequence for entry in (await queue.ask("remove", seqs=sequences)).entries]

    async def redrive(self, definition: Definition, sequences: list[int] | None, most: int) -> list[Moved]:
        return await redrive(self, await self.log_of(definition.name), sequences, most)

    # Streams

    async def extent(self, definition: Definition) -> Extent:
        low, high = await (await self.stream_of(definition.name)).bounds()
        return Extent(earliest=low, next=high)

    async def read(self, definition: Definition, offset: int, limit: int) -> list[Received]:
        return await (await self.stream_of(definition.name)).read(offset, limit)

    async def offset_at(self, definition: Definition, at_ms: int) -> int:
        stream = await self.stream_of(definition.name)
        found = await self.link.offset_at(stream.topic, at_ms)
        return (await stream.bounds())[1] if found is None else found

    async def start_group(self, definition: Definition, offset: int) -> None:
        await (await self.log_of(definition.name)).ask("start", to=offset)


def _whole(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InvalidRequest(f"{name} must be a whole number.", field="engine") from error
