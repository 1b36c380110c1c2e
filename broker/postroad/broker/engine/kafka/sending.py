"""Publishing: a frame is a record in each of its queues, or a record a message in a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from ...errors import Conflict, OutcomeUnknown, PostroadError, QueueFull, Unavailable
from ..external import Send, Sent
from .log import Log
from .memory import Fate
from .record import INDEX_BITS, pack_send
from .stream import Stream

if TYPE_CHECKING:
    from .backend import KafkaBackend

OPEN_S = 1.0
"""How long a publish waits for a log to be read before it is refused; others must not wait for it as well."""


class Sending:
    def __init__(self, backend: KafkaBackend) -> None:
        self._backend = backend
        self._turns: dict[str, asyncio.Lock] = {}

    async def send(self, sends: Sequence[Send]) -> list[Sent | Exception]:
        """As ``Backend.send``: in the order of the calls, for each queue or stream."""
        return list(await asyncio.gather(*map(self._one, sends)))

    async def _one(self, send: Send) -> Sent | Exception:
        try:
            ways = await self._written(send)
        except PostroadError as error:
            return error
        results = await asyncio.gather(*ways, return_exceptions=True)
        firsts: list[int] = []
        for target, result in zip(send.targets, results, strict=True):
            if isinstance(result, BaseException):
                return result if isinstance(result, Exception) else Unavailable("Kafka did not confirm.")
            if target.kind == "stream":
                if result[-1] - result[0] != len(result) - 1:
                    break  # messages of other gateways stand between these: where each is cannot be said in short
                firsts.append(result[0])
                continue
            outcome, offset = result
            if outcome.fate.refused or outcome.fate.replay or outcome.fate.duplicates:
                return _special(target.name, outcome.fate, offset)
            firsts.append(offset << INDEX_BITS)
        return Sent(firsts=firsts)

    async def _written(self, send: Send) -> list[Awaitable[Any]]:
        """Write it everywhere; each way tells what became of it: of a queue ``Posted``, of a stream the offsets."""
        async with AsyncExitStack() as turns:
            for name in sorted({target.name for target in send.targets}):
                await turns.enter_async_context(self._turns.setdefault(name, asyncio.Lock()))
            places = [await self._place(send, target.name, target.kind, target.settings) for target in send.targets]
            ways: list[Awaitable[Any]] = []
            for place, target in zip(places, send.targets, strict=True):
                if isinstance(place, Stream):
                    ways.append(place.post(send, target.only))
                else:
                    ways.append(place.post(*pack_send(send, target.only, target.settings.get("length_max"))))
            return ways

    async def _place(self, send: Send, name: str, kind: str, settings: dict[str, Any]) -> Log | Stream:
        if kind == "stream":
            return await self._backend.stream_of(name)
        queue = await self._backend.log_of(name)
        if send.producer is not None or send.dedup is not None or settings.get("length_max") is not None:
            try:
                async with asyncio.timeout(OPEN_S):
                    await queue.open()
            except TimeoutError as error:
                raise Unavailable(f'"{name}" is still being read.') from error
        return queue


def _special(name: str, fate: Fate, offset: int) -> Sent | Exception:
    if fate.refused == "full":
        return QueueFull(f'"{name}" is full.', queue=name)
    if fate.refused == "conflict":
        return Conflict("The dedup key was used before with another body.", message_id=fate.conflict)
    if fate.refused == "unknown":
        return OutcomeUnknown("The frame is older than what is remembered of its session.")
    if fate.replay is not None:
        prefix, duplicates = fate.replay
        return Sent(firsts=[], replay=(prefix, duplicates or None))
    return Sent(firsts=[offset << INDEX_BITS], duplicates=fate.duplicates)
