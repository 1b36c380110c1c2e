"""Going through a queue without consumers: purging it, moving its dead messages back.

``PurgeQueue`` would take messages out of consumers' hands too, and may be called once a minute; so purging is receiving and deleting.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import orjson

from ...errors import PostroadError, QueueNotFound
from ..external import Moved, Received
from .batches import Outgoing, ordered
from .message import Hand, received
from .polls import RECEIVE_MAX, receive

if TYPE_CHECKING:
    from .backend import SqsBackend

LOOKS_S = 1
"""A poll that waits asks all of SQS's servers; one that does not may miss messages."""

PURGERS = 4


class Sweep:
    def __init__(self, backend: SqsBackend) -> None:
        self._backend = backend

    async def purge(self, name: str) -> int:
        """Delete what is visible; what comes meanwhile may go too."""
        ready, _ = await self._backend.queues.depth(name)
        most = 2 * ready + 1000
        counts = await asyncio.gather(
            *(
                self._purge(url, most, LOOKS_S if fifo or not at else 0)
                for url, fifo in await self._backend.queues.urls(name)
                for at in range(1 if ready < 100 else PURGERS)
            )
        )
        return sum(counts)

    async def _purge(self, url: str, most: int, wait_s: int) -> int:
        count = 0
        while count < most:
            messages = await self._receive(url, RECEIVE_MAX, wait_s)
            if not messages:
                break
            gone = await self._backend.batches.delete(url, [message.tag for message in messages])
            count += len(messages) - len(gone)
        return count

    async def redrive(self, name: str, most: int) -> list[Moved]:
        url = await self._backend.queues.url(name)
        moved: list[Moved] = []
        others: list[Hand] = []
        try:
            while len(moved) < most:
                messages = await self._receive(url, min(RECEIVE_MAX, most - len(moved)), LOOKS_S)
                if not messages:
                    break
                moved += await self._back(url, messages, others)
        finally:
            with contextlib.suppress(PostroadError):
                await self._backend.batches.hide(url, others, [0] * len(others))
        return moved

    async def _back(self, url: str, messages: list[Received], others: list[Hand]) -> list[Moved]:
        going: dict[tuple[str, bool], list[tuple[Received, Outgoing]]] = {}
        for message in messages:
            target = message.tag.kept.get("dead", {}).get("of")
            if target is None:
                others.append(message.tag)
                continue
            key = message.header.get("k")
            copy = self._backend.outgoing(orjson.dumps(message.header), message.body)
            if key is not None:
                # SQS would take the id it had before for a repetition, and drop it.
                copy.entry |= ordered(key, message.tag.id)
            going.setdefault((target, key is not None), []).append((message, copy))
        moved: list[Moved] = []
        done: list[Hand] = []
        for (target, fifo), rows in going.items():
            await self._backend.store_all(target, [copy for _, copy in rows], fifo=fifo)
            for message, copy in rows:
                if copy.error is None:
                    done.append(message.tag)
                    moved.append(Moved(header=message.header, target=target, sequence=0))
                elif isinstance(copy.error, QueueNotFound):
                    others.append(message.tag)
                else:
                    raise copy.error
        await self._backend.batches.delete(url, done)
        return moved

    async def _receive(self, url: str, count: int, wait_s: int) -> list[Received]:
        hidden_s = self._backend.address.visibility_s
        until = asyncio.get_running_loop().time() + hidden_s
        return [received(raw, until, fifo=False) for raw in await receive(self._backend, url, count, wait_s, hidden_s)]
