"""Messages on their way into queues and streams, many in flight, each until RabbitMQ has confirmed it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from aiormq import Channel
from aiormq.exceptions import PublishError
from pamqp.commands import Basic

from ...errors import Unavailable
from ..external import Bury, Received, Send, Sent
from .group import OFFSET
from .later import Later
from .link import header_text

if TYPE_CHECKING:
    from .backend import RabbitBackend


class Publisher:
    """Attributes:
    progress: How many messages were confirmed.
    """

    def __init__(self, backend: RabbitBackend) -> None:
        self.progress = 0
        self._backend = backend
        self._later = Later(backend.prefix)
        self._channel: Channel

    def opened(self, channel: Channel) -> None:
        """The connection is a new one."""
        self._channel = channel
        self._later.forget()

    async def send(self, sends: Sequence[Send]) -> list[Sent | Exception]:
        async with self._backend.link.use():
            await self._make_later(sends)
            await self._backend.streams.expect(sends)
            try:
                plans = [self._publishes(send) for send in sends]
                done = await asyncio.gather(*(one for plan in plans for one in plan), return_exceptions=True)
            except BaseException:
                for send in sends:
                    self._backend.streams.failed(send)
                raise
        results: list[Sent | Exception] = []
        at = 0
        for send, plan in zip(sends, plans, strict=True):
            failed = [outcome for outcome in done[at : at + len(plan)] if isinstance(outcome, BaseException)]
            at += len(plan)
            if failed:
                self._backend.streams.failed(send)
            results.append(self._error(failed[0]) if failed else Sent(firsts=[]))
        return results

    def _error(self, error: BaseException) -> Exception:
        told = self._backend.link.failure(error)
        return told if isinstance(told, Exception) else Unavailable("RabbitMQ cannot be reached now.")

    async def _make_later(self, sends: Sequence[Send]) -> None:
        """Delay queues are made first: the order of publishes must not depend on that."""
        for send in sends:
            for due in set(send.dues or ()):
                if due:
                    for target in send.targets:
                        await self._route(self._backend.queue_name(target.name), due)

    async def _route(self, queue: str, due: int) -> str:
        """The queue to publish to."""
        wait = due - int(time.time() * 1000) if due else 0
        if wait <= 0:
            return queue
        return await self._later.queue(
            self._backend.keeping, queue, queue.removeprefix(self._backend.queue_name("")), wait
        )

    def _publishes(self, send: Send) -> list[Coroutine[Any, Any, None]]:
        plan = []
        for target in send.targets:
            for index in range(len(send.headers)) if target.only is None else target.only:
                due = send.dues[index] if send.dues else 0
                priority = send.priorities[index] if send.priorities else None
                headers: dict[str, Any] = {"postroad": send.headers[index].decode()}
                if due:
                    headers["postroad-due"] = due
                properties = Basic.Properties(
                    delivery_mode=2, headers=headers, message_id=f"{send.prefix}{index}", priority=priority
                )
                queue = (
                    self._backend.stream_name(target.name)
                    if target.kind == "stream"
                    else self._backend.queue_name(target.name)
                )
                plan.append(self.publish(send.bodies[index], queue, properties, due))
        return plan

    async def publish(self, body: bytes, queue: str, properties: Basic.Properties, due: int = 0) -> None:
        """Publish, after its time, to a queue; until it is confirmed."""
        key = await self._route(queue, due) if due else queue
        try:
            confirm = await self._channel.basic_publish(
                body, routing_key=key, properties=properties, mandatory=True, wait=False
            )
        except PublishError as error:
            if queue.startswith(self._backend.stream_name("")):  # RabbitMQ has just started, and the stream has not yet
                raise Unavailable("The stream has no leader now.") from error
            raise
        if not isinstance(confirm, Basic.Ack):
            raise Unavailable("RabbitMQ refused a message.")
        self.progress += 1

    async def again(self, queue: str, message: Received, attempts: int, due: int) -> None:
        """Publish a message once more, to come back with so many attempts."""
        old: Basic.Properties = message.tag[2]
        headers: dict[str, Any] = {"postroad": header_text(old.headers, "postroad")}
        if attempts:
            headers["postroad-attempts"] = attempts
        if due:
            headers["postroad-due"] = due
        for name_kept in ("postroad-dead", OFFSET):
            if old.headers and name_kept in old.headers:
                headers[name_kept] = old.headers[name_kept]
        properties = Basic.Properties(
            delivery_mode=2, headers=headers, message_id=old.message_id, priority=old.priority
        )
        await self.publish(message.body, queue, properties, due)

    async def bury(self, bury: Bury) -> None:
        old: Basic.Properties = bury.message.tag[2]
        headers: dict[str, Any] = {
            "postroad": header_text(old.headers, "postroad"),
            "postroad-dead": orjson.dumps(bury.info).decode(),
        }
        if old.headers and OFFSET in old.headers:
            headers[OFFSET] = old.headers[OFFSET]
        properties = Basic.Properties(delivery_mode=2, headers=headers, message_id=old.message_id)
        await self.publish(bury.message.body, self._backend.queue_name(bury.target), properties)
