"""RabbitMQ as a backend, 3.10 or newer, over AMQP 0.9.1."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
from aiormq import Channel
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic

from ...errors import InvalidRequest, PostroadError, QueueNotFound, Unavailable, Unsupported
from ..engine import Capabilities
from ..external import KEPT_SETTINGS, Counts, Definition, Extent, FeedSink, Moved, Received, Send, Sent, Tail
from .definitions import Definitions, Keeper
from .feed import RabbitFeed
from .group import OFFSET
from .group_feed import GroupFeed
from .link import LOST, Link, header_text
from .publishing import Publisher
from .streams import Streams

log = logging.getLogger("postroad.engine")

T = TypeVar("T")
BASE_MS = 1_600_000_000_000
HEARTBEAT_S = 10


def capabilities(*, priority: bool) -> Capabilities:
    return Capabilities(
        delay="emulated", dedup="unsupported", producer_sessions="gateway-local", retry="emulated", dead_letter="emulated",
        redrive="emulated", peek="unsupported", timeline="gateway-local", live_events="gateway-local", results="gateway-local",
        atomic_ack_publish="unsupported", pause="emulated", cancel="unsupported", priority="native" if priority else "unsupported",
        ordering_key="unsupported", expiry="emulated", topics="emulated", streams="emulated",
    )  # fmt: skip


REASONS = {
    "dedup": "RabbitMQ remembers no messages that it has handed on.",
    "peek": "RabbitMQ shows messages only by handing them out.",
    "atomic_ack_publish": "RabbitMQ takes an ack and a publish one by one; a crash between them would tear them apart.",
    "cancel": "RabbitMQ cannot take a single message out of a queue.",
    "priority": "Quorum queues of RabbitMQ have no priorities.",
    "ordering_key": "RabbitMQ cannot hold back the messages of one key while one of them is at work.",
    "retention_ms": "RabbitMQ cannot change what a stream keeps once it is made: 7 days.",
}


class RabbitBackend:
    """See ``external.Backend``.

    Args:
        url: ``amqp://user:password@host:port/vhost``, with ``queue_type`` (``classic`` or ``quorum``) and ``prefix`` (default ``postroad.``)
            among the query.
    """

    name = "rabbitmq"
    flights = 4
    flight_messages = 256
    durability = "sync"
    settings = KEPT_SETTINGS
    stream_settings: frozenset[str] = frozenset()
    reasons = REASONS

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        self.prefix = options.pop("prefix", "postroad.")
        self._type = options.pop("queue_type", "classic")
        if self._type not in ("classic", "quorum"):
            raise InvalidRequest("queue_type must be classic or quorum.", field="engine")
        self.capabilities = capabilities(priority=self._type == "classic")
        self._arguments: dict[str, Any] = (
            {"x-max-priority": 9} if self._type == "classic" else {"x-queue-type": "quorum"}
        )
        options.setdefault("heartbeat", str(HEARTBEAT_S))
        self._url = urlunsplit(parts._replace(query=urlencode(options)))
        self.store = ""
        self.feeds: dict[str, RabbitFeed] = {}
        self.link = Link(self._url, self._connected, self._lost, self._returned)
        self.streams = Streams(self)
        self.publisher = Publisher(self)
        self._keeper = Keeper(self.prefix + "definitions")
        self._node = secrets.randbelow(16)
        self._last_told = 0
        self._queues: set[str] = set()
        self._tail: Tail
        self._up: Callable[[], None]
        self._telling: AbstractChannel
        self.keeping: AbstractChannel
        self._looking: AbstractChannel | None = None
        self._looking_lock = asyncio.Lock()

    @property
    def is_up(self) -> bool:
        return self.link.is_up

    @property
    def progress(self) -> int:
        return self.publisher.progress

    # Life

    async def open(self, tail: Tail, up: Callable[[], None]) -> None:
        self._tail, self._up = tail, up
        await self.link.open()

    async def _connected(self) -> None:
        """Make what does not depend on queues, on a new connection."""
        # Its ``wait`` is not in the abstract class.
        self.publisher.opened(cast(Channel, await self.link.channel(confirms=True)))
        self.keeping = await self.link.channel(confirms=True)
        self._telling = await self.link.channel()
        self._looking = None
        self.streams.forget()
        # A crash of RabbitMQ may have taken queues with it that were made moments before: what is known is made again.
        for name in list(self._queues):
            await self.keeping.queue_declare(self.queue_name(name), durable=True, arguments=self._arguments)
        await self.keeping.queue_declare(self.prefix + "definitions", durable=True)
        await self._telling.exchange_declare(self.prefix + "events", exchange_type="fanout", durable=True)
        mine = await self._telling.queue_declare("", exclusive=True, auto_delete=True)
        await self._telling.queue_bind(str(mine.queue), self.prefix + "events")
        await self._telling.basic_consume(str(mine.queue), self._told, no_ack=True)
        self.store = self.store or f"rabbitmq-{self.prefix}"

    def _lost(self) -> None:
        for feed in list(self.feeds.values()):
            feed.lost()

    def _returned(self) -> None:
        for feed in list(self.feeds.values()):
            feed.go_on()
        self._up()

    async def close(self) -> None:
        await self.link.close()

    async def _do(self, doing: Coroutine[Any, Any, T]) -> T:
        """Raises: Unavailable, QueueNotFound."""
        if not self.is_up:
            doing.close()
            raise Unavailable("RabbitMQ cannot be reached now.")
        async with self.link.use():
            return await doing

    # Definitions

    def queue_name(self, name: str) -> str:
        return f"{self.prefix}q.{name}"

    def stream_name(self, name: str) -> str:
        return f"{self.prefix}s.{name}"

    async def make_queue(self, queue: str) -> None:
        await self._do(self.keeping.queue_declare(queue, durable=True, arguments=self._arguments))

    async def delete_queue(self, queue: str) -> None:
        await self._do(self.keeping.queue_delete(queue))

    async def purge_queue(self, queue: str) -> int:
        return (await self._do(self.keeping.queue_purge(queue))).message_count or 0

    async def load(self) -> list[Definition]:
        found = list((await self._do(self._keeper.change(self.keeping, lambda found: False))).values())
        for name in {definition.name for definition in found if definition.kind == "queue"} - self._queues:
            await self.make_queue(self.queue_name(name))
            self._queues.add(name)
        return found

    async def save(self, definition: Definition, *, new: bool) -> Definition:
        if definition.kind == "queue":
            await self.make_queue(self.queue_name(definition.name))
            self._queues.add(definition.name)

        async def prepare() -> None:
            if new and definition.kind == "stream":
                await self.streams.make(definition.name)

        def put(found: Definitions) -> bool:
            if new and definition.name in found:
                return False
            found[definition.name] = definition
            return True

        return (await self._do(self._keeper.change(self.keeping, put, prepare)))[definition.name]

    async def erase(self, definition: Definition) -> None:
        def remove(found: Definitions) -> bool:
            inside = [name for name in found if name.startswith(definition.name + "/")]
            groups.extend(found.pop(name) for name in inside)
            return found.pop(definition.name, None) is not None

        groups: list[Definition] = []
        self._queues.discard(definition.name)
        await self._do(self._keeper.change(self.keeping, remove))
        if definition.kind == "queue":
            await self.delete_queue(self.queue_name(definition.name))
        for one in (*groups, definition):
            if one.kind in ("stream", "group"):
                await self._do(self.streams.erase(one))

    # Publishing

    async def send(self, sends: Sequence[Send]) -> list[Sent | Exception]:
        return await self.publisher.send(sends)

    # Telling

    async def tell(self, records: Sequence[bytes]) -> None:
        position = ((int(time.time() * 1000) - BASE_MS) * 256) * 16 + self._node
        first = max(position, self._last_told + 16)
        self._last_told = first + 16 * (len(records) - 1)
        raw = b'{"p":%d,"r":[%b]}' % (first, b",".join(records))
        await self._do(
            self._telling.basic_publish(
                raw, exchange=self.prefix + "events", properties=Basic.Properties(delivery_mode=1)
            )
        )

    async def _told(self, message: DeliveredMessage) -> None:
        told = orjson.loads(message.body)
        self._tail([(told["p"] + 16 * at, record) for at, record in enumerate(told["r"])])
        for record in told["r"]:
            if record["k"] == "deleted":
                self._queues.discard(record["q"])
                self.streams.drop(record["q"])
            feed = self.feeds.get(record["q"]) if record["k"] == "reset" else None
            if isinstance(feed, GroupFeed):
                feed.renew()

    # Consuming, looking, operating

    def feed(self, definition: Definition, sink: FeedSink) -> RabbitFeed:
        kind = GroupFeed if definition.kind == "group" else RabbitFeed
        feed = self.feeds[definition.name] = kind(self, definition.name, sink)
        return feed

    async def ready(self, queue: str) -> int:
        """How many messages of a queue are in nobody's hands."""
        async with self._looking_lock, self.link.use():
            if self._looking is None or self._looking.is_closed:
                self._looking = await self.link.channel()
            found = await self._looking.queue_declare(queue, passive=True)
        return found.message_count or 0

    async def counts(self, definition: Definition) -> Counts:
        if definition.kind == "group":
            return await self._do(self.streams.counts(definition))
        return Counts(ready=await self.ready(self.queue_name(definition.name)))

    async def purge(self, definition: Definition) -> int:
        if definition.kind == "group":
            return await self._do(self.streams.purge(definition))
        return await self.purge_queue(self.queue_name(definition.name))

    async def redrive(self, definition: Definition, sequences: list[int] | None, most: int) -> list[Moved]:
        async with self.link.use():
            channel = await self.link.channel()
            try:
                return await self._redrive(channel, self.queue_name(definition.name), most)
            finally:
                if not channel.is_closed and self.is_up:
                    await channel.close()  # what is not ours to move goes back

    async def _redrive(self, channel: AbstractChannel, queue: str, most: int) -> list[Moved]:
        moved: list[Moved] = []
        while len(moved) < most:
            got = await channel.basic_get(queue, no_ack=False)
            if not isinstance(got.delivery, Basic.GetOk) or got.delivery.delivery_tag is None:
                break
            old = got.header.properties
            raw, envelope = header_text(old.headers, "postroad-dead"), header_text(old.headers, "postroad")
            if raw is None or envelope is None:
                continue
            target = orjson.loads(raw)["of"]
            header = orjson.loads(envelope)
            headers: dict[str, Any] = {"postroad": envelope}
            if old.headers and OFFSET in old.headers:
                headers[OFFSET] = old.headers[OFFSET]
            properties = Basic.Properties(
                delivery_mode=2, headers=headers, message_id=old.message_id, priority=header.get("p")
            )
            try:
                await self.publisher.publish(bytes(got.body), await self._place(target), properties)
            except (QueueNotFound, *LOST) as error:
                if isinstance(self.link.failure(error), QueueNotFound):
                    continue
                raise
            await channel.basic_ack(got.delivery.delivery_tag)
            moved.append(Moved(header=header, target=target, sequence=0))
        return moved

    async def _place(self, name: str) -> str:
        """Where messages of a queue or group come from."""
        if "/" not in name:
            return self.queue_name(name)
        group = self.streams.group(name)
        return group.queue(await group.look())

    # Streams

    async def extent(self, definition: Definition) -> Extent:
        return await self._do(self.streams.extent(definition.name))

    async def read(self, definition: Definition, offset: int, limit: int) -> list[Received]:
        return await self._do(self.streams.read(definition.name, offset, limit))

    async def offset_at(self, definition: Definition, at_ms: int) -> int:
        return await self._do(self.streams.stream(definition.name).offset_at(at_ms))

    async def start_group(self, definition: Definition, offset: int) -> None:
        await self._do(self.streams.group(definition.name).begin(offset))

    # What it has not: the layer never asks for these.

    async def browse(self, definition: Definition, state: str, after: int, limit: int) -> list[Received]:
        raise _cannot("peek")

    async def fetch(self, definition: Definition, sequence: int) -> Received | None:
        raise _cannot("peek")

    async def remove(self, definition: Definition, sequences: list[int]) -> list[int]:
        raise _cannot("cancel")


def _cannot(capability: str) -> PostroadError:
    return Unsupported(f"rabbitmq has no {capability}.", capability=capability)
