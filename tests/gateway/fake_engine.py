"""An engine in memory, as small as the gateway's tests allow: it keeps promises of order and shape, not of durability."""

from __future__ import annotations

import asyncio
import itertools
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import orjson
from postroad.broker.engine.engine import (
    Capabilities,
    Confirm,
    ConsumerSink,
    ConsumeSpec,
    DeliveryBatch,
    Done,
    Json,
    PublishBatch,
    Run,
    SettleBatch,
    Settled,
    WatchSink,
    WatchSpec,
)
from postroad.broker.errors import Conflict, InvalidState, MessageNotFound, PostroadError, QueueNotFound
from postroad.broker.settings import QueueSettings

NOW = 1_790_000_000_000


@dataclass
class FakeMessage:
    id: str
    queue: str
    sequence: int
    body: bytes
    type: str
    attributes: dict[str, Any]
    attempt: int = 1
    state: str = "queued"
    reason: str | None = None
    progress: Any = None
    logs: list[Json] = field(default_factory=list)
    result: Any = None

    def to_json(self, *, body: bool = True) -> Json:
        shown: Any = b64encode(self.body).decode()
        if self.type == "json":
            shown = orjson.loads(self.body)
        elif self.type == "text":
            shown = self.body.decode()
        return {
            "id": self.id, "queue": self.queue, "sequence": self.sequence, "state": self.state, "type": self.type,
            "size": len(self.body), "published_at": NOW, "attempts": self.attempt - 1, "attempts_max": 5,
            "headers": self.attributes.get("headers"), "key": self.attributes.get("key"), "progress": self.progress,
            "result": self.result, "reason": self.reason, "timeline": [{"at": NOW, "kind": "published"}],
        } | ({"body": shown} if body else {})  # fmt: skip


@dataclass
class FakeQueue:
    name: str
    settings: QueueSettings = field(default_factory=QueueSettings)
    ready: deque[FakeMessage] = field(default_factory=deque)
    dead: list[FakeMessage] = field(default_factory=list)
    consumers: list[FakeSubscription] = field(default_factory=list)
    paused: bool = False
    sequence: int = 0
    published: int = 0
    acked: int = 0

    def stats(self) -> Json:
        leased = sum(len(consumer.leased) for consumer in self.consumers)
        return {
            "name": self.name, "ready": len(self.ready), "delayed": 0, "retrying": 0, "leased": leased,
            "consumers": len(self.consumers), "paused": self.paused, "published_total": self.published,
            "acked_total": self.acked, "dead_total": len(self.dead), "rate_published": 0.0, "rate_acked": 0.0,
            "oldest_ms": None, "bytes": sum(len(message.body) for message in self.ready),
        }  # fmt: skip


