"""The whole core beside the model, driven by Hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import core_rig
from core_rig import START_MS, Core
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from model import WAITING, Lease, Model, Worker
from postroad.broker.core.durable import snapshot
from postroad.broker.core.durable.state import State
from postroad.broker.core.format import command as c
from postroad.broker.core.format.effect import Deliver, Effect
from postroad.broker.core.format.record import Record
from postroad.broker.core.machine import Machine
from postroad.broker.errors import InvalidState, LeaseLost, MessageNotFound, OutcomeUnknown, QueueFull

NAMES = ("a", "b", "a.dead")
GRAIN_MS = 20


class WatchedCore(Core):
    """A core whose every record and effect is shown to the model, in the order in which they were made."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.shadow = State()
        super().__init__()

    def start(self) -> None:
        machine, commit = self.machine, self.machine.commit
        trace = self.trace = _Trace()

        def watched(record: Record) -> int:
            trace.steps.append(record)
            return commit(record)

        machine.commit = watched  # type: ignore[method-assign]
        super().start()

    def run(self, command: object, then: Callable[[Any], None] | None = None) -> Any:
        self.machine.effects = self.trace.effects = _Effects(self.trace)
        reply = self.machine.handle(command, self.at)
        if then is not None:
            then(reply)
        for step in self.trace.steps:
            self.model.saw(step, self.machine.now)
        self.model.done()
        self.trace.steps.clear()
        self.model.passed(self.machine.now)
        before = len(self.journal)
        self.collect()
        for position, header in self.journal[before:]:
            self.shadow.apply(core_rig.decode(header), position)
        return reply


class _Trace:
    def __init__(self) -> None:
        self.steps: list[Record | Effect] = []
        self.effects: list[Effect] = []


class _Effects(list[Effect]):
    def __init__(self, trace: _Trace) -> None:
        super().__init__()
        self._trace = trace

    def append(self, effect: Effect) -> None:
        super().append(effect)
        self._trace.steps.append(effect)


def durable(machine: Machine, at: int) -> bytes:
    """What a core would begin with after a restart, as bytes: what is due at ``at`` is the same as ready, moved or not."""
    data = snapshot.take(machine.state, machine.leased_runs())[1]
    dues = [queue.group.next_due() for queue in machine.state.logs.values()]
    return settled(snapshot.restore(data), at) if any(due is not None and due <= at for due in dues) else data


def settled(state: State, at: int) -> bytes:
    for queue in state.logs.values():
        queue.group.come_due(at)
    return snapshot.take(state, {})[1]


def sequences(rows: Iterable[tuple[int, ...]]) -> list[int]:
    return [s for first, last, *_ in rows for s in range(first, last + 1)]


def counted(attempts: Iterable[tuple[int, ...]]) -> dict[int, int]:
    return {s: count for first, last, count in attempts for s in range(first, last + 1)}


queues = st.sampled_from(NAMES)
few = st.integers(1, 4)
numbers = st.integers(0, 30)
delays = st.sampled_from([0, 1, 300, 1000, 2500])


