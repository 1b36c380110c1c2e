"""Definitions in one message of a durable queue: whoever holds it, unacked, may change it; the new one is confirmed before the old is acked.

A gateway that dies holding it gives it back. Should there ever be two (a gateway died between confirm and ack), they are merged: of each
definition the higher version wins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import orjson
from aiormq.abc import AbstractChannel
from pamqp.commands import Basic

from ...errors import Unavailable
from ..external import Definition

PATIENCE_S = 1.0
"""How long another gateway may hold the message before there is thought to be none."""

Definitions = dict[str, Definition]


class Keeper:
    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._lock = asyncio.Lock()

    async def change(
        self,
        channel: AbstractChannel,
        change: Callable[[Definitions], bool],
        prepare: Callable[[], Awaitable[None]] | None = None,
    ) -> Definitions:
        """Take the definitions, let ``change`` have them, keep them if it says that it changed them, and ``prepare`` has come to its end."""
        async with self._lock:
            tags, found = await self._take(channel)
            if not tags:
                tags, found = await self._take_patiently(channel)
            if change(found) or len(tags) != 1:
                if prepare is not None:
                    await prepare()
                await self._publish(channel, found)
                for tag in tags:
                    await channel.basic_ack(tag)
            else:
                await channel.basic_nack(tags[0], requeue=True)
            return found

    async def _take_patiently(self, channel: AbstractChannel) -> tuple[list[int], Definitions]:
        until = asyncio.get_running_loop().time() + PATIENCE_S
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
            tags, found = await self._take(channel)
            if tags:
                return tags, found
        return [], {}

    async def _take(self, channel: AbstractChannel) -> tuple[list[int], Definitions]:
        tags: list[int] = []
        found: Definitions = {}
        while True:
            got = await channel.basic_get(self._queue, no_ack=False)
            if not isinstance(got.delivery, Basic.GetOk) or got.delivery.delivery_tag is None:
                return tags, found
            tags.append(got.delivery.delivery_tag)
            for row in orjson.loads(got.body):
                definition = Definition(**row)
                known = found.get(definition.name)
                if known is None or known.version < definition.version:
                    found[definition.name] = definition

    async def _publish(self, channel: AbstractChannel, found: Definitions) -> None:
        rows = [{name: getattr(d, name) for name in d.__dataclass_fields__} for d in found.values()]
        confirm = await channel.basic_publish(
            orjson.dumps(rows), routing_key=self._queue, properties=Basic.Properties(delivery_mode=2)
        )
        if not isinstance(confirm, Basic.Ack):
            raise Unavailable("RabbitMQ did not take the definitions.")
