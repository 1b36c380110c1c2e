"""A naive queue broker, in plain lists and dicts, that watches the core and believes nothing.

It is fed everything the core does, in order: records and effects. Each must be something that may happen now, by the rules of
docs/protocol.md; and what the model then holds must be what the core holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from postroad.broker.core.format.effect import Deliver, Effect, End, Progressed, Returned, Revoke
from postroad.broker.core.format.record import Define, Move, Pause, Publish, Record, Return, Settle, Undefine

WAITING = ("ready", "delayed", "retrying")


@dataclass
class Message:
    priority: int = 0
    key: str | None = None
    state: str = "ready"
    due: int = 0
    expires: int = 0
    attempts: int = 0
    was_delivered: bool = False


@dataclass
class Queue:
    name: str
    settings: dict[str, Any]
    is_dead_letter: bool
    log: list[Message] = field(default_factory=list)
    paused: bool = False

    def counts(self) -> dict[str, int]:
        states = [message.state for message in self.log]
        return {state: states.count(state) for state in sorted(set(states))}

    def may_go(self, sequence: int, at: int) -> bool:
        """Ready, not expired, and no earlier message of its key is still under way."""
        message = self.log[sequence]
        if message.state != "ready":
            return False
        key = message.key
        return key is None or not any(m.key == key and m.state in (*WAITING, "leased") for m in self.log[:sequence])


@dataclass
class Lease:
    queue: Queue
    sequence: int
    deadline: int


@dataclass
class Worker:
    queue: Queue
    prefetch: int
    lease_ms: int
    next_number: int = 1
    begun: int = 0
    reports_begun: bool = False
    is_silent: bool = False
    stalled: bool = False
    detached: bool = False
    ended: bool = False
    settled: set[int] = field(default_factory=set)

    def say_begun(self, number: int) -> None:
        self.begun = number if self.reports_begun else max(self.begun, min(number, self.next_number - 1))

    def tried(self, held: list[int]) -> int:
        """The highest number that counts when leases end: what it had begun, else the first; all, if it never said."""
        if not self.reports_begun and not self.begun:
            return self.next_number
        return max(self.begun, min(held, default=0))


class Model:
    def __init__(self) -> None:
        self.queues: dict[int, Queue] = {}
        self.workers: dict[int, Worker] = {}
        self.leases: dict[tuple[int, int], Lease] = {}
        self.at = 0
        # What the command being watched allows: numbers asked to be released, and to be dead at once.
        self.released: set[tuple[int, int]] = set()
        self.dead_wanted: set[tuple[int, int]] = set()
        self.untold: set[tuple[int, int]] = set()
        """Leases that a record has ended by an operator's decision: their holders are to be told within the same command."""

    def restarted(self) -> None:
        self.workers.clear()
        self.leases.clear()
        for queue in self.queues.values():
            for message in queue.log:
                if message.state == "leased":
                    message.state = "ready"

    def passed(self, at: int) -> None:
        """Time is ``at``: what waited for it is ready."""
        self.at = at
        for queue in self.queues.values():
            for message in queue.log:
                if message.state in ("delayed", "retrying") and message.due <= at:
                    message.state = "ready"

    def saw(self, step: Record | Effect, at: int) -> None:
        self.passed(at)
        handler = getattr(self, f"_{type(step).__name__.lower()}", None)
        if handler is not None:
            handler(step)

    def done(self) -> None:
        """The command is over."""
        assert not self.untold, "a holder was not told"

    # Records

    def _define(self, record: Define) -> None:
        if record.log in self.queues:
            self.queues[record.log].settings = record.settings
        else:
            self.queues[record.log] = Queue(
                record.name,
                record.settings,
                record.dead_letter_of is not None and record.settings["dead_letter"] is None,
            )

    def _undefine(self, record: Undefine) -> None:
        queue = self.queues.pop(record.log)
        self.workers = {id: worker for id, worker in self.workers.items() if worker.queue is not queue}
        self.leases = {key: lease for key, lease in self.leases.items() if lease.queue is not queue}

    def _pause(self, record: Pause) -> None:
        self.queues[record.log].paused = record.paused

    def _publish(self, record: Publish) -> None:
        for target in record.targets:
            queue = self.queues[target[0]]
            assert target[1] == len(queue.log), "sequences have no gaps"
            for index in range(len(record.sizes)) if target[2] is None else target[2]:
                delay = _one(record, "delay_ms", "delays_ms", index) or 0
                expire = _one(record, "expire_ms", "expires_ms", index) or queue.settings["expire_ms"] or 0
                queue.log.append(
                    Message(
                        priority=_one(record, "priority", "priorities", index) or 0,
                        key=_one(record, "key", "keys", index),
                        state="delayed" if delay else "ready",
                        due=self.at + delay if delay else 0,
                        expires=self.at + expire if expire else 0,
                    )
                )

    def _settle(self, record: Settle) -> None:
        queue = self.queues[record.log]
        for first, last, _ in record.runs:
            for sequence in range(first, last + 1):
                message = queue.log[sequence]
                if record.how in ("acked", "dead", "dropped"):
                    assert message.state == "leased", f"{sequence} was {record.how} while {message.state}"
                elif record.how in ("purged", "redriven"):
                    assert message.state in WAITING, f"{sequence} was {record.how} while {message.state}"
                elif record.how == "expired":
                    assert message.state in WAITING and 0 < message.expires <= self.at
                assert message.state in (*WAITING, "leased"), (
                    f"{sequence} was {record.how} after it was {message.state}"
                )
                if message.state == "leased":
                    if record.how == "cancelled":
                        number, id = self._holder(queue, sequence)
                        self.untold.add((id, number))
                    self._end_lease(queue, sequence)
                message.state = record.how

    def _return(self, record: Return) -> None:
        queue = self.queues[record.log]
        tried = self._tried()
        for sequence, attempts, due, priority, *_ in record.entries:
            message = queue.log[sequence]
            lease, id, number = self._failed(queue, sequence, attempts)
            worker = self.workers[id]
            assert priority == message.priority
            assert attempts < queue.settings["attempts_max"] or queue.is_dead_letter, "one attempt too many"
            if record.reason == "lease expired":
                assert lease.deadline <= self.at, f"{sequence} expired {lease.deadline - self.at} ms early"
                assert number <= tried[id], f"{sequence} was not begun, and counted"
                worker.is_silent = worker.reports_begun
            elif record.reason == "connection lost":
                assert number <= tried[id], f"{sequence} was not begun, and counted"
            message.attempts, message.due = attempts, due
            message.state = "retrying" if due else "ready"
            assert due == 0 or due > self.at

    def _move(self, record: Move) -> None:
        target, origin = self.queues[record.log], self.queues[record.origin]
        for sequence, _, _, _, former, attempts, _ in record.entries:
            assert sequence == len(target.log)
            if record.why == "dead":
                number, id = self._holder(origin, former)
                self._failed(origin, former, attempts, keep=True)
                asked = (id, number) in self.dead_wanted
                assert asked or attempts >= origin.settings["attempts_max"], f"{former} died with attempts left"
                assert not origin.is_dead_letter, "a dead-letter queue dead-lettered"
            moved = origin.log[former]
            expire = target.settings["expire_ms"]
            target.log.append(
                Message(priority=moved.priority, key=moved.key, expires=self.at + expire if expire else 0)
            )

    # Effects

    def _deliver(self, grant: Deliver) -> None:
        queue, worker = self.queues[grant.log], self.workers[grant.subscription]
        assert not (queue.paused or worker.detached or worker.ended or worker.stalled or worker.is_silent)
        assert grant.number == worker.next_number, "delivery numbers count up by one"
        worker.next_number += grant.count
        for offset in range(grant.count):
            sequence, number = grant.sequence + offset, grant.number + offset
            message = queue.log[sequence]
            assert message.state == "ready", f"{sequence} was delivered while {message.state}"
            assert not 0 < message.expires <= self.at, f"{sequence} was delivered after it had expired"
            assert queue.may_go(sequence, self.at), f"{sequence} overtook another of its key"
            better = [
                other
                for other, m in enumerate(queue.log)
                if m.state == "ready" and m.due < self.at and (-m.priority, other) < (-message.priority, sequence)
            ]
            overtaken = [other for other in better if queue.may_go(other, self.at)]
            assert not overtaken, f"{sequence} overtook {overtaken}"
            attempt = grant.attempts[offset] if grant.attempts else 1
            assert attempt == message.attempts + 1, f"attempt {attempt} after {message.attempts} counted ones"
            message.state, message.was_delivered = "leased", True
            self.leases[grant.subscription, number] = Lease(queue, sequence, self.at + worker.lease_ms)
        held = sum(1 for id, _ in self.leases if id == grant.subscription)
        assert held <= worker.prefetch, f"{held} held, prefetch {worker.prefetch}"

    def _returned(self, effect: Returned) -> None:
        queue = self.queues[effect.log]
        for sequence in range(effect.first, effect.last + 1):
            number, id = self._holder(queue, sequence)
            worker = self.workers[id]
            is_over = self.leases[id, number].deadline <= self.at and (worker.reports_begun or worker.begun)
            free = (worker.detached or worker.ended or is_over) and number > worker.begun
            worker.is_silent = worker.is_silent or (is_over and worker.reports_begun and not worker.detached)
            assert free or (id, number) in self.released, f"{sequence} came back for no reason"
            del self.leases[id, number]
            queue.log[sequence].state = "ready"

    def _revoke(self, effect: Revoke) -> None:
        for first, last in effect.numbers:
            for number in range(first, last + 1):
                assert (effect.subscription, number) in self.untold, "it was told of what it still holds"
                self.untold.remove((effect.subscription, number))

    def _end(self, effect: End) -> None:
        self.workers.pop(effect.subscription, None)

    def _progressed(self, effect: Progressed) -> None:
        queue = self.queues[effect.log]
        assert queue.log[effect.sequence].state == "leased"

    # Parts

    def _tried(self) -> dict[int, int]:
        return {id: w.tried([n for owner, n in self.leases if owner == id]) for id, w in self.workers.items()}

    def _holder(self, queue: Queue, sequence: int) -> tuple[int, int]:
        """``(number, worker)`` of the one lease there is on a message."""
        found = [key for key, lease in self.leases.items() if lease.queue is queue and lease.sequence == sequence]
        assert len(found) == 1, f"{sequence} has {len(found)} leases"
        return found[0][1], found[0][0]

    def _failed(self, queue: Queue, sequence: int, attempts: int, *, keep: bool = False) -> tuple[Lease, int, int]:
        number, id = self._holder(queue, sequence)
        message = queue.log[sequence]
        assert message.state == "leased", f"{sequence} failed while {message.state}"
        assert attempts == message.attempts + 1, f"{attempts} attempts after {message.attempts}"
        lease = self.leases[id, number]
        if not keep:
            del self.leases[id, number]
        return lease, id, number

    def _end_lease(self, queue: Queue, sequence: int) -> None:
        number, id = self._holder(queue, sequence)
        del self.leases[id, number]


def _one(record: Publish, scalar: str, column: str, index: int) -> Any:
    values = record.attributes.get(column)
    return values[index] if values is not None else record.attributes.get(scalar)
