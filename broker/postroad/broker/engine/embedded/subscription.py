"""A live consumer of the embedded engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from ...core.format import command as c
from ...errors import PostroadError
from ..engine import ConsumerSink, Done, LogLine, PublishBatch, SettleBatch, Settled
from .settle_slices import Answers, Turns, slices
from .write.translate import settle_command


class Host(Protocol):
    """What a subscription asks of its engine."""

    @property
    def position(self) -> int: ...

    def execute(self, command: object) -> None: ...

    def check(self, batch: SettleBatch) -> None:
        """Raises: InvalidRequest, LimitExceeded: something in it is beyond its bounds."""
        ...

    def settle(
        self,
        command: c.SettleDeliveries,
        batches: list[PublishBatch],
        done: Callable[[c.SettleReply | PostroadError], None],
    ) -> None: ...

    def extent(self, subscription: int) -> tuple[int, bool]:
        """The highest delivery number it was given, and whether each of its messages is looked at when it is settled."""
        ...

    def note_log(self, subscription: int, lines: Sequence[LogLine]) -> None: ...

    def note_begun(self, subscription: int, number: int) -> bool:
        """What has begun, and nothing else; False: it must go the way of every command."""
        ...

    def owns(self, subscription: int, sink: ConsumerSink) -> bool: ...

    def detach(self, subscription: int) -> None: ...


class EmbeddedSubscription:
    """See ``engine.Subscription``."""

    def __init__(self, engine: Host, consuming: c.Consuming, position: int, sink: ConsumerSink) -> None:
        self._engine = engine
        self._id = consuming.subscription
        self._sink = sink
        self.token = consuming.token
        self.lease_ms = consuming.lease_ms
        self.lost = consuming.lost
        self.position = position
        self._turns = Turns(asyncio.get_running_loop().call_soon)

    @property
    def _is_mine(self) -> bool:
        """False once another connection has resumed it: then only settles are taken from this one."""
        return self._engine.owns(self._id, self._sink)

    def prefetch(self, count: int) -> None:
        if self._is_mine:
            self._engine.execute(c.SetPrefetch(subscription=self._id, prefetch=count))

    def pause(self) -> None:
        if self._is_mine:
            self._engine.execute(c.Stall(subscription=self._id, stalled=True))

    def resume(self) -> None:
        if self._is_mine:
            self._engine.execute(c.Stall(subscription=self._id, stalled=False))

    def settle(self, batch: SettleBatch, done: Done[Settled]) -> None:
        try:
            self._engine.check(batch)
        except PostroadError as error:
            done(error)
            return
        if _is_begun_only(batch) and self._turns.is_idle and self._engine.note_begun(self._id, batch.begun or 0):
            done(Settled(position=self._engine.position))
            return
        last, one_by_one = self._engine.extent(self._id)
        parts = slices(batch, last, one_by_one=one_by_one)
        answer = done if len(parts) == 1 else Answers(len(parts), done).take
        self._turns.do([partial(self._settle, part, answer) for part in parts])

    def _settle(self, batch: SettleBatch, done: Done[Settled]) -> None:
        def reply(answer: c.SettleReply | PostroadError) -> None:
            if isinstance(answer, PostroadError):
                done(answer)
            else:
                done(Settled(position=self._engine.position, lost=answer.lost, settled=answer.settled))

        if batch.log:  # first: what a handler says last comes in one frame with its ack
            self._engine.note_log(self._id, batch.log)
        publishes = [publish for completion in batch.completions for publish in completion.publishes]
        self._engine.settle(settle_command(self._id, batch), publishes, reply)

    def cancel(self) -> None:
        """What was settled before counts before."""
        self._turns.do([self._cancel])

    def _cancel(self) -> None:
        if self._is_mine:
            self._engine.execute(c.CancelConsumer(subscription=self._id))

    def detach(self) -> None:
        if self._is_mine:
            self._engine.detach(self._id)


def _is_begun_only(batch: SettleBatch) -> bool:
    """Told before each quick run of handlers, so it has a short way."""
    return batch.begun is not None and not (
        batch.acks or batch.nacks or batch.releases or batch.extends or batch.progress or batch.log or batch.completions
    )
