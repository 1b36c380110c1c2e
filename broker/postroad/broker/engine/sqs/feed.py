"""Messages of one queue: polls that ask for as much as there is room for, a buffer, and what consumers say of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import PostroadError
from ..engine import Json
from ..external import FeedSink, Received, Verdicts
from .hands import Hands
from .keyed import Attempts, Keys
from .message import Hand, received
from .polls import Polls
from .settling import Settling

if TYPE_CHECKING:
    from .backend import SqsBackend

HOLD_MS = 1500
"""What is due sooner is kept here until then; SQS knows whole seconds only."""

DUE_SLACK_S = 0.002


class SqsFeed:
    """See ``external.Feed``. A message's tag is a ``Hand``."""

    def __init__(self, backend: SqsBackend, name: str, sink: FeedSink) -> None:
        self.name = name
        self._backend = backend
        self._sink = sink
        self._hands = Hands(name, backend.address.visibility_s, self._hide, self.lost)
        self._keys = Keys()
        self._attempts = Attempts()
        self._settling = Settling(backend, name, self._hands, self._attempts)
        self._polls = Polls(backend, name, self._room, self._arrived)
        self._buffer: deque[Received] = deque()
        self._early: dict[Hand, tuple[Received, asyncio.TimerHandle]] = {}
        self._wanted = 0
        self._sequence = time.time_ns() // 1_000_000 * 1000
        self._tasks: set[asyncio.Task[None]] = set()

    # Consuming

    def want(self, capacity: int) -> None:
        self._wanted = capacity
        if not capacity:
            self._spawn(self._put_back(self._untaken()))
        self.go_on()

    def go_on(self) -> None:
        """Poll, if there is room and SQS can be reached."""
        self._polls.fill()

    def _room(self) -> int:
        return max(self._wanted - len(self._hands) + len(self._early), 0) if self._wanted else 0

    def _arrived(self, rows: Sequence[Json], until: float, fifo: bool) -> None:
        messages = [message for raw in rows if self._hands.add((message := received(raw, until, fifo=fifo)).tag)]
        if fifo:
            for message in messages:
                message.attempts = self._attempts.of(message)
        else:
            messages.sort(key=_published)  # SQS promises no order; what comes together need not be worse than it was
        if not self._wanted:
            self._spawn(self._put_back(messages))
            return
        far = [message for message in messages if not self._is_near(message)]
        if far:
            self._spawn(self._settling.not_yet(far))
        self._sink.wake()

    def _is_near(self, message: Received) -> bool:
        """Take it into the buffer, now or soon."""
        due = 0 if message.tag.fifo else message.tag.kept.get("d", message.header.get("d", 0))
        wait_ms = due - time.time() * 1000
        if wait_ms > HOLD_MS:
            return False
        if wait_ms <= 0:
            self._buffer.append(message)
        else:
            timer = asyncio.get_running_loop().call_later(wait_ms / 1000 + DUE_SLACK_S, self._due, message)
            self._early[message.tag] = message, timer
        return True

    def _due(self, message: Received) -> None:
        del self._early[message.tag]
        self._buffer.append(message)
        self._sink.wake()

    async def take(self, most: int) -> list[Received]:
        taken: list[Received] = []
        while self._buffer and len(taken) < most:
            message = self._buffer.popleft()
            if not self._hands.has(message.tag):
                self._hands.drop([message.tag])
            elif self._keys.may_go(message):
                self._sequence += 1
                message.sequence = self._sequence
                taken.append(message)
        return taken

    # Settling

    async def settle(self, verdicts: Verdicts, *, again: bool) -> list[Received]:
        # Those behind are found before anything goes back: it may be here again before the answer is.
        back = [*verdicts.releases, *(one.message for one in verdicts.returns)]
        behind = [other for message in back for other in self._keys.settled(message)]
        try:
            lost = await self._settling.settle(verdicts, again=again)
        finally:
            if behind:
                self._spawn(self._put_back(behind))
        gone = {id(message) for message in lost}
        for message in reversed([*verdicts.acks, *(bury.message for bury in verdicts.dead)]):
            turn = self._keys.settled(message)
            if id(message) in gone:
                self._spawn(self._put_back(turn))
            else:
                self._buffer.extendleft(reversed(turn))
        if self._buffer:
            self._sink.wake()
        self.go_on()
        return lost

    async def _put_back(self, messages: list[Received]) -> None:
        """At once, for others to have; what cannot be put back comes back by itself, later."""
        if not messages:
            return
        with contextlib.suppress(PostroadError):
            await self._settling.settle(Verdicts(releases=messages), again=True)
        self._hands.drop(message.tag for message in messages)

    async def _hide(self, hands: Sequence[Hand], seconds: Sequence[int]) -> list[Hand]:
        return await self._settling.hide(list(zip(hands, seconds, strict=True)))

    # Losing, closing

    def _untaken(self) -> list[Received]:
        """What no consumer has yet; it is not kept any longer."""
        early = [message for message, _ in self._early.values()]
        self._drop_early()
        untaken = [*self._buffer, *early]
        self._buffer.clear()
        return untaken

    def _drop_early(self) -> None:
        for _, timer in self._early.values():
            timer.cancel()
        self._early.clear()

    def lost(self) -> None:
        """Nothing was prolonged in time: others may have it all."""
        self._drop_early()
        self._buffer.clear()
        self._keys.clear()
        self._hands.clear()
        self._sink.lost()
        self.go_on()

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(doing, name=f"postroad sqs {self.name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        self._backend.feeds.pop(self.name, None)
        self._wanted = 0
        await self._polls.close()
        await self._put_back([*self._untaken(), *self._keys.everything()])
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=1)
        await self._hands.close()


def _published(message: Received) -> tuple[int, int, str, int]:
    """By time, and by frame within a gateway's millisecond: its prefixes count up, longer ones later."""
    header = message.header
    return header["t"], len(header["i"]), header["i"], header["x"]
