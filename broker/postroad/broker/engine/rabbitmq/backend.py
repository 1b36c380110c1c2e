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
from ..external import Bury, Counts, Definition, Extent, FeedSink, Moved, Received, Send, Sent, Tail
from .definitions import Definitions, Keeper
from .feed import RabbitFeed
from .later import Later
from .link import LOST, Link, header_text

log = logging.getLogger("postroad.engine")

T = TypeVar("T")
BASE_MS = 1_600_000_000_000
HEARTBEAT_S = 10


def capabilities(*, priority: bool) -> Capabilities:
    return Capabilities(
        delay="emulated", dedup="unsupported", producer_sessions="gateway-local", retry="emulated", dead_letter="emulated",
        redrive="emulated", peek="unsupported", timeline="gateway-local", live_events="gateway-local", results="gateway-local",
        atomic_ack_publish="unsupported", pause="emulated", cancel="unsupported", priority="native" if priority else "unsupported",
        ordering_key="unsupported", expiry="emulated", topics="emulated", streams="unsupported",
    )  # fmt: skip


REASONS = {
    "dedup": "RabbitMQ remembers no messages that it has handed on.",
    "peek": "RabbitMQ shows messages only by handing them out.",
    "atomic_ack_publish": "RabbitMQ takes an ack and a publish one by one; a crash between them would tear them apart.",
    "cancel": "RabbitMQ cannot take a single message out of a queue.",
    "priority": "Quorum queues of RabbitMQ have no priorities.",
    "ordering_key": "RabbitMQ cannot hold back the messages of one key while one of them is at work.",
    "streams": "Streams on RabbitMQ are not made yet.",
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
    settings = frozenset(("lease_ms", "attempts_max", "backoff_ms", "backoff_max_ms", "dead_letter", "expire_ms"))
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
        options.setdefault("heartbeat", str(HEARTBEAT_S))
        self._url = urlunsplit(parts._replace(query=urlencode(options)))
        self.store = ""
        self.feeds: dict[str, RabbitFeed] = {}
        self.link = Link(self._url, self._connected, self._lost, self._returned)
        self._later = Later(self.prefix)
        self._keeper = Keeper(self.prefix + "definitions")
        self._node = secrets.randbelow(16)
        self._last_told = 0
        self._tail: Tail
        self._up: Callable[[], None]
        self._publishing: Channel
        self._telling: AbstractChannel
        self._keeping: AbstractChannel
        self._looking: AbstractChannel | None = None
        self._looking_lock = asyncio.Lock()

    @property
    def is_up(self) -> bool:
        return self.link.is_up

    # Life

    async def open(self, tail: Tail, up: Callable[[], None]) -> None:
        self._tail, self._up = tail, up
        await self.link.open()

    async def _connected(self) -> None:
        """Make what does not depend on queues, on a new connection."""
        self._publishing = cast(
            Channel, await self.link.channel(confirms=True)
        )  # its ``wait`` is not in the abstract class
        self._keeping = await self.link.channel(confirms=True)
        self._telling = await self.link.channel()
        self._looking = None
        self._later.forget()
        await self._keeping.queue_declare(self.prefix + "definitions", durable=True)
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

    async def load(self) -> list[Definition]:
        return list((await self._do(self._keeper.change(self._keeping, lambda found: False))).values())

    async def save(self, definition: Definition, *, new: bool) -> Definition:
        if definition.kind == "queue":
            arguments: dict[str, Any] = {"x-max-priority": 9} if self._type == "classic" else {"x-queue-type": "quorum"}
            await self._do(
                self._keeping.queue_declare(self.queue_name(definition.name), durable=True, arguments=arguments)
            )

        def put(found: Definitions) -> bool:
            if new and definition.name in found:
                return False
            found[definition.name] = definition
            return True

        return (await self._do(self._keeper.change(self._keeping, put)))[definition.name]

    async def erase(self, definition: Definition) -> None:
        def remove(found: Definitions) -> bool:
            return found.pop(definition.name, None) is not None

        await self._do(self._keeper.change(self._keeping, remove))
        if definition.kind == "queue":
            await self._do(self._keeping.queue_delete(self.queue_name(definition.name)))

    # Publishing

    async def send(self, sends: Sequence[Send]) -> list[Sent | Exception]:
        async with self.link.use():
            await self._make_later(sends)
            plans = [self._publishes(send) for send in sends]
            done = await asyncio.gather(*(one for plan in plans for one in plan), return_exceptions=True)
        results: list[Sent | Exception] = []
        at = 0
        for plan in plans:
            failed = [outcome for outcome in done[at : at + len(plan)] if isinstance(outcome, BaseException)]
            at += len(plan)
            results.append(self._error(failed[0]) if failed else Sent(firsts=[]))
        return results

    def _error(self, error: BaseException) -> Exception:
        told = self.link.failure(error)
        return told if isinstance(told, Exception) else Unavailable("RabbitMQ cannot be reached now.")

    async def _make_later(self, sends: Sequence[Send]) -> None:
        """Delay queues are made first: the order of publishes must not depend on that."""
        for send in sends:
            for due in set(send.dues or ()):
                if due:
                    for target in send.targets:
                        await self._route(target.name, due)

    async def _route(self, name: str, due: int) -> str:
        """The queue to publish to."""
        wait = due - int(time.time() * 1000) if due else 0
        if wait <= 0:
            return self.queue_name(name)
        return await self._later.queue(self._keeping, self.queue_name(name), name, wait)

    def _publishes(self, send: Send) -> list[Coroutine[Any, Any, None]]:
        plan = []
        for target in send.targets:
            for index in range(len(send.headers)) if target.only is None else target.only:
                due = send.dues[index] if send.dues else 0
                priority = send.priorities[index] if send.priorities else None
                headers: dict[str, Any] = {"postroad": send.headers[index].decode()}
                if due:
                    headers["postroad-due"] = due
                properties = Basic.Properties(
                    delivery_mode=2, headers=headers, message_id=f"{send.prefix}{index}", priority=priority
                )
                plan.append(self._publish(send.bodies[index], target.name, due, properties))
        return plan

    async def _publish(self, body: bytes, name: str, due: int, properties: Basic.Properties) -> None:
        key = await self._route(name, due) if due else self.queue_name(name)
        confirm = await self._publishing.basic_publish(
            body, routing_key=key, properties=properties, mandatory=True, wait=False
        )
        if not isinstance(confirm, Basic.Ack):
            raise QueueNotFound(f'There is no queue named "{name}".', queue=name)

    async def again(self, name: str, message: Received, attempts: int, due: int) -> None:
        """Publish a message once more, to come back with so many attempts."""
        old: Basic.Properties = message.tag[2]
        headers: dict[str, Any] = {"postroad": header_text(old.headers, "postroad")}
        if attempts:
            headers["postroad-attempts"] = attempts
        if due:
            headers["postroad-due"] = due
        for name_kept in ("postroad-dead",):
            if (value := header_text(old.headers, name_kept)) is not None:
                headers[name_kept] = value
        properties = Basic.Properties(
            delivery_mode=2, headers=headers, message_id=old.message_id, priority=old.priority
        )
        await self._publish(message.body, name, due, properties)

    async def bury(self, bury: Bury) -> None:
        old: Basic.Properties = bury.message.tag[2]
        headers: dict[str, Any] = {
            "postroad": header_text(old.headers, "postroad"),
            "postroad-dead": orjson.dumps(bury.info).decode(),
        }
        properties = Basic.Properties(delivery_mode=2, headers=headers, message_id=old.message_id)
        await self._publish(bury.message.body, bury.target, 0, properties)

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

    # Consuming, looking, operating

    def feed(self, definition: Definition, sink: FeedSink) -> RabbitFeed:
        feed = self.feeds[definition.name] = RabbitFeed(self, definition.name, sink)
        return feed

    async def counts(self, definition: Definition) -> Counts:
        async with self._looking_lock, self.link.use():
            if self._looking is None or self._looking.is_closed:
                self._looking = await self.link.channel()
            found = await self._looking.queue_declare(self.queue_name(definition.name), passive=True)
        return Counts(ready=found.message_count or 0)

    async def purge(self, definition: Definition) -> int:
        found = await self._do(self._keeping.queue_purge(self.queue_name(definition.name)))
        return found.message_count or 0

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
            properties = Basic.Properties(
                delivery_mode=2, headers={"postroad": envelope}, message_id=old.message_id, priority=header.get("p")
            )
            try:
                await self._publish(bytes(got.body), target, 0, properties)
            except (QueueNotFound, *LOST) as error:
                if isinstance(self.link.failure(error), QueueNotFound):
                    continue
                raise
            await channel.basic_ack(got.delivery.delivery_tag)
            moved.append(Moved(header=header, target=target, sequence=0))
        return moved

    # What it has not: the layer never asks for these.

    async def browse(self, definition: Definition, state: str, after: int, limit: int) -> list[Received]:
        raise _cannot("peek")

    async def fetch(self, definition: Definition, sequence: int) -> Received | None:
        raise _cannot("peek")

    async def remove(self, definition: Definition, sequences: list[int]) -> list[int]:
        raise _cannot("cancel")

    async def extent(self, definition: Definition) -> Extent:
        raise _cannot("streams")

    async def read(self, definition: Definition, offset: int, limit: int) -> list[Received]:
        raise _cannot("streams")

    async def offset_at(self, definition: Definition, at_ms: int) -> int:
        raise _cannot("streams")

    async def start_group(self, definition: Definition, offset: int) -> None:
        raise _cannot("streams")


def _cannot(capability: str) -> PostroadError:
    return Unsupported(f"rabbitmq has no {capability}.", capability=capability)
