"""Following topics as they grow: one consumer, polled by a thread of its own, whose batches come to the event loop."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

log = logging.getLogger("postroad.engine")

TURN_S = 0.02
ANSWER_S = 1.9
BATCH = 100
"""Records that the loop takes in one go; each may be a frame of many messages."""

BATCHES_WAITING = 4


class Follower:
    """Who follows a topic. Called on the event loop."""

    def tailed(self, messages: list[Message]) -> None: ...

    def torn(self) -> None:
        """What comes next is no longer there."""


class TailConsumer:
    """Consumer groups and committed offsets are not used: every gateway reads all of what it follows."""

    def __init__(self, config: Mapping[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        # A topic that is followed from now on is asked for with the next fetch, so fetches must not wait long.
        self._consumer = Consumer({**config, "fetch.wait.max.ms": 50, "fetch.queue.backoff.ms": 50})
        self._loop = loop
        self._followers: dict[str, Follower] = {}
        self._assigned: set[str] = set()
        self._tasks: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._room = threading.Semaphore(BATCHES_WAITING)
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="postroad kafka tail", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        self._thread.join()
        self._consumer.close()

    def follow(self, topic: str, offset: int, follower: Follower) -> Future[None]:
        """``follower`` gets all records from ``offset`` on. Called on the loop; the future is done when that is so."""
        self._followers[topic] = follower

        def begin() -> None:
            # Without knowing the topic, librdkafka would look for its leader up to a second later.
            found = self._consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
            self._let_go([topic])
            self._consumer.incremental_assign([TopicPartition(topic, 0, offset)])
            self._assigned.add(topic)

        return self._in_thread(begin)

    def unfollow(self, topics: Iterable[str]) -> None:
        gone = [topic for topic in topics if self._followers.pop(topic, None) is not None]
        if gone and not self._closing:
            self._in_thread(lambda: self._let_go(gone))

    def _let_go(self, topics: list[str]) -> None:
        gone = [TopicPartition(topic, 0) for topic in topics if topic in self._assigned]
        if gone:
            self._consumer.incremental_unassign(gone)
            self._assigned.difference_update(topics)

    def _in_thread(self, task: Callable[[], Any]) -> Future[Any]:
        """A consumer that one thread polls must not be asked anything by another: its binding would wait for ever."""
        future: Future[Any] = Future()
        self._tasks.put((task, future))
        return future

    def _serve(self) -> None:
        while not self._closing:
            self._work_off()
            first = self._consumer.poll(TURN_S)
            if first is None:
                continue
            # One poll, then what is there: ``consume`` with a timeout returns only when it is full or the time is over.
            batch = [first, *self._consumer.consume(BATCH, 0)]
            while not self._room.acquire(timeout=0.1):
                if self._closing:
                    return
            self._loop.call_soon_threadsafe(self._tailed, batch)

    def _work_off(self) -> None:
        while not self._tasks.empty():
            task, future = self._tasks.get()
            try:
                future.set_result(task())
            except (KafkaException, RuntimeError) as error:
                future.set_exception(error)

    def _tailed(self, batch: list[Message]) -> None:
        self._room.release()
        at = 0
        while at < len(batch):
            topic, end = batch[at].topic(), at + 1
            while end < len(batch) and batch[end].topic() == topic:
                end += 1
            follower = self._followers.get(topic or "")
            if follower is not None:
                _pass_on(follower, batch[at:end])
            at = end


def _pass_on(follower: Follower, messages: list[Message]) -> None:
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
