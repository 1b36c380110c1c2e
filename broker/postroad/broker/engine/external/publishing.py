"""Publishes of clients: known frames are answered, capabilities checked, targets found, missing queues made."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from ...errors import InvalidRequest, OutcomeUnknown, PostroadError, QueueNotFound, Unavailable, Unroutable
from ...limits import LIMITS
from ...names import queue_name, topic_name
from ..bounds import check_batch
from ..engine import Confirm, Done, Json, PublishBatch
from .able import refusal
from .backend import Backend, Send, Target
from .chronicle import Chronicle
from .envelope import to_send
from .records import publish_record
from .registry import Registry
from .sender import Sender

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NEEDS = (
    ("delay", ("delay_ms", "delays_ms")), ("dedup", ("dedup_key", "dedup_keys")), ("priority", ("priority", "priorities")),
    ("ordering_key", ("key", "keys")), ("expiry", ("expire_ms", "expires_ms")),
)  # fmt: skip


class Publishing:
    """Args:
    make: Makes a queue or stream with default settings, unless there is one.
    is_serving: Whether publishes are taken.
    """

    def __init__(
        self, backend: Backend, registry: Registry, chronicle: Chronicle, node: str, *, tell: Callable[[Json], None],
        now: Callable[[], int], make: Callable[[str, str], Awaitable[object]], is_serving: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._backend = backend
        self._registry = registry
        self._chronicle = chronicle
        self._node = node
        self._tell = tell
        self._now = now
        self._make = make
        self._is_serving = is_serving
        self._numbers = itertools.count(1)
        self._sender = Sender(backend, tell, lambda: chronicle.position)
        self._declaring: dict[str, list[tuple[PublishBatch, Done[Confirm]]]] = {}
        self._frames: dict[tuple[str, int], list[Done[Confirm]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def idle(self) -> None:
        """Wait until what was published is answered."""
        await self._sender.close()

    def prefix(self) -> str:
        """What the ids of one frame share; never used twice."""
        number, text = next(self._numbers), ""
        while number:
            number, digit = divmod(number, 36)
            text = _DIGITS[digit] + text
        return f"{self._node}-{text}-"

    def publish(self, batch: PublishBatch, done: Done[Confirm]) -> None:
        if not self._is_serving():
            done(Unavailable("The broker is stopping."))
            return
        try:
            check_batch(batch, LIMITS)
            if batch.producer is not None:
                known = self._known_frame(batch, done)
                if known is None:
                    return
                done = known
            send = self.prepare(batch)
        except QueueNotFound as error:
            if batch.declare and batch.kind != "topic":
                self._declare_first(batch, done)
            else:
                done(error)
            return
        except PostroadError as error:
            done(error)
            return
        waiting = self._declaring.get(batch.queue)
        if waiting is not None:
            waiting.append((batch, done))
        elif send.targets:
            self._sender.send(send, done)
        else:
            self._unrouted(batch, send, done)

    def _known_frame(self, batch: PublishBatch, done: Done[Confirm]) -> Done[Confirm] | None:
        """Answer a frame that was stored before, or join one under way; else who is to be told of its outcome.

        Raises:
            OutcomeUnknown.
        """
        assert batch.producer is not None
        record, is_old = self._chronicle.frame(*batch.producer)
        if record is not None:
            duplicates = {int(index): id for index, id in record.get("u", {}).items()}
            prefix = record["i"][0][0] if record["i"] else ""
            done(
                Confirm(
                    position=self._chronicle.position, id_prefix=prefix, count=record["fc"], routed=len(record["p"]),
                    duplicates=duplicates or None, replayed=True,
                )
            )  # fmt: skip
            return None
        if is_old:
            raise OutcomeUnknown("The frame is older than what is remembered of its session.")
        waiting = self._frames.get(batch.producer)
        if waiting is not None:
            waiting.append(done)
            return None
        frame = batch.producer
        self._frames[frame] = [done]

        def finish(outcome: Confirm | PostroadError) -> None:
            for other in self._frames.pop(frame, ()):
                other(outcome)

        return finish

    def prepare(self, batch: PublishBatch) -> Send:
        """A batch ready to send, its targets found.

        Raises:
            QueueNotFound, InvalidRequest, Unsupported, Unroutable, Conflict.
        """
        attributes = batch.attributes
        for capability, names in _NEEDS if attributes else ():
            if getattr(self._backend.capabilities, capability) == "unsupported":
                for name in names:
                    if attributes.get(name) not in (None, 0) and attributes.get(name) != [None] * len(batch.sizes):
                        raise refusal(self._backend, capability, field=name)
        count = len(batch.sizes)
        if batch.kind == "topic":
            self._able("topics")
            topic = topic_name(batch.queue)
            routes = self._registry.route(topic, count, attributes.get("headers"))
            if not routes and batch.mandatory:
                raise Unroutable(f'No binding matches "{topic}".', topic=topic)
            send = to_send(batch, self.prefix(), self._now())
            send.topic = topic
            for name, only in routes:
                send.targets.append(self._target(name, "queue", "stream", only=only))
            return send
        name = queue_name(batch.queue)
        if batch.kind == "stream":
            self._able("streams")
        target = self._target(name, "stream" if batch.kind == "stream" else "queue")
        settings = self._registry.settings(name)
        send = to_send(batch, self.prefix(), self._now(), settings.expire_ms if settings else None)
        if target.kind == "stream" and (send.dues is not None or send.priorities is not None):
            raise InvalidRequest("A stream takes neither delay nor priority.", field="delay_ms")
        send.targets.append(target)
        return send

    def _target(self, name: str, *kinds: str, only: list[int] | None = None) -> Target:
        definition = self._registry.find(name, *kinds)
        if definition is None:
            raise QueueNotFound(f'There is no {kinds[0]} named "{name}".', queue=name)
        return Target(name=name, kind=definition.kind, only=only, settings=definition.settings)

    def _unrouted(self, batch: PublishBatch, send: Send, done: Done[Confirm]) -> None:
        self._tell(publish_record(send, [], None))
        done(Confirm(position=self._chronicle.position, id_prefix=send.prefix, count=len(batch.sizes), routed=0))

    def _declare_first(self, batch: PublishBatch, done: Done[Confirm]) -> None:
        waiting = self._declaring.setdefault(batch.queue, [])
        waiting.append((batch, done))
        if len(waiting) == 1:
            task = asyncio.get_running_loop().create_task(self._declare_and_publish(batch.queue, batch.kind))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _declare_and_publish(self, name: str, kind: str) -> None:
        error: PostroadError | None = None
        try:
            await self._make(name, kind)
        except PostroadError as refused:
            error = refused
        for batch, done in self._declaring.pop(name, []):
            if error is not None:
                done(error)
                continue
            try:
                self._sender.send(self.prepare(batch), done)
            except PostroadError as refused:
                done(refused)

    def _able(self, capability: str) -> None:
        if getattr(self._backend.capabilities, capability) == "unsupported":
            raise refusal(self._backend, capability)
