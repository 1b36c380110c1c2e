"""Amazon SQS as a backend; see the package."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence

import orjson

from ...errors import PostroadError, QueueNotFound, Unavailable, Unsupported
from ..engine import Capabilities, Json
from ..external import KEPT_SETTINGS, Counts, Definition, Extent, FeedSink, Moved, Received, Send, Sent, Tail
from .address import address_of
from .batches import Batches, Outgoing, delay_s, ordered
from .definitions import Definitions
from .feed import SqsFeed
from .link import Link
from .message import entry
from .names import check_length
from .queues import Queues
from .sweep import Sweep

log = logging.getLogger("postroad.engine")

BASE_MS = 1_600_000_000_000

CAPABILITIES = Capabilities(
    delay="emulated", dedup="unsupported", producer_sessions="gateway-local", retry="emulated", dead_letter="emulated",
    redrive="emulated", peek="unsupported", timeline="gateway-local", live_events="gateway-local", results="gateway-local",
    atomic_ack_publish="unsupported", pause="emulated", cancel="unsupported", priority="unsupported", ordering_key="native",
    expiry="emulated", topics="emulated", streams="unsupported", order="unsupported",
)  # fmt: skip


REASONS = {
    "dedup": "SQS drops a repetition without a word of the message that was there before.",
    "peek": "SQS shows messages only by handing them out.",
    "atomic_ack_publish": "SQS takes an ack and a publish one by one; a crash between them would tear them apart.",
    "cancel": "SQS cannot take a single message out of a queue.",
    "priority": "SQS has no priorities.",
    "order": "SQS hands messages without an ordering key out in about the order they came in.",
    "streams": "SQS keeps no message that was settled.",
}


class SqsBackend:
    """See ``external.Backend``.

    Args:
        url: As ``address.address_of`` reads it.

    Raises:
        InvalidRequest: the URL.
    """

    name = "sqs"
    capabilities = CAPABILITIES
    flights = 4
    flight_messages = 100
    durability = "sync"
    settings = KEPT_SETTINGS
    stream_settings: frozenset[str] = frozenset()
    reasons = REASONS

    def __init__(self, url: str) -> None:
        self.address = address_of(url)
        self.store = ""
        self.feeds: dict[str, SqsFeed] = {}
        self.link = Link(self.address, self._returned)
        self.batches = Batches(self.link)
        self.queues = Queues(self.link, self.address.prefix)
        self._definitions = Definitions(self.queues)
        self._sweep = Sweep(self)
        self._following: asyncio.Task[None] | None = None
        self._last_told = 0
        self._node = secrets.randbelow(16)
        self._tail: Tail
        self._up: Callable[[], None]

    @property
    def is_up(self) -> bool:
        return self.link.is_up

    @property
    def progress(self) -> int:
        return self.batches.confirmed

    # Life

    async def open(self, tail: Tail, up: Callable[[], None]) -> None:
        self._tail, self._up = tail, up
        await self.link.open()
        try:
            await self._definitions.open()
        except PostroadError as error:
            await self.link.close()
            raise Unavailable(f"SQS cannot be used: {error.message}") from error
        self.store = f"sqs-{self.link.region}-{self.address.prefix}"
        self._following = asyncio.get_running_loop().create_task(self._follow(), name="postroad sqs definitions")

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self.link.close()

    def _returned(self) -> None:
        for feed in list(self.feeds.values()):
            feed.go_on()
        self._up()

    async def _follow(self) -> None:
        while True:
            try:
                gone = await self._definitions.follow(self.address.refresh_s)
            except Exception:
                log.exception("following the definitions failed")
                continue
            for name in gone:
                self.queues.forget(name)
                record = {"k": "deleted", "q": name, "at": int(time.time() * 1000), "w": ["", 0]}
                self._tail([(self._positions(1), record)])
            self._returned()

    # Definitions

    async def load(self) -> list[Definition]:
        return await self._definitions.load()

    async def save(self, definition: Definition, *, new: bool) -> Definition:
        if definition.kind == "queue" and definition.dead_letter_of is None:
            dead = definition.settings.get("dead_letter", "")
            if dead is not None:
                check_length(self.address.prefix, dead or definition.name + ".dead")
        return await self._definitions.save(definition, new=new)

    async def erase(self, definition: Definition) -> None:
        await self._definitions.erase(definition)

    # Publishing

    async def send(self, sends: Sequence[Send]) -> list[Sent | Exception]:
        if not self.is_up:
            raise Unavailable("SQS cannot be reached now.")
        now = time.time() * 1000
        outgoing: dict[tuple[str, bool], list[tuple[int, Outgoing]]] = {}
        errors: dict[int, Exception] = {}
        for number, send in enumerate(sends):
            try:
                for place, message in self._outgoing(send, now):
                    outgoing.setdefault(place, []).append((number, message))
            except PostroadError as error:
                errors[number] = error
        await asyncio.gather(
            *(
                self.store_all(name, [message for number, message in rows if number not in errors], fifo=fifo)
                for (name, fifo), rows in outgoing.items()
            )
        )
        for rows in outgoing.values():
            for number, message in rows:
                if message.error is not None:
                    errors.setdefault(number, message.error)
        return [errors.get(number) or Sent(firsts=[]) for number in range(len(sends))]

    def _outgoing(self, send: Send, now: float) -> list[tuple[tuple[str, bool], Outgoing]]:
        """Raises: LimitExceeded."""
        found = []
        for target in send.targets:
            for index in range(len(send.headers)) if target.only is None else target.only:
                key = send.keys[index] if send.keys else None
                due = send.dues[index] if send.dues else 0
                # A frame in which somebody has a key stays together, so that its order does.
                fifo = send.keys is not None and not due
                message = self.outgoing(send.headers[index], send.bodies[index])
                if fifo:
                    message.entry |= ordered(key, f"{send.prefix}{index}")
                elif due:
                    message.entry["DelaySeconds"] = delay_s(due - now)
                found.append(((target.name, fifo), message))
        return found

    def outgoing(self, envelope: bytes, body: bytes, kept: Json | None = None) -> Outgoing:
        message, size = entry(envelope, body, kept)
        return Outgoing(entry=message, size=size)

    async def store_all(self, name: str, messages: list[Outgoing], *, fifo: bool = False) -> None:
        """Send to a queue of ours; what is refused has its error then."""
        try:
            if fifo and name not in self.queues.ordered:
                await self._order(name)
            url = await self.queues.url(name, fifo=fifo)
        except PostroadError as error:
            for message in messages:
                message.error = error
            return
        await self.batches.send(url, messages, in_order=fifo)
        if any(isinstance(message.error, QueueNotFound) for message in messages):
            self.queues.forget(name)

    async def _order(self, name: str) -> None:
        await self.queues.url(name)  # of a queue that was deleted there shall be no such rest
        if await self.queues.make_ordered(name):
            await self._definitions.bump()
            if (feed := self.feeds.get(name)) is not None:
                feed.go_on()

    # Telling

    def _positions(self, count: int) -> int:
        position = ((int(time.time() * 1000) - BASE_MS) * 256) * 16 + self._node
        first = max(position, self._last_told + 16)
        self._last_told = first + 16 * (count - 1)
        return first

    async def tell(self, records: Sequence[bytes]) -> None:
        """SQS has no fan-out: they are told here alone."""
        first = self._positions(len(records))
        self._tail([(first + 16 * at, orjson.loads(record)) for at, record in enumerate(records)])

    # Consuming, looking, operating

    def feed(self, definition: Definition, sink: FeedSink) -> SqsFeed:
        feed = self.feeds[definition.name] = SqsFeed(self, definition.name, sink)
        return feed

    async def counts(self, definition: Definition) -> Counts:
        ready, delayed = await self.queues.depth(definition.name)
        return Counts(ready=ready, delayed=delayed)

    async def purge(self, definition: Definition) -> int:
        return await self._sweep.purge(definition.name)

    async def redrive(self, definition: Definition, sequences: list[int] | None, most: int) -> list[Moved]:
        return await self._sweep.redrive(definition.name, most)

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
    return Unsupported(f"sqs has no {capability}.", capability=capability)
