"""The connection to Kafka: one producer, one consumer that follows topics as they grow, one that fetches what is asked for.

librdkafka works in threads of its own; two threads here bring what it has to say to the event loop, in batches. Consumer groups and committed
offsets are not used: every gateway follows the whole log of what it serves (see the package).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from ...errors import Internal, LimitExceeded, PostroadError, QueueNotFound, Unavailable
from .topics import RECORD_BYTES_MAX, Topics

log = logging.getLogger("postroad.engine")

T = TypeVar("T")
Done = Callable[[KafkaError | None, int], None]
"""Is told the error, or None and the offset."""

ANSWER_S = 1.9
"""A record that was not taken in this time is given up."""

RETRY_S = 0.25
TURN_S = 0.02
READY_S = 3.0
BATCH = 1000
BATCHES_WAITING = 4
UNKNOWN = frozenset((KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_ID))  # fmt: skip


class Follower:
    """Who follows a topic. Called on the event loop."""

    def tailed(self, messages: list[Message]) -> None: ...

    def torn(self) -> None:
        """What comes next is no longer there."""


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
        self._common: dict[str, Any] = {
            "bootstrap.servers": servers,
            "log_level": 0,
            "error_cb": self._failed,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "topic.metadata.refresh.fast.interval.ms": 50,
            "socket.timeout.ms": 4000,
            **options,
        }
        self._probe = probe
        self._up = up
        self._followers: dict[str, Follower] = {}
        self._closing = False
        self._returning: asyncio.Task[None] | None = None
        self._landed: deque[tuple[Done, KafkaError | None, int]] = deque()
        self._landing = False
        self._room = threading.Semaphore(BATCHES_WAITING)
        self._threads: list[threading.Thread] = []
        self._pool = ThreadPoolExecutor(4, "postroad kafka")
        self._tasks: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._fetching = threading.Lock()
        self._looking = threading.Lock()
        self._fetched: tuple[str, int] | None = None
        self._loop: asyncio.AbstractEventLoop

    async def open(self) -> str:
        """Connect; returns the name of the cluster.

        Raises:
            Unavailable.
        """
        self._loop = asyncio.get_running_loop()
        admin = AdminClient(self._common)
        self.topics = Topics(admin, self)
        try:
            found = await self.call(lambda: admin.list_topics(timeout=3), anyway=True)
        except Unavailable:
            self._closing = True
            self._pool.shutdown(wait=False)
            raise
        self._producer = self._new_producer()
        following = {"group.id": "postroad", "enable.auto.commit": False, "auto.offset.reset": "error", "allow.auto.create.topics": False}  # fmt: skip
        # A topic that is followed from now on is asked for with the next fetch, so fetches must not wait long.
        self._tail = Consumer({**self._common, **following, "fetch.wait.max.ms": 50, "fetch.queue.backoff.ms": 50})
        self._fetcher = Consumer(
            {**self._common, **following, "fetch.wait.max.ms": 50, "queued.min.messages": 1000, "queued.max.messages.kbytes": 4096}
        )  # fmt: skip
        self._looker = Consumer({**self._common, **following})
        self.is_up = True
        for name, run in (("producer", self._serve_producer), ("tail", self._serve_tail)):
            thread = threading.Thread(target=run, name=f"postroad kafka {name}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return str(found.cluster_id)

    def _new_producer(self) -> Producer:
        return Producer(
            {**self._common, "enable.idempotence": True, "acks": "all", "linger.ms": 0, "message.timeout.ms": int(ANSWER_S * 1000),
             "request.timeout.ms": int(ANSWER_S * 1000), "message.max.bytes": RECORD_BYTES_MAX, "queue.buffering.max.messages": 1_000_000}
        )  # fmt: skip

    async def close(self) -> None:
        self._closing = True
        self.is_up = False
        if self._returning is not None:
            self._returning.cancel()

        def end() -> None:
            for thread in self._threads:
                thread.join()
            self._producer.purge()
            self._producer.flush(0.5)
            self._tail.close()
            with self._fetching, self._looking:
                self._fetcher.close()
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
        except RuntimeError as error:  # closed meanwhile
            raise Unavailable("Kafka is not connected.") from error

    # Errors, and coming back

    def failure(self, error: KafkaError) -> PostroadError:
        """What callers are told."""
        if error.code() in UNKNOWN:
            return QueueNotFound("It was deleted.")
        if error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
            return LimitExceeded("Kafka takes no records as large as this.", limit="max.message.bytes")
        if error.code() == KafkaError._PURGE_QUEUE:
            return Unavailable("The broker is stopping.")
        if error.retriable() or error.code() < 0 or error.code() in _AWAY:
            self.down()
            return Unavailable("Kafka cannot be reached now.")
        log.error("Kafka refused: %s", error)
        return Internal("Kafka refused it.")

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

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._landed.append((done, error, message.offset() or 0))
            if not self._landing:
                self._landing = True
                self._loop.call_soon_threadsafe(self._land)

        try:
            self._producer.produce(
                topic, value, key, partition=0, on_delivery=delivered, timestamp=at, headers=headers or []
            )
        except BufferError as error:
            raise Unavailable("Kafka is too slow for what is published.") from error
        except KafkaException as error:
            raise self.failure(error.args[0]) from error

    def _land(self) -> None:
        self._landing = False
        landed = self._landed
        while landed:
            done, error, offset = landed.popleft()
            if error is not None and error.fatal():
                self._renew()
            done(error, offset)

    def _renew(self) -> None:
        """An idempotent producer that lost its place can do nothing more: the next one begins anew."""
        log.warning("the Kafka producer is replaced")
        self._producer = self._new_producer()

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

    # Following

    async def follow(self, topic: str, offset: int, follower: Follower) -> None:
        """``follower`` gets all records from ``offset`` on.

        Raises:
            Unavailable, QueueNotFound.
        """

        def begin() -> None:
            # Without knowing the topic, librdkafka would look for its leader up to a second later.
            found = self._tail.list_topics(topic, timeout=ANSWER_S).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            self._tail.incremental_assign([TopicPartition(topic, 0, offset)])

        self._followers[topic] = follower
        try:
            await self.call(lambda: self._in_tail(begin).result(ANSWER_S * 2))
        except TimeoutError as error:
            raise Unavailable("Kafka does not answer.") from error
        except BaseException:
            self._followers.pop(topic, None)
            raise

    def unfollow(self, topics: Iterable[str]) -> None:
        gone = [topic for topic in topics if self._followers.pop(topic, None) is not None]
        if gone and not self._closing:
            self._in_tail(lambda: self._tail.incremental_unassign([TopicPartition(topic, 0) for topic in gone]))

    def _in_tail(self, task: Callable[[], Any]) -> Future[Any]:
        """A consumer that one thread polls must not be asked anything by another: librdkafka's binding would wait for ever."""
        future: Future[Any] = Future()
        self._tasks.put((task, future))
        return future

    def _work_off(self) -> None:
        while not self._tasks.empty():
            task, future = self._tasks.get()
            try:
                future.set_result(task())
            except (KafkaException, RuntimeError) as error:
                future.set_exception(error)

    def _serve_tail(self) -> None:
        tail = self._tail
        while not self._closing:
            self._work_off()
            first = tail.poll(TURN_S)
            if first is None:
                continue
            batch = [first, *tail.consume(BATCH, 0)]
            while not self._room.acquire(timeout=0.1):
                if self._closing:
                    return
            self._loop.call_soon_threadsafe(self._tailed, batch)

    def _tailed(self, batch: list[Message]) -> None:
        self._room.release()
        at = 0
        while at < len(batch):
            topic, end = batch[at].topic(), at + 1
            while end < len(batch) and batch[end].topic() == topic:
                end += 1
            follower = self._followers.get(topic or "")
            if follower is not None:
                self._pass_on(follower, batch[at:end])
            at = end

    def _pass_on(self, follower: Follower, messages: list[Message]) -> None:
        try:
            good = [message for message in messages if message.error() is None]
            if good:
                follower.tailed(good)
            for message in messages:
                error = message.error()
                if error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:
                    follower.torn()
        except Exception:
            log.exception("following Kafka failed")

    # Looking

    async def until_there(self, topic: str) -> None:
        """Wait until a topic that was just made has a leader.

        Raises:
            Unavailable, QueueNotFound.
        """
        where = TopicPartition(topic, 0)

        def look() -> None:
            until = time.monotonic() + READY_S
            while True:
                try:
                    with self._looking:
                        self._looker.list_topics(topic, timeout=ANSWER_S)
                        self._looker.get_watermark_offsets(where, timeout=ANSWER_S)
                    return
                except KafkaException as error:
                    code = error.args[0].code()
                    if (code not in UNKNOWN and code not in _AWAY) or time.monotonic() > until:
                        raise
                    time.sleep(0.02)

        await self.call(look)

    async def bounds(self, topic: str) -> tuple[int, int]:
        """First offset, and the next one to be given.

        Raises:
            Unavailable, QueueNotFound.
        """
        where = TopicPartition(topic, 0)

        def look() -> tuple[int, int]:
            with self._looking:
                return self._looker.get_watermark_offsets(where, timeout=ANSWER_S)

        return await self.call(look)

    async def offset_at(self, topic: str, at_ms: int) -> int | None:
        """Offset of the first record of that time or later; None: there is none."""
        where = TopicPartition(topic, 0, at_ms)

        def look() -> list[TopicPartition]:
            with self._looking:
                return self._looker.offsets_for_times([where], timeout=ANSWER_S)

        found = await self.call(look)
        return None if found[0].offset < 0 else int(found[0].offset)

    async def fetch(self, topic: str, offset: int, count: int) -> list[Message]:
        """Records from ``offset`` on, ``count`` of them; they must be there.

        Raises:
            Unavailable; QueueNotFound: they are no longer there.
        """
        return await self.call(lambda: self._fetch(topic, offset, count))

    def _fetch(self, topic: str, offset: int, count: int) -> list[Message]:
        with self._fetching:
            if self._fetched != (topic, offset):  # else it goes on where it was
                found = self._fetcher.list_topics(topic, timeout=ANSWER_S).topics[topic]
                if found.error is not None:
                    raise KafkaException(found.error)
                self._fetcher.assign([TopicPartition(topic, 0, offset)])
            self._fetched = None
            got: list[Message] = []
            patience = 20
            while len(got) < count:
                first = self._fetcher.poll(0.1)
                if first is None:
                    patience -= 1
                    if not patience or self._closing:
                        self._fetcher.unassign()
                        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
                    continue
                for message in (first, *(self._fetcher.consume(count - len(got) - 1, 0) if count - len(got) > 1 else ())):  # fmt: skip
                    error = message.error()
                    if error is None:
                        got.append(message)
                    elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                        self._fetcher.unassign()
                        raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))
            self._fetched = (topic, offset + count)
            return got


_AWAY = frozenset(
    (KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND, KafkaError.LEADER_NOT_AVAILABLE,
     KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.REQUEST_TIMED_OUT, KafkaError.BROKER_NOT_AVAILABLE,
     KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.NETWORK_EXCEPTION)
)  # fmt: skip
