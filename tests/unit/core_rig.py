"""The core to drive in tests: commands in, and what each consumer got, by plain lists."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from postroad.broker.core.durable import snapshot
from postroad.broker.core.durable.queue import Queue
from postroad.broker.core.durable.state import State
from postroad.broker.core.format import command as c
from postroad.broker.core.format.codec import decode, encode
from postroad.broker.core.format.effect import Deliver, Effect
from postroad.broker.core.format.record import Record
from postroad.broker.core.machine import Machine
from postroad.broker.limits import Limits

START_MS = 1_700_000_000_000


class Core:
    """Attributes:
    at: The time, milliseconds; moves by ``wait`` only.
    starts_with: Further fields of the next ``Start``.
    journal: ``(position, header bytes)`` of everything so far.
    records: The same as records. ``effects``: everything so far.
    got: Subscription → delivery number → sequence.
    attempts: (subscription, number) → attempt.
    """

    def __init__(self, limits: Limits | None = None, *, at: int = START_MS) -> None:
        self.limits = limits
        self.at = at
        self.epoch = 0
        self.starts_with: dict[str, Any] = {}
        self.journal: list[tuple[int, bytes]] = []
        self.records: list[Record] = []
        self.effects: list[Effect] = []
        self.got: dict[int, dict[int, int]] = {}
        self.attempts: dict[tuple[int, int], int] = {}
        self.machine = Machine(limits)
        self.start()

    def start(self) -> None:
        self.epoch += 1
        self.run(c.Start(epoch=self.epoch, **self.starts_with))

    def restart(self, *, from_snapshot: bool = False) -> None:
        """As a crash and a recovery: the journal, or a snapshot, is all that is left."""
        state = (
            snapshot.restore(snapshot.take(self.machine.state, self.machine.leased_runs())[1])
            if from_snapshot
            else self.replayed()
        )
        self.machine = Machine(self.limits)
        self.machine.state = state
        self.got, self.attempts = {}, {}
        self.start()

    def replayed(self, upto: int | None = None) -> State:
        state = State()
        for position, header in self.journal[:upto]:
            state.apply(decode(header), position)
        return state

    def run(self, command: object) -> Any:
        reply = self.machine.handle(command, self.at)
        self.collect()
        return reply

    def collect(self) -> None:
        records, effects = self.machine.take()
        for position, record in records:
            self.journal.append((position, encode(record)))
            self.records.append(record)
        for effect in effects:
            self.effects.append(effect)
            if isinstance(effect, Deliver):
                for offset in range(effect.count):
                    number = effect.number + offset
                    self.got.setdefault(effect.subscription, {})[number] = effect.sequence + offset
                    attempt = effect.attempts[offset] if effect.attempts else 1
                    self.attempts[effect.subscription, number] = attempt

    def wait(self, ms: int) -> None:
        """Let time pass, ticking whenever the core wants it."""
        end = self.at + ms
        while (due := self.machine.next_due()) is not None and due <= end:
            self.at = max(self.at, due)
            self.run(c.Tick())
        self.at = end
        self.run(c.Tick())

    def declare(self, queue: str = "q", **settings: object) -> bool:
        return bool(self.run(c.Declare(queue=queue, settings=settings)))

    def publish(self, count: int = 1, queue: str = "q", *, size: int = 10, **attributes: Any) -> c.Published:
        """To a queue; with ``kind`` to a stream or topic."""
        others = ("producer", "digests", "kind", "mandatory", "declare", "sizes")
        more: dict[str, Any] = {name: attributes.pop(name) for name in others if name in attributes}
        more.setdefault("sizes", [size] * count)
        reply: c.Published = self.run(c.PublishMessages(queue=queue, attributes=attributes, **more))
        return reply

    def stream(self, name: str = "s", **settings: object) -> bool:
        return bool(self.run(c.DeclareStream(stream=name, settings=settings)))

    def group(self, name: str = "g", stream: str = "s", start: Any = "latest", **settings: object) -> bool:
        """A group of the stream; as a queue it is ``<stream>/<name>``."""
        return bool(self.run(c.DeclareGroup(stream=stream, group=name, settings=settings, start=start)))

    def append(self, count: int = 1, stream: str = "s", **more: Any) -> c.Published:
        return self.publish(count, stream, kind="stream", **more)

    def bind(self, pattern: str, target: str, headers: object = None, *, on: bool = True) -> bool:
        return bool(self.run(c.BindTopic(pattern=pattern, target=target, headers=headers, on=on)))

    def consume(self, queue: str = "q", prefetch: int = 100, **more: Any) -> int:
        return self.consuming(queue, prefetch, **more).subscription

    def consuming(self, queue: str = "q", prefetch: int = 100, **more: Any) -> c.Consuming:
        more.setdefault("consumer", "worker")
        reply: c.Consuming = self.run(c.Consume(queue=queue, prefetch=prefetch, **more))
        self.got.setdefault(reply.subscription, {})
        return reply

    def all_steps(self, command: Any) -> int:
        """A long operation from its first step to its last; returns how many messages it moved or settled."""
        count, following = 0, command.first
        while following is not None:
            reply: c.Stepped = self.run(replace(command, first=following))
            count, following = count + reply.count, reply.next
        return count

    def settle(self, subscription: int, **parts: Any) -> c.SettleReply:
        reply: c.SettleReply = self.run(c.SettleDeliveries(subscription=subscription, **parts))
        return reply

    def ack(self, subscription: int, *numbers: int) -> c.SettleReply:
        return self.settle(subscription, acks=[(number, number) for number in numbers])

    def nack(self, subscription: int, first: int, last: int | None = None, **more: Any) -> c.SettleReply:
        return self.settle(subscription, nacks=[c.NackRange(first=first, last=last or first, **more)])

    def queue(self, name: str = "q") -> Queue:
        return self.machine.state.queues[name]

    def sequences(self, subscription: int) -> list[int]:
        """What this subscription was given, in order."""
        return list(self.got.get(subscription, {}).values())

    def counts(self, name: str = "q") -> dict[str, int]:
        """Where this queue's messages are, and where they went, without what is nil."""
        queue, live = self.queue(name), self.machine.runtime_of(self.queue(name))
        group = queue.group
        now = {
            "ready": group.ready_count + group.order.parked.count,
            "delayed": group.delayed.count,
            "retrying": group.retrying.count,
            "leased": live.leased,
        }
        return {name: count for name, count in (now | queue.totals).items() if count and name != "published"}

    def kinds(self) -> list[str]:
        return [type(record).__name__ for record in self.records]


def kill_worker(core: Core, subscription: int) -> None:
    """Its connection is lost, and nobody comes back in time."""
    core.run(c.Detach(subscription=subscription))
    core.wait(500)