class FakeSubscription:
    def __init__(self, engine: FakeEngine, queue: FakeQueue, spec: ConsumeSpec, sink: ConsumerSink) -> None:
        self.engine, self.queue, self.spec, self.sink = engine, queue, spec, sink
        self.token = f"s1-{next(engine.tokens)}"
        self.lease_ms = spec.lease_ms or queue.settings.lease_ms
        self.position = engine.position
        self.lost: list[tuple[int, int]] = [(number, number + count - 1) for number, count, _ in spec.held]
        self.leased: dict[int, FakeMessage] = {}
        self.settled: set[int] = set()
        self.limit = spec.prefetch
        self.next_number = 1
        self.paused = False
        self.begun = 0
        self.is_detached = False

    def prefetch(self, count: int) -> None:
        self.limit = count
        self.engine.wake(self.queue)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self.engine.wake(self.queue)

    def settle(self, batch: SettleBatch, done: Done[Settled]) -> None:
        outcome = Settled(position=self.engine.step())
        self.begun = max(self.begun, batch.begun or 0)
        for line in batch.log:
            if (said := self.leased.get(line.number)) is not None:
                said.logs.append({"n": len(said.logs) + 1, "level": line.level, "text": line.text})
        for number in _numbers(batch.acks):
            if message := self._take(number, outcome):
                message.state = "done"
                self.queue.acked += 1
        for completion in batch.completions:
            if message := self._take(completion.number, outcome):
                message.state, message.result = "done", orjson.loads(completion.result or b"null")
                for publish in completion.publishes:
                    self.engine.store_batch(publish)
        for number in _numbers(batch.releases):
            if message := self._take(number, outcome):
                self.engine.give_back(message)
        for nack in batch.nacks:
            for number in range(nack.first, nack.last + 1):
                if message := self._take(number, outcome):
                    message.reason = nack.reason
                    if nack.dead:
                        message.state = "dead"
                        self.queue.dead.append(message)
                    else:
                        message.attempt += 1
                        self.engine.give_back(message)
        for number in _numbers(batch.extends):
            self._know(number, outcome)
        for progress in batch.progress:
            if self._know(progress.number, outcome):
                self.leased[progress.number].progress = {"percent": progress.percent, "note": progress.note}
        self.engine.later(done, outcome)
        self.engine.wake(self.queue)

    def cancel(self) -> None:
        self._leave(lambda number: number > self.begun)

    def detach(self) -> None:
        self.is_detached = True
        self._leave(lambda number: True)

    def _leave(self, returns: Any) -> None:
        if self in self.queue.consumers:
            self.queue.consumers.remove(self)
        for number in [number for number in self.leased if returns(number)]:
            self.engine.give_back(self.leased.pop(number))
        self.engine.wake(self.queue)

    def _know(self, number: int, outcome: Settled) -> bool:
        if number not in self.leased:
            (outcome.settled if number in self.settled else outcome.lost).append((number, number))
        return number in self.leased

    def _take(self, number: int, outcome: Settled) -> FakeMessage | None:
        if not self._know(number, outcome):
            return None
        self.settled.add(number)
        return self.leased.pop(number)

    def grant(self) -> None:
        room = self.limit - len(self.leased)
        if self.paused or self.queue.paused or room <= 0 or not self.queue.ready:
            return
        messages = [self.queue.ready.popleft() for _ in range(min(room, len(self.queue.ready)))]
        attributes: dict[str, Any] = {}
        if any(message.type != "json" for message in messages):
            attributes["types"] = [message.type for message in messages]
        if any(message.attempt > 1 for message in messages):
            attributes["attempts"] = [message.attempt for message in messages]
        for scalar, column in (("headers", "headers"), ("key", "keys"), ("priority", "priorities")):
            if any(scalar in message.attributes for message in messages):
                attributes[column] = [message.attributes.get(scalar) for message in messages]
        runs = []
        for message in messages:
            message.state = "delivered"
            self.leased[self.next_number + len(runs)] = message
            prefix, dash, index = message.id.rpartition("-")
            runs.append(
                Run(sequence=message.sequence, count=1, id_prefix=prefix + dash, index=int(index), published_at=NOW)
            )
        number, self.next_number = self.next_number, self.next_number + len(messages)
        self.sink.deliver(
            DeliveryBatch(
                number=number,
                runs=runs,
                sizes=[len(message.body) for message in messages],
                bodies=[message.body for message in messages],
                attributes=attributes,
            )
        )


class FakeWatch:
    def __init__(self, engine: FakeEngine, spec: WatchSpec, sink: WatchSink) -> None:
        self.engine, self.spec, self.sink = engine, spec, sink
        self.position = engine.position
        self.snapshot = engine.snapshot(spec)
        self.is_paused = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def cancel(self) -> None:
        if self in self.engine.watches:
            self.engine.watches.remove(self)


