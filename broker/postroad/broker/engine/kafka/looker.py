"""Asking where topics begin and end, and fetching single stretches of them. These calls wait: they belong into a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from .errors import AWAY, UNKNOWN
from .tail import ANSWER_S

READY_S = 3.0
FETCH_S = 2.0


class Looker:
    """Two consumers: one that fetches answers questions only when its last fetch has come back."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._looker = Consumer(dict(config))
        self._fetcher = Consumer(
            {**config, "fetch.wait.max.ms": 50, "queued.min.messages": 1000, "queued.max.messages.kbytes": 4096}
        )
        self._looking = threading.Lock()
        self._fetching = threading.Lock()
        self._goes_on: tuple[str, int] | None = None
        self._closing = False

    def close(self) -> None:
        self._closing = True
        with self._fetching, self._looking:
            self._fetcher.close()
            self._looker.close()

    def until_there(self, topic: str) -> None:
        """Wait until a topic that was just made has a leader."""
        until = time.monotonic() + READY_S
        while True:
            try:
                with self._looking:
                    self._looker.list_topics(topic, timeout=ANSWER_S)
                    self._looker.get_watermark_offsets(TopicPartition(topic, 0), timeout=ANSWER_S)
                return
            except KafkaException as error:
                code = error.args[0].code()
                if (code not in UNKNOWN and code not in AWAY) or time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def bounds(self, topic: str) -> tuple[int, int]:
        with self._looking:
            return self._looker.get_watermark_offsets(TopicPartition(topic, 0), timeout=ANSWER_S)

    def offset_at(self, topic: str, at_ms: int) -> int | None:
        with self._looking:
            found = self._looker.offsets_for_times([TopicPartition(topic, 0, at_ms)], timeout=ANSWER_S)
        return None if found[0].offset < 0 else int(found[0].offset)

    def fetch(self, topic: str, offset: int, count: int) -> list[Message]:
        with self._fetching:
            if self._goes_on != (topic, offset):
                self._goes_on = None
                found = self._fetcher.list_topics(topic, timeout=ANSWER_S).topics[topic]
                if found.error is not None:
                    raise KafkaException(found.error)
                self._fetcher.assign([TopicPartition(topic, 0, offset)])
            try:
                got = self._fetch(count)
            except KafkaException:
                self._goes_on = None
                self._fetcher.unassign()
                raise
            self._goes_on = (topic, offset + count)
            return got

    def _fetch(self, count: int) -> list[Message]:
        got: list[Message] = []
        until = time.monotonic() + FETCH_S
        while len(got) < count:
            first = self._fetcher.poll(0.1)
            if first is None:
                if self._closing or time.monotonic() > until:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
                continue
            rest = count - len(got) - 1
            for message in (first, *(self._fetcher.consume(rest, 0) if rest else ())):
                error = message.error()
                if error is None:
                    got.append(message)
                elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                    raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))
        return got
