"""Messages of one queue or group for this gateway: taken and settled by commands in its log."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from ...errors import PostroadError
from ..external import FeedSink, Received, Verdicts
from .log import Log
from .machine import Entry
from .moving import bury
from .record import runs

if TYPE_CHECKING:
    from .backend import KafkaBackend


class KafkaFeed:
    """See ``external.Feed``. A message's tag is its sequence."""

    def __init__(self, backend: KafkaBackend, name: str, sink: FeedSink) -> None:
        self.name = name
        self.sink = sink
        self._backend = backend
        self._log: Log | None = None
        self._kept: list[Entry] = []
        self._wanted = 0
        self._giving_back: asyncio.Task[None] | None = None

    def want(self, capacity: int) -> None:
        self._wanted = capacity
        if not capacity and self._kept and self._giving_back is None:
            self._giving_back = asyncio.get_running_loop().create_task(self._give_back())

    def keep(self, entries: list[Entry]) -> None:
        """These are ours, but who asked for them was not told: they are handed out first."""
        self._kept += entries
        if self._wanted:
            self.sink.wake()
        else:
            self.want(0)

    async def _give_back(self) -> None:
        try:
            kept, self._kept = self._kept, []
            if kept and self._log is not None:
                with contextlib.suppress(PostroadError):
                    await self._log.ask("settle", rel=runs([entry.sequence for entry in kept]))
        finally:
            self._giving_back = None

    def lost(self) -> None:
        self._kept.clear()
        self.sink.lost()

    def forget(self) -> None:
        self._kept.clear()
        self.sink.wake()

    async def _opened(self) -> Log:
        if self._log is None:
            self._log = await self._backend.log_of(self.name)
            self._log.feed = self
        await self._log.open()
        self._log.look_again()
        return self._log

    async def take(self, most: int) -> list[Received]:
        log = await self._opened()
        if not self._kept:
            fresh = await log.take(most)
            self._kept += fresh  # meanwhile there may be more: see ``keep``
        taken, self._kept = self._kept[:most], self._kept[most:]
        try:
            return await log.received(taken)
        except BaseException:
            self._kept = taken + self._kept
            raise

    async def settle(self, verdicts: Verdicts, *, again: bool) -> list[Received]:
        log = await self._opened()
        if verdicts.dead:
            await bury(self._backend, log, verdicts.dead)
        everything = {
            message.sequence: message
            for message in (
                *verdicts.acks, *verdicts.releases, *(back.message for back in verdicts.returns), *(bury.message for bury in verdicts.dead)
            )
        }  # fmt: skip
        acks = [message.sequence for message in verdicts.acks] + [bury.message.sequence for bury in verdicts.dead]
        outcome = await log.ask(
            "settle",
            acks=runs(sorted(acks)),
            rel=runs(sorted(message.sequence for message in verdicts.releases)),
            ret=[[back.message.sequence, back.attempts, back.due] for back in verdicts.returns],
        )
        gone = outcome.foreign if again else outcome.foreign + outcome.absent
        lost = [everything[sequence] for sequence in gone]
        for message, sends in verdicts.completions:
            if not await self._backend.outbox.finish(log, message, sends, again=again):
                lost.append(message)
        return lost

    async def close(self) -> None:
        self._wanted = 0
        if self._giving_back is not None:
            await asyncio.wait([self._giving_back])
        if self._log is not None:
            await self._give_back()
            self._log.feed = None
        self._backend.feeds.pop(self.name, None)