class FakeEngine:
    """Attributes:
    fail_next: Raised or passed to ``done`` by the next call.
    hold: While true, publishes are not confirmed.
    """

    name = "fake"
    durability = "memory"
    store = "fake-store"
    epoch = 1

    def __init__(self) -> None:
        self.capabilities = Capabilities(**{item.name: "native" for item in fields(Capabilities)})
        self.reasons: dict[str, str] = {}
        self.queues: dict[str, FakeQueue] = {}
        self.messages: dict[str, FakeMessage] = {}
        self.watches: list[FakeWatch] = []
        self.history: list[Json] = []
        self.sessions: dict[str, dict[int, Confirm]] = {}
        self.open_sessions: list[str] = []
        self.tokens = itertools.count(1)
        self.fail_next: BaseException | None = None
        self.healthy = True
        self.on_failure: Callable[[], None] | None = None
        self.hold = False
        self.held: list[tuple[Any, Any]] = []
        self.position = 0
        self.closed_with: int | None = None
        self.operations: dict[str, Json] = {}
        """Those that go on, as they are listed, by id."""

    @property
    def unready(self) -> str | None:
        return None if self.healthy else "It does not serve."

    async def start(self) -> None:
        pass

    async def close(self, drain_ms: int = 0) -> None:
        self.closed_with = drain_ms

    def session_opened(self, session: str) -> int:
        self.open_sessions.append(session)
        return max(self.sessions.setdefault(session, {}), default=0)

    def session_closed(self, session: str) -> None:
        self.open_sessions.remove(session)

    async def declare(self, queue: str, settings: Mapping[str, object], *, update: bool = False) -> Json:
        self._fail()
        await asyncio.sleep(0)
        known = self.queues.get(queue)
        wanted = (known.settings if known else QueueSettings()).changed(settings)
        if known is None:
            self.queues[queue] = FakeQueue(queue, wanted)
            self.tell("declared", queue)
        elif known.settings != wanted:
            if not update:
                raise Conflict("Declared before with other settings.")
            known.settings = wanted
        return {"created": known is None, "position": self.step()}

    async def delete(self, queue: str) -> Json:
        found = self.queues.pop(self.find(queue).name)
        for consumer in found.consumers:
            consumer.sink.ended(QueueNotFound("The queue was deleted."))
        self.tell("deleted", queue)
        return {"position": self.step()}

    def settings_of(self, queue: str) -> QueueSettings | None:
        return self.queues[queue].settings if queue in self.queues else None

    def publish(self, batch: PublishBatch, done: Done[Confirm]) -> None:
        try:
            self._fail()
            if batch.producer and (known := self.sessions[batch.producer[0]].get(batch.producer[1])):
                outcome: Confirm | PostroadError = Confirm(
                    position=known.position, id_prefix=known.id_prefix, count=known.count, replayed=True
                )
            else:
                outcome = self.store_batch(batch)
                if batch.producer:
                    self.sessions[batch.producer[0]][batch.producer[1]] = outcome
        except PostroadError as error:
            outcome = error
        if self.hold:
            self.held.append((done, outcome))
        else:
            self.later(done, outcome)

    def release(self) -> None:
        self.hold = False
        for done, outcome in self.held:
            done(outcome)
        self.held.clear()

    def store_batch(self, batch: PublishBatch) -> Confirm:
        if batch.queue not in self.queues:
            if not batch.declare:
                raise QueueNotFound(f'There is no queue named "{batch.queue}".')
            self.queues[batch.queue] = FakeQueue(batch.queue)
        queue = self.queues[batch.queue]
        position = self.step()
        prefix = f"1-p{position}-"
        view, start = memoryview(batch.bodies), 0
        for index, size in enumerate(batch.sizes):
            body = bytes(view[start : start + size])
            start += size
            attributes = {
                scalar: value
                for scalar, column in (("headers", "headers"), ("key", "keys"), ("priority", "priorities"))
                if (value := _entry(batch.attributes, scalar, column, index)) is not None
            }
            kind = _entry(batch.attributes, "type", "types", index) or "json"
            message = FakeMessage(f"{prefix}{index}", batch.queue, queue.sequence, body, kind, attributes)
            queue.sequence += 1
            queue.ready.append(message)
            self.messages[message.id] = message
        queue.published += len(batch.sizes)
        ids = [f"{prefix}{index}" for index in range(len(batch.sizes))][:20]
        self.tell("published", batch.queue, count=len(batch.sizes), ids=ids)
        self.wake(queue)
        return Confirm(position=position, id_prefix=prefix, count=len(batch.sizes))

    async def consume(self, spec: ConsumeSpec, sink: ConsumerSink) -> FakeSubscription:
        self._fail()
        await asyncio.sleep(0)
        if spec.queue not in self.queues and spec.declare:
            self.queues[spec.queue] = FakeQueue(spec.queue)
        queue = self.find(spec.queue)
        subscription = FakeSubscription(self, queue, spec, sink)
        queue.consumers.append(subscription)
        self.wake(queue)
        return subscription

    async def watch(self, spec: WatchSpec, sink: WatchSink) -> FakeWatch:
        self._fail()
        watch = FakeWatch(self, spec, sink)
        self.watches.append(watch)
        events = [event for event in self.history if spec.queue in (None, event["queue"])]
        if spec.from_position is not None:
            sink.events([event for event in events if event["position"] > spec.from_position], None)
        elif spec.last:
            sink.events(events[-spec.last :], None)
        sink.state(watch.snapshot)
        return watch

    async def query(self, what: str, args: Mapping[str, Any]) -> Json:
        self._fail()
        await asyncio.sleep(0)
        answer: Json = {"position": self.position}
        if what in ("overview", "queues"):
            answer["queues"] = [queue.stats() for queue in self.queues.values()]
        elif what == "queue":
            queue = self.find(args["queue"])
            answer |= {"queue": queue.stats(), "settings": queue.settings.to_json(), "consumers": []}
        elif what == "messages":
            queue = self.find(args["queue"])
            messages = list(queue.dead if args["state"] == "dead" else queue.ready)
            messages = [message for message in messages if message.sequence > args.get("after", -1)][: args["limit"]]
            answer |= {"messages": [message.to_json() for message in messages], "next": None}
        elif what == "operations":
            answer["operations"] = list(self.operations.values())
        elif what == "logs":
            answer["logs"] = self._message(args["message"]).logs
        elif what == "message":
            answer["message"] = self._message(args["message"]).to_json()
        else:
            answer["events"] = [event for event in self.history if args.get("queue") in (None, event["queue"])][
                -args["last"] :
            ]
        return answer

    async def operate(self, do: str, args: Mapping[str, Any]) -> Json:
        self._fail()
        answer: Json = {"position": self.step()}
        if do == "cancel":
            message = self._message(args["message"])
            if message.state == "done":
                raise InvalidState("It is done already.")
            message.state = "cancelled"
            return answer | {"state": "cancelled"}
        if do == "stop":
            if self.operations.pop(args["operation"], None) is None:
                raise InvalidState("It has ended.")
            return answer | {"stopped": True}
        queue = self.find(args["queue"])
        if do in ("pause", "resume"):
            queue.paused = do == "pause"
            self.wake(queue)
            return answer | {"paused": queue.paused}
        if do == "purge":
            count = len(queue.ready)
            queue.ready.clear()
        else:
            count = len(queue.dead)
            if do == "redrive":
                for message in queue.dead:
                    self.give_back(message)
            queue.dead.clear()
            self.wake(queue)
        return answer | {"count": count}

    # Used by the parts above and by tests

    def step(self) -> int:
        self.position += 1
        return self.position

    def find(self, queue: str) -> FakeQueue:
        if queue not in self.queues:
            raise QueueNotFound(f'There is no queue named "{queue}".')
        return self.queues[queue]

    def find_or_make(self, queue: str) -> FakeQueue:
        return self.queues.setdefault(queue, FakeQueue(queue))

    def give_back(self, message: FakeMessage) -> None:
        message.state = "queued"
        self.queues[message.queue].ready.appendleft(message)

    def wake(self, queue: FakeQueue) -> None:
        asyncio.get_running_loop().call_soon(lambda: [consumer.grant() for consumer in list(queue.consumers)])

    def later(self, done: Any, outcome: Any) -> None:
        asyncio.get_running_loop().call_soon(done, outcome)

    def tell(self, kind: str, queue: str, **more: Any) -> None:
        event = {"position": self.position, "at": NOW, "kind": kind, "queue": queue, **more}
        self.history.append(event)
        events = [event]
        for watch in list(self.watches):
            if watch.spec.message is None and watch.spec.queue in (None, queue):
                watch.sink.events(events, None)

    def tell_state(self) -> None:
        for watch in list(self.watches):
            watch.sink.state(self.snapshot(watch.spec))

    def snapshot(self, spec: WatchSpec) -> Json:
        if spec.message is not None:
            return {"message": self._message(spec.message).to_json()}
        if spec.queue is not None:
            return {"queue": self.find(spec.queue).stats()}
        return {"queues": [queue.stats() for queue in self.queues.values()]}

    def _message(self, message_id: str) -> FakeMessage:
        if message_id not in self.messages:
            raise MessageNotFound("There is no message with that id.")
        return self.messages[message_id]

    def _fail(self) -> None:
        error, self.fail_next = self.fail_next, None
        if error is not None:
            raise error


def _numbers(ranges: Sequence[tuple[int, int]]) -> list[int]:
    return [number for first, last in ranges for number in range(first, last + 1)]


def _entry(attributes: Mapping[str, Any], scalar: str, column: str, index: int) -> Any:
    value = attributes.get(column)
    if type(value) is list:
        return value[index]
    return attributes.get(scalar)
