"""Sinks of readers and watches, as the engine calls them: an exception in one is logged, and the others are served."""

from __future__ import annotations

from collections.abc import Sequence

from ....errors import PostroadError
from ...engine import DeliveryBatch, Json, ReadSink, WatchSink
from ..write.gate import guarded


class GuardedReadSink:
    """See ``engine.ReadSink``."""

    def __init__(self, sink: ReadSink) -> None:
        self._sink = sink

    def messages(self, batch: DeliveryBatch, trimmed: int | None) -> None:
        guarded("messages of a reader", self._sink.messages, batch, trimmed)

    def ended(self, error: PostroadError) -> None:
        guarded("the end of a reader", self._sink.ended, error)


class GuardedWatchSink:
    """See ``engine.WatchSink``."""

    def __init__(self, sink: WatchSink) -> None:
        self._sink = sink

    def events(self, events: Sequence[Json], trimmed: int | None) -> None:
        guarded("events", self._sink.events, events, trimmed)

    def state(self, state: Json) -> None:
        guarded("a state", self._sink.state, state)

    def ended(self, error: PostroadError) -> None:
        guarded("the end of a watch", self._sink.ended, error)
