"""Messages of a group for this gateway: those of its queue, to which it copies what the stream has."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..external import FeedSink, Received
from .feed import RabbitFeed
from .group import OFFSET
from .streams import Copier

if TYPE_CHECKING:
    from .backend import RabbitBackend


class GroupFeed(RabbitFeed):
    """See ``external.Feed``. Sequences are offsets."""

    def __init__(self, backend: RabbitBackend, name: str, sink: FeedSink) -> None:
        super().__init__(backend, name, sink)
        self._copier: Copier | None = None

    def want(self, capacity: int) -> None:
        super().want(capacity)
        if capacity and self._copier is None:
            self._copier = Copier(self._backend, self.name)
        if self._copier is not None:
            self._copier.wake()

    async def _place(self) -> str:
        group = self._backend.streams.group(self.name)
        return group.queue(await group.look())

    def _sequence_of(self, headers: Mapping[str, object]) -> int:
        offset = headers.get(OFFSET)
        return offset if isinstance(offset, int) else 0

    async def take(self, most: int) -> list[Received]:
        if self._copier is not None and not self._buffer:
            self._copier.wake()
        return await super().take(most)

    def renew(self) -> None:
        """The group was reset: it has another queue. What is held of the new one by now comes again."""
        channel = self._channel
        self.lost()
        if channel is not None:
            self._closing = asyncio.ensure_future(self._close_channel(channel))
        self.go_on()

    async def close(self) -> None:
        if self._copier is not None:
            await self._copier.close()
        await super().close()
