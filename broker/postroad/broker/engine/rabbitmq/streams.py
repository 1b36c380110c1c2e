"""The streams and groups of a backend."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aiormq.exceptions import ChannelPreconditionFailed

from ...errors import PostroadError, Unsupported
from ..external import Counts, Definition, Extent, Received, Send
from .group import Group
from .stream import ARGUMENTS, Stream, mark

if TYPE_CHECKING:
    from .backend import RabbitBackend

log = logging.getLogger("postroad.engine")

RETRY_S = 0.2


class Streams:
    """Everything here is done within ``Link.use``."""

    def __init__(self, backend: RabbitBackend) -> None:
        self._backend = backend
        self._streams: dict[str, Stream] = {}
        self._groups: dict[str, Group] = {}

    def forget(self) -> None:
        """The connection is another one."""
        self._streams.clear()
        self._groups.clear()

    def stream(self, name: str) -> Stream:
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = Stream(self._backend, name)
        return found

    def group(self, name: str) -> Group:
        found = self._groups.get(name)
        if found is None:
            found = self._groups[name] = Group(self._backend, name)
        return found

    def drop(self, name: str) -> None:
        """A stream or group was deleted, here or by another gateway."""
        self._streams.pop(name, None)
        for group in [group for group in self._groups if group == name or group.startswith(name + "/")]:
            del self._groups[group]

    async def make(self, name: str) -> None:
        """A stream anew: there is no definition of that name, so nothing that anybody knows of is lost."""
        channel, queue = await self._backend.link.channel(confirms=True), self._backend.stream_name(name)
        try:
            await channel.queue_delete(queue)
            await channel.queue_declare(queue, durable=True, arguments={**ARGUMENTS})
            await channel.basic_publish(b"", routing_key=queue, properties=mark(), mandatory=True)
        except ChannelPreconditionFailed as error:
            raise Unsupported("This RabbitMQ makes no streams.", capability="streams") from error
        finally:
            if not channel.is_closed:
                await channel.close()

    async def erase(self, definition: Definition) -> None:
        if definition.kind == "group":
            group = self._groups.pop(definition.name, None) or Group(self._backend, definition.name)
            await group.erase()
        else:
            self._streams.pop(definition.name, None)
            await self._backend.delete_queue(self._backend.stream_name(definition.name))

    async def expect(self, sends: Sequence[Send]) -> None:
        """These will be published: until they have been read again, the ends of their streams are not known."""
        for send in sends:
            for target in send.targets:
                if target.kind == "stream":
                    await self.stream(target.name).follow()
                    self.stream(target.name).expect(_last_id(send, target.only))

    def failed(self, send: Send) -> None:
        for target in send.targets:
            if target.kind == "stream":
                self.stream(target.name).forget(_last_id(send, target.only))

    async def extent(self, name: str) -> Extent:
        return await self.stream(name).extent()

    async def read(self, name: str, offset: int, limit: int) -> list[Received]:
        return await self.stream(name).read(offset, limit)

    async def counts(self, definition: Definition) -> Counts:
        group = self.group(definition.name)
        cursor, stream = await group.look(), self.stream(definition.name.partition("/")[0])
        await stream.follow()
        ready = await self._backend.ready(group.queue(cursor))
        return Counts(ready=ready + max(stream.next - cursor.next, 0))

    async def purge(self, definition: Definition) -> int:
        group = self.group(definition.name)
        end = (await self.extent(definition.name.partition("/")[0])).next
        return await group.skip(end) + await self._backend.purge_queue(group.queue(await group.look()))


def _last_id(send: Send, only: list[int] | None) -> str:
    return f"{send.prefix}{len(send.headers) - 1 if only is None else only[-1]}"


class Copier:
    """Copies to a group's queue as long as this gateway consumes from it."""

    def __init__(self, backend: RabbitBackend, name: str) -> None:
        self._backend = backend
        self._name = name
        self._event = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"postroad copy {name}")

    def wake(self) -> None:
        self._event.set()

    async def _run(self) -> None:
        while True:
            await self._event.wait()
            self._event.clear()
            try:
                async with self._backend.link.use():
                    stream = self._backend.streams.stream(self._name.partition("/")[0])
                    stream.watchers.add(self.wake)
                    await stream.follow()
                    while await self._backend.streams.group(self._name).copy():
                        pass
            except PostroadError:
                await asyncio.sleep(RETRY_S)
                self._event.set()
            except Exception:
                log.exception("copying to %s failed", self._name)
                await asyncio.sleep(1)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
