"""Ack and publish as one: the ack's record holds what is to be published, and whoever sees that it counts publishes it.

The record is in the log of the message that is acked. If the message is still held when the record's turn comes, it is gone and the publishes
stand in the outbox, else neither. They are then written to where they go, and struck from the outbox; should a gateway die in between, another
does it. A queue takes nothing twice, as each message says where it was moved from; a stream may, after such a death.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import orjson

from ...errors import QueueFull, QueueNotFound
from ..engine import Json
from ..external import Received, Send
from .log import Log
from .record import INDEX_BITS, Batch, pack_send

if TYPE_CHECKING:
    from .backend import KafkaBackend

log = logging.getLogger("postroad.engine")


class Outbox:
    def __init__(self, backend: KafkaBackend) -> None:
        self._backend = backend
        self._under_way: set[tuple[str, int]] = set()

    async def finish(self, queue: Log, message: Received, sends: list[Send], *, again: bool) -> bool:
        """Ack ``message`` and publish ``sends``; returns whether it was still ours.

        Raises:
            Unavailable: it may have been done, or be done yet. QueueFull, QueueNotFound: nothing was done.
        """
        rows: list[Json] = []
        headers: list[bytes] = []
        bodies: list[bytes] = []
        for send in sends:
            for target in send.targets:
                await self._check_room(target.name, target.kind, target.settings.get("length_max"), len(send.headers))
                meta, some_headers, some_bodies = pack_send(send, target.only, None)
                rows.append({"to": target.name, "kind": target.kind, "n": len(some_headers), "meta": meta})
                headers += some_headers
                bodies += some_bodies
        outcome, offset = await queue.finish({"seq": message.sequence, "out": rows}, headers, bodies)
        if outcome.foreign or outcome.absent:
            return again and not outcome.foreign
        batch = queue.machine.outbox[offset][0]
        firsts = await self.forward(queue, batch)
        for send in sends:
            send.firsts, firsts = firsts[: len(send.targets)], firsts[len(send.targets) :]
        return True

    async def _check_room(self, name: str, kind: str, length_max: int | None, count: int) -> None:
        """What is taken out of the outbox is stored in any case; so it is refused before."""
        if kind == "stream":
            await self._backend.stream_of(name)
            return
        queue = await self._backend.log_of(name)
        if length_max is not None and len((await queue.caught_up()).entries) + count > length_max:
            raise QueueFull(f'"{name}" is full.', queue=name)

    async def forward(self, queue: Log, batch: Batch) -> list[int]:
        """Publish what a record of the outbox holds; returns where each row's first message is."""
        mark = (queue.topic, batch.offset)
        self._under_way.add(mark)
        try:
            firsts, at = [], 0
            for row in batch.meta["out"]:
                firsts.append(await self._forward(queue, batch, row, at))
                at += row["n"]
            await queue.ask("sent", at=batch.offset)
            return firsts
        finally:
            self._under_way.discard(mark)

    async def _forward(self, queue: Log, batch: Batch, row: Json, at: int) -> int:
        indexes = range(at, at + row["n"])
        headers = [orjson.dumps(batch.headers[index]) for index in indexes]
        bodies = [batch.body(index) for index in indexes]
        try:
            if row["kind"] == "stream":
                stream = await self._backend.stream_of(row["to"])
                send = Send(targets=[], prefix="", at=row["meta"]["t"], headers=headers, bodies=bodies, keys=row["meta"].get("k"))  # fmt: skip
                return (await stream.post(send, None))[0]
            target = await self._backend.log_of(row["to"])
            origins = [[queue.topic, batch.offset, index] for index in indexes]
            return (await target.post({**row["meta"], "o": origins}, headers, bodies))[1] << INDEX_BITS
        except QueueNotFound:
            log.warning('"%s" was deleted before an ack of %s could publish to it', row["to"], queue.name)
            return 0

    async def look_after(self, queue: Log) -> None:
        """Publish what dead gateways left, and what could not be published while Kafka was away."""
        for offset, (batch, owner) in list(queue.machine.outbox.items()):
            left = owner == self._backend.node or self._backend.is_dead(owner)
            if left and (queue.topic, offset) not in self._under_way:
                await self.forward(queue, batch)
