"""The connection to Kafka: one producer, one consumer that follows topics, and those that look and fetch.

librdkafka works in threads of its own; threads here bring what it has to say to the event loop, in batches. It finds back to a server by itself;
what is known here is only whether it has.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from ...errors import InvalidRequest, PostroadError, Unavailable
from .errors import is_outage, told
from .looker import Looker
from .tail import ANSWER_S, Follower, TailConsumer
from .topics import RECORD_BYTES_MAX, Topics

log = logging.getLogger("postroad.engine")

T = TypeVar("T")
Done = Callable[[KafkaError | None, int], None]
"""Is told the error, or None and the offset."""

RETRY_S = 0.25


class Link:
    """Args:
    servers: ``host:port,host:port``.
    options: Of librdkafka, for all clients: how to log in and the like.
    probe: Asks the server something that needs all of it; raises ``Unavailable``.
    up: Called when the server is back.
    """

    def __init__(
        self, servers: str, options: Mapping[str, str], probe: Callable[[], Any], up: Callable[[], None]
    ) -> None:
        self.is_up = False
        self._servers = servers
        self._common: dict[str, Any] = {
            "bootstrap.servers": servers,
            "log_level": 0,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "topic.metadata.refresh.fast.interval.ms": 50,
            "socket.timeout.ms": 4000,
            **options,
        }
        self._probe = probe
        self._up = up
        self._closing = False
        self._returning: asyncio.Task[None] | None = None
        self._anew: set[asyncio.Task[None]] = set()
        self._landed: deque[tuple[Producer, Done, KafkaError | None, int]] = deque()
        self._landing = False
        self._pool = ThreadPoolExecutor(4, "postroad kafka")
        self._loop: asyncio.AbstractEventLoop

    async def open(self) -> str:
        """Connect; returns the name of the cluster.

        Raises:
            Unavailable. InvalidRequest: librdkafka does not know an option.
        """
        self._loop = asyncio.get_running_loop()
        if not self._servers:
            raise InvalidRequest("The URL of Kafka names no server.", field="engine")
        try:
            admin = AdminClient(self._common)
        except KafkaException as error:
            raise InvalidRequest(f"librdkafka refuses the options: {error.args[0].str()}", field="engine") from error
        try:
            found = await self.call(lambda: admin.list_topics(timeout=3), anyway=True)
        except Unavailable:
            self._closing = True
            self._pool.shutdown(wait=False)
            raise
        self.topics = Topics(admin, self)
        reading = {**self._common, "group.id": "postroad", "enable.auto.commit": False, "auto.offset.reset": "error", "allow.auto.create.topics": False}  # fmt: skip
        self._looker = Looker(reading)
        self._tail = TailConsumer({**reading, "error_cb": self._failed}, self._loop)
        self._producer = self._new_producer()
        self._thread = threading.Thread(target=self._serve_producer, name="postroad kafka producer", daemon=True)
        self._thread.start()
        self.is_up = True
        return str(found.cluster_id)

    def _new_producer(self) -> Producer:
        answer_ms = int(ANSWER_S * 1000)
        return Producer(
            {**self._common, "error_cb": self._failed, "enable.idempotence": True, "acks": "all", "linger.ms": 0, "message.timeout.ms": answer_ms,
             "request.timeout.ms": answer_ms, "message.max.bytes": RECORD_BYTES_MAX, "queue.buffering.max.messages": 1_000_000}
        )  # fmt: skip

    async def close(self) -> None:
        self._closing = True
        self.is_up = False
        if self._returning is not None:
            self._returning.cancel()
        for task in self._anew:
            task.cancel()

        def end() -> None:
            self._thread.join()
            self._producer.purge()
            self._producer.flush(0.5)
            self._tail.close()
            self._looker.close()

        await self._loop.run_in_executor(self._pool, end)
        self._pool.shutdown(wait=False)

    async def call(self, asking: Callable[[], T], *, anyway: bool = False) -> T:
        """Run something that waits for the server; not while it is away, except ``anyway``.

        Raises:
            Unavailable, QueueNotFound.
        """
        if not self.is_up and not anyway:
            raise Unavailable("Kafka cannot be reached now.")
        try:
            return await self._loop.run_in_executor(self._pool, asking)
        except KafkaException as error:
            raise self.failure(error.args[0]) from error
        except (RuntimeError, TimeoutError) as error:  # closed meanwhile; no answer
            raise Unavailable("Kafka does not answer.") from error

    # Errors, and coming back

    def failure(self, error: KafkaError) -> PostroadError:
        """What callers are told; notes that the server is away, if it is."""
        if is_outage(error):
            self.down()
        return told(error)

    def _failed(self, error: KafkaError) -> None:
        """librdkafka says so by itself, from any thread."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self._closing:
            self._loop.call_soon_threadsafe(self.down)

    def down(self) -> None:
        self.is_up = False
        if self._returning is None and not self._closing:
            log.warning("Kafka cannot be reached")
            self._returning = self._loop.create_task(self._return(), name="postroad kafka return")

    async def _return(self) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            try:
                await self._probe()
                break
            except PostroadError:
                continue
        self._returning = None
        self.is_up = True
        log.warning("Kafka is back")
        self._up()

    # Producing

    def produce(
        self, topic: str, value: bytes | None, done: Done, *, key: bytes | str | None = None, at: int = 0, headers: Any = None
    ) -> None:  # fmt: skip
        """Send one record; they are kept in the order of the calls.

        Raises:
            Unavailable: too many are waiting.
        """

        producer = self._producer

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._landed.append((producer, done, error, message.offset() or 0))
            if not self._landing:
                self._landing = True
                self._loop.call_soon_threadsafe(self._land)

        try:
            producer.produce(topic, value, key, partition=0, on_delivery=delivered, timestamp=at, headers=headers or [])
        except BufferError as error:
            raise Unavailable("Kafka is too slow for what is published.") from error
        except KafkaException as error:
            raise self.failure(error.args[0]) from error

    def _land(self) -> None:
        self._landing = False
        landed = self._landed
        while landed:
            producer, done, error, offset = landed.popleft()
            if error is not None and error.fatal() and producer is self._producer:
                self._renew()
            done(error, offset)

    def _renew(self) -> None:
        """An idempotent producer that lost its place can do nothing more: the next one begins anew."""
        log.warning("the Kafka producer is replaced")
        former, self._producer = self._producer, self._new_producer()
        former.purge()
        self._loop.run_in_executor(self._pool, former.flush, 1)  # so that it tells of what it had

    def sent(self, topic: str, value: bytes | None, **more: Any) -> asyncio.Future[int]:
        """Send one record; the future is its offset, or raises ``Unavailable`` or what refused it."""
        future: asyncio.Future[int] = self._loop.create_future()

        def done(error: KafkaError | None, offset: int) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(offset)
            else:
                future.set_exception(self.failure(error))

        self.produce(topic, value, done, **more)
        return future

    def _serve_producer(self) -> None:
        while not self._closing:
            self._producer.poll(0.1)

    # Following and looking: all raise Unavailable and QueueNotFound

    async def follow(self, topic: str, offset: int, follower: Follower) -> None:
        """``follower`` gets all records from ``offset`` on."""
        begun = self._tail.follow(topic, offset, follower)
        try:
            await self.call(lambda: begun.result(ANSWER_S * 2))
        except PostroadError:
            self._tail.unfollow([topic])
            raise

    def anew(self, reading: Callable[[], Awaitable[None]]) -> None:
        """Begin to read something again, as soon as that can be."""

        async def begin() -> None:
            while True:
                try:
                    return await reading()
                except PostroadError:
                    await asyncio.sleep(RETRY_S)

        task = self._loop.create_task(begin(), name="postroad kafka anew")
        self._anew.add(task)
        task.add_done_callback(self._anew.discard)

    def unfollow(self, topics: Iterable[str]) -> None:
        self._tail.unfollow(topics)

    async def until_there(self, topic: str) -> None:
        """Wait until a topic that was just made can be used."""
        await self.call(lambda: self._looker.until_there(topic))

    async def bounds(self, topic: str) -> tuple[int, int]:
        """First offset, and the next one to be given."""
        return await self.call(lambda: self._looker.bounds(topic))

    async def offset_at(self, topic: str, at_ms: int) -> int | None:
        """Offset of the first record of that time or later; None: there is none."""
        return await self.call(lambda: self._looker.offset_at(topic, at_ms))

    async def fetch(self, topic: str, offset: int, count: int) -> list[Message]:
        """Records from ``offset`` on, ``count`` of them; ``QueueNotFound``: some are no longer there."""
        return await self.call(lambda: self._looker.fetch(topic, offset, count))