class QueueMachine(RuleBasedStateMachine):
    workers = Bundle("workers")
    lost = Bundle("lost")

    @initialize(
        target=workers, length_max=st.sampled_from([None, None, 9]), expire_ms=st.sampled_from([None, None, 1500])
    )
    def begin(self, length_max: int | None, expire_ms: int | None = None) -> Any:
        self.model = Model()
        self.core = WatchedCore(self.model)
        self.frames: dict[int, c.Published] = {}
        self.snapshots: list[tuple[int, bytes]] = []
        self.tokens: dict[int, str] = {}
        self.core.declare("a", lease_ms=2000, attempts_max=3, backoff_ms=700)
        self.core.declare("b", lease_ms=1000, attempts_max=2, backoff_ms=0, length_max=length_max, expire_ms=expire_ms)
        start = [
            c.Consume(queue=queue, consumer="w", prefetch=prefetch)
            for queue, prefetch in (("a", 3), ("a", 2), ("b", 4))
        ]
        return multiple(*(self._consume(command) for command in start))

    # Producers

    @rule(count=few)
    def publish_more(self, count: int) -> None:
        self._publish("a", count, 5)

    @rule(queue=queues, count=few, size=st.integers(0, 9))
    def publish(self, queue: str, count: int, size: int) -> None:
        self._publish(queue, count, size)

    @rule(
        queue=queues,
        rows=st.lists(st.tuples(delays, st.integers(0, 2), st.sampled_from([0, 0, 900])), min_size=1, max_size=4),
    )
    def publish_with_attributes(self, queue: str, rows: list[tuple[int, int, int]]) -> None:
        self._publish(queue, len(rows), 3, delays_ms=[d for d, _, _ in rows], priorities=[p for _, p, _ in rows],
                      expires_ms=[e or None for _, _, e in rows])  # fmt: skip

    @rule(queue=queues, keys=st.lists(st.sampled_from([None, "k", "l"]), min_size=1, max_size=4))
    def publish_with_keys(self, queue: str, keys: list[str | None]) -> None:
        self._publish(queue, len(keys), 3, keys=keys)

    @rule(frame=st.integers(1, 6), count=few)
    def publish_numbered(self, frame: int, count: int) -> None:
        known = self.frames.get(frame)
        reply = self._publish("a", known.count if known else count, 3, producer=("p", frame))
        if known is not None:
            assert (reply.position, reply.count, reply.replayed) == (known.position, known.count, True)
        elif reply is not None:
            self.frames[frame] = reply

    @rule(rows=st.lists(st.tuples(st.sampled_from("xyz"), st.just(1)), min_size=1, max_size=3))
    def publish_with_dedup_keys(self, rows: list[tuple[str, int]]) -> None:
        before = self.core.machine.state.queues["a"].totals["published"]
        reply = self._publish("a", len(rows), 3, dedup_keys=[key for key, _ in rows], digests=[d for _, d in rows])
        stored = self.core.machine.state.queues["a"].totals["published"] - before
        assert stored + len(reply.duplicates or {}) == len(rows)

    def _publish(self, queue: str, count: int, size: int, **more: Any) -> Any:
        found = self.core.machine.state.queues.get(queue)
        try:
            return self.core.publish(count, queue, size=size, **more)
        except QueueFull:
            assert found is not None and found.settings.length_max is not None
            held = found.group.waiting_count + self.core.machine.runtime_of(found).leased
            assert held + count > found.settings.length_max
            return None
        except OutcomeUnknown:
            raise AssertionError("six frames are never forgotten") from None

    # Consumers

    @precondition(lambda self: len(self.model.workers) < 5)
    @rule(target=workers, queue=queues, prefetch=st.integers(1, 5), reports=st.booleans())
    def consume(self, queue: str, prefetch: int, reports: bool = False) -> int:
        return self._consume(c.Consume(queue=queue, consumer="w", prefetch=prefetch, reports_begun=reports))

    def _consume(self, command: c.Consume) -> int:
        core, model = self.core, self.model

        def then(reply: c.Consuming) -> None:
            worker = model.workers.get(reply.subscription)
            lost = {n for first, last in reply.lost for n in range(first, last + 1)}
            log = next(q.number for q in core.machine.state.queues.values() if q.name == command.queue)
            for step in list(core.trace.steps):
                if not isinstance(step, Deliver):  # a queue that was made, deliveries given back: before what follows
                    core.trace.steps.remove(step)
                    if worker is not None:
                        worker.say_begun(command.begun)
                    model.saw(step, core.machine.now)
            is_new = worker is None
            if worker is None:
                worker = model.workers[reply.subscription] = Worker(model.queues[log], command.prefetch, reply.lease_ms)
                worker.reports_begun = command.reports_begun
            worker.detached, worker.stalled, worker.prefetch = False, False, command.prefetch
            worker.is_silent = False
            for number, count, sequence in sorted(command.held):
                for k in range(count):
                    key = (reply.subscription, number + k)
                    if number + k in lost:
                        assert is_new or key not in model.leases
                    elif is_new and worker.queue.log[sequence + k].state not in (*WAITING, "leased"):
                        worker.settled.add(number + k)
                    elif is_new:
                        assert worker.queue.log[sequence + k].state == "ready"
                        worker.queue.log[sequence + k].state = "leased"
                        model.leases[key] = Lease(worker.queue, sequence + k, core.machine.now + reply.lease_ms)
                    else:
                        model.leases[key].deadline = core.machine.now + reply.lease_ms
                if is_new:
                    worker.next_number = max(worker.next_number, number + count)
            worker.say_begun(min(command.begun, worker.next_number - 1) if is_new else command.begun)

        reply = core.run(command, then)
        self.tokens[reply.subscription] = reply.token
        return int(reply.subscription)

    def _held(self, worker: int, pick: int) -> int:
        """A number this worker holds, if it holds any."""
        held = sorted(number for owner, number in self.model.leases if owner == worker)
        return held[pick % len(held)] if held else pick

    @rule(worker=workers, pick=few, more=st.integers(0, 3))
    def ack(self, worker: int, pick: int, more: int) -> None:
        first = self._held(worker, pick)
        self._say(worker, c.SettleDeliveries(subscription=worker, acks=[(first, first + more)]))

    @rule(worker=workers)
    def ack_all(self, worker: int) -> None:
        held = sorted(number for owner, number in self.model.leases if owner == worker)
        self._say(worker, c.SettleDeliveries(subscription=worker, acks=[(number, number) for number in held]))

    @rule(worker=workers, pick=few, more=st.integers(0, 2), delay=st.none() | delays, dead=st.booleans())
    def nack(self, worker: int, pick: int, more: int, delay: int | None, dead: bool) -> None:
        first = self._held(worker, pick)
        nack = c.NackRange(first=first, last=first + more, delay_ms=delay, dead=dead and pick > 1)
        self._say(worker, c.SettleDeliveries(subscription=worker, nacks=[nack]))

    @rule(worker=workers, pick=few, more=st.integers(0, 2))
    def release(self, worker: int, pick: int, more: int) -> None:
        first = self._held(worker, pick)
        self._say(worker, c.SettleDeliveries(subscription=worker, releases=[(first, first + more)]))

    @rule(worker=workers, pick=few)
    def begin_work(self, worker: int, pick: int) -> None:
        self._say(worker, c.SettleDeliveries(subscription=worker, begun=self._held(worker, pick)))

    @rule(worker=workers, acks=st.lists(st.tuples(numbers, st.integers(0, 3)), max_size=2), begun=st.none() | numbers,
          nack=st.none() | st.tuples(numbers, st.integers(0, 1), st.none() | delays, st.booleans()),
          release=st.none() | numbers, extend=st.none() | st.tuples(numbers, st.integers(0, 2)),
          done=st.none() | st.tuples(numbers, st.integers(0, 2)), progress=st.none() | numbers)  # fmt: skip
    def say_anything(
        self, worker: int, acks: Any, begun: Any, nack: Any, release: Any, extend: Any, done: Any, progress: Any
    ) -> None:
        command = c.SettleDeliveries(subscription=worker, begun=begun, acks=[(n, n + k) for n, k in acks])
        if nack is not None:
            command.nacks = [c.NackRange(first=nack[0], last=nack[0] + nack[1], delay_ms=nack[2], dead=nack[3])]
        if release is not None:
            command.releases = [(release, release)]
        if extend is not None:
            command.extends, command.lease_ms = [(extend[0], extend[0] + extend[1])], 5000
        if done is not None:
            publish = c.PublishMessages(queue="a", sizes=[1])
            others = [(done[0] + k, b"%d" % k) for k in range(1, done[1] + 1)]
            command.completions = [c.Complete(number=done[0], result=b"1", others=others, publishes=[publish])]
        if progress is not None:
            command.progress = [(progress, 50, None)]
        self._say(worker, command)

    def _say(self, worker: int, command: c.SettleDeliveries) -> None:
        known = self.model.workers.get(worker)
        if known is None:
            try:
                self.core.run(command)
            except LeaseLost:
                return
            raise AssertionError("settled on a subscription that has ended")
        self._settle(worker, known, command)

    def _settle(self, id: int, worker: Worker, command: c.SettleDeliveries) -> None:
        model = self.model
        worker.is_silent = False
        if command.begun is not None:
            worker.say_begun(command.begun)
        held = {number for owner, number in model.leases if owner == id}
        wanted = [
            *(("ack", *ack) for ack in command.acks),
            *(("done", done.number, done.number + len(done.others)) for done in command.completions),
            *(("nack", nack.first, nack.last) for nack in command.nacks),
            *(("release", *release) for release in command.releases),
            *(("extend", *extend) for extend in command.extends),
        ]
        lost: list[int] = []
        settled: list[int] = []
        done: set[int] = set()
        now_settled = set(worker.settled)
        for kind, first, last in wanted:
            numbers = range(first, last + 1)
            lost += [number for number in numbers if number not in held]
            if kind == "done" and not held.issuperset(numbers):
                continue  # all or nothing
            if kind != "extend":
                now_settled |= held.intersection(numbers) if kind != "release" else set()
                done |= held.intersection(numbers)
                held -= set(numbers)
        settled = [number for number in lost if number in now_settled]
        lost = [number for number in lost if number not in now_settled]
        extended = [n for first, last in command.extends for n in range(first, last + 1) if n in held]
        model.released = {(id, n) for first, last in command.releases for n in range(first, last + 1)}
        model.dead_wanted = {(id, n) for nack in command.nacks if nack.dead for n in range(nack.first, nack.last + 1)}

        reply = self.core.run(command)

        assert sorted(n for first, last in reply.lost for n in range(first, last + 1)) == sorted(lost)
        assert sorted(n for first, last in reply.settled for n in range(first, last + 1)) == sorted(settled)
        worker.settled = now_settled
        model.released, model.dead_wanted = set(), set()
        for number in extended:
            model.leases[id, number].deadline = self.core.at + (command.lease_ms or worker.lease_ms)
        if worker.ended and not any(owner == id for owner, _ in model.leases):
            model.workers.pop(id, None)

    @rule(worker=workers, prefetch=st.integers(1, 6), stalled=st.none() | st.booleans())
    def set_prefetch_or_stall(self, worker: int, prefetch: int, stalled: bool | None) -> None:
        known = self.model.workers.get(worker)
        if stalled is None:
            if known is not None:
                known.prefetch, known.is_silent = prefetch, False
            self.core.run(c.SetPrefetch(subscription=worker, prefetch=prefetch))
        else:
            if known is not None:
                known.stalled = stalled
            self.core.run(c.Stall(subscription=worker, stalled=stalled))

    @rule(worker=workers)
    def cancel_worker(self, worker: int) -> None:
        known = self.model.workers.get(worker)
        if known is not None:
            known.ended = True
        self.core.run(c.CancelConsumer(subscription=worker))
        if known is not None and not any(owner == worker for owner, _ in self.model.leases):
            self.model.workers.pop(worker, None)

    @rule(target=lost, worker=workers)
    def lose_connection(self, worker: int) -> Any:
        known = self.model.workers.get(worker)
        if known is None or known.detached or known.ended:
            return multiple()
        known.detached = True
        held = [
            (n, lease.sequence)
            for (owner, n), lease in sorted(self.model.leases.items(), key=lambda i: i[0])
            if owner == worker
        ]
        self.core.run(c.Detach(subscription=worker))
        return (worker, self.tokens[worker], known.queue.name, (known.begun, known.reports_begun), held)

    @rule(target=workers, former=consumes(lost), keep=st.integers(0, 3))
    def come_back(self, former: Any, keep: int) -> Any:
        _, token, queue, (begun, reports), held = former
        if queue not in self.core.machine.state.queues:
            return multiple()
        rows = [(number, 1, sequence) for number, sequence in held[: len(held) - keep]]
        return self._consume(
            c.Consume(
                queue=queue, consumer="w", prefetch=4, resume=token, begun=begun, reports_begun=reports, held=rows
            )
        )

    # Operators

    @rule(limit=st.integers(1, 3), chosen=st.none() | st.lists(st.integers(0, 5), max_size=3))
    def redrive(self, limit: int, chosen: list[int] | None) -> None:
        self._operate(c.Redrive(queue="a.dead", limit=limit, sequences=chosen))

    @rule(
        queue=queues,
        kind=st.sampled_from(["discard", "cancel", "cancel", "pause", "resume", "resume", "purge"]),
        picks=st.lists(st.integers(0, 12), min_size=1, max_size=3),
    )
    def operate(self, queue: str, kind: str, picks: list[int]) -> None:
        if kind == "discard":
            self._operate(c.Discard(queue=queue, sequences=picks))
        elif kind == "cancel":
            self._operate(c.CancelMessage(queue=queue, sequence=picks[0]))
        elif kind == "purge" and len(picks) > 2:
            self._operate(c.Purge(queue=queue))
        else:
            self._operate(c.SetPaused(queue=queue, paused=kind == "pause"))
        held = {owner for owner, _ in self.model.leases}
        self.model.workers = {id: w for id, w in self.model.workers.items() if not w.ended or id in held}

    def _operate(self, command: Any) -> None:
        if command.queue not in self.core.machine.state.queues:
            return
        try:
            self.core.run(command)
        except (InvalidState, MessageNotFound):
            self.core.trace.steps.clear()

    # Time and restarts

    @rule(ms=st.sampled_from([1, 20, 500, 700, 1000, 2000, 6000]))
    def wait(self, ms: int) -> None:
        self.core.wait(ms)
        late = [lease for lease in self.model.leases.values() if lease.deadline + GRAIN_MS < self.core.at]
        assert not late, f"leases outlived their deadline: {late}"
        held = {owner for owner, _ in self.model.leases}
        self.model.workers = {id: w for id, w in self.model.workers.items() if not w.ended or id in held}

    @rule()
    def remember_snapshot(self) -> None:
        self.snapshots.append(snapshot.take(self.core.machine.state, self.core.machine.leased_runs()))

    @rule(from_snapshot=st.booleans(), really=st.integers(0, 3))
    def restart(self, from_snapshot: bool, really: int) -> None:
        if really:
            return
        self.model.restarted()
        self.core.restart(from_snapshot=from_snapshot)
        self.core.wait(0)

    # What must always hold

    @invariant()
    def both_hold_the_same(self) -> None:
        machine = self.core.machine
        assert {queue.name for queue in machine.state.queues.values()} == {q.name for q in self.model.queues.values()}
        for number, queue in machine.state.logs.items():
            known = self.model.queues[number]
            group = queue.group
            ready = [s for runs in (*group.ready.values(), group.order.parked) for s in sequences(runs)]
            assert sorted(ready) == [s for s, m in enumerate(known.log) if m.state == "ready"], queue.name
            for state, waiting in (("delayed", group.delayed), ("retrying", group.retrying)):
                assert sequences(waiting) == [s for s, m in enumerate(known.log) if m.state == state], (
                    queue.name,
                    state,
                )
            unsettled = [s for s, m in enumerate(known.log) if m.state in ("ready", "delayed", "retrying", "leased")]
            assert [s for s in range(queue.log.next) if not group.is_settled(s)] == unsettled
            tried = {s: m.attempts for s, m in enumerate(known.log) if m.attempts and s in unsettled}
            assert counted(group.attempts) == tried

    @invariant()
    def every_message_is_in_exactly_one_state(self) -> None:
        leased = self.core.machine.leased_runs()
        for number, queue in self.core.machine.state.logs.items():
            queue.group.check(queue.log, [(first, last) for first, last, _ in leased.get(number, [])])

    @rule(start=st.integers(0, 30), limit=st.integers(1, 9))
    def look_at_what_waits(self, start: int, limit: int) -> None:
        for queue in self.core.machine.state.logs.values():
            group = queue.group
            runs = (*group.ready.values(), group.order.parked, group.delayed, group.retrying)
            waiting = sorted(s for some in runs for s in sequences(some))
            assert group.waiting_count == len(waiting)
            assert group.is_waiting(start) == (start in waiting)
            assert sequences(group.waiting_from(start, limit)) == [s for s in waiting if s >= start][:limit]
            assert sequences(group.waiting_within(start, start + limit)) == [
                s for s in waiting if 0 <= s - start <= limit
            ]

    @invariant()
    def every_message_is_in_exactly_one_place(self) -> None:
        for number, queue in self.core.machine.state.logs.items():
            totals, live = queue.totals, self.core.machine.runtime_of(queue)
            settled = sum(
                totals[how] for how in ("acked", "dead", "dropped", "purged", "expired", "cancelled", "redriven")
            )
            assert queue.log.next == settled + queue.group.waiting_count + live.leased
            counts = self.model.queues[number].counts()
            for how in ("acked", "dead", "dropped", "purged", "expired", "cancelled", "redriven"):
                assert totals[how] == counts.get(how, 0), (queue.name, how)

    @invariant()
    def leases_are_those_of_the_model(self) -> None:
        core = {
            (id, lease.number + k): (worker.queue.name, lease.sequence + k)
            for id, worker in self.core.machine.subscriptions.items()
            for lease in worker.leases
            for k in range(lease.count)
        }
        assert core == {key: (lease.queue.name, lease.sequence) for key, lease in self.model.leases.items()}
        assert len(set(core.values())) == len(core), "two leases on one message"
        kept = {
            (id, lease.number + k): (runtime.queue.name, lease.sequence + k)
            for runtime in self.core.machine.runtimes.values()
            for id, lease in runtime.holdings
            for k in range(lease.count)
        }
        assert kept == core, "holdings and leases differ"
        assert all(
            runtime.leased == sum(lease.count for _, lease in runtime.holdings)
            for runtime in self.core.machine.runtimes.values()
        )
        assert set(self.core.machine.subscriptions) == set(self.model.workers)

    @invariant()
    def nothing_is_left_lying_while_someone_has_room(self) -> None:
        machine = self.core.machine
        for queue in machine.state.queues.values():
            live, known = machine.runtime_of(queue), self.model.queues[queue.number]
            if known.paused or live.held_until != 0:
                continue
            room = any(worker.room > 0 for worker in live.consumers.values())
            ready = [s for s in range(len(known.log)) if known.may_go(s, self.core.at)]
            assert not (room and ready), f"{queue.name}: {ready} could go"

    @invariant()
    def records_alone_give_the_same_state(self) -> None:
        assert settled(self.core.shadow, self.core.at) == durable(self.core.machine, self.core.at)

    @invariant()
    def every_reference_is_counted_once(self) -> None:
        state = self.core.machine.state
        state.released.extend(state.take_dropped(1 << 62))
        held: dict[int, int] = {}
        for position in state.retained:
            held[position] = held.get(position, 0) + 1
        for position in state.released:
            held[position] = held.get(position, 0) - 1
        if self.core.epoch == 1:  # later ones start from what the logs refer to
            wanted: dict[int, int] = {}
            for queue in state.logs.values():
                for position in queue.log.references():
                    wanted[position] = wanted.get(position, 0) + 1
            assert {p: n for p, n in held.items() if n} == wanted

    def teardown(self) -> None:
        if not hasattr(self, "core"):
            return
        live = durable(self.core.machine, self.core.at)
        assert settled(self.core.replayed(), self.core.at) == live
        for position, data in self.snapshots:
            state = snapshot.restore(data)
            for at, header in self.core.journal[position:]:
                state.apply(core_rig.decode(header), at)
            assert settled(state, self.core.at) == live, f"snapshot at {position} and the rest give another state"


__all__ = ["START_MS", "QueueMachine"]
