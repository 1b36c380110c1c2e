"""Streams, groups, topics and bindings of the core beside the naive model, driven by Hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import core_rig
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from postroad.broker.core.durable import snapshot, stream_log
from postroad.broker.core.durable.ordering import key_hash
from postroad.broker.core.format import command as c
from postroad.broker.errors import InvalidState, PostroadError, QueueFull
from queue_machine import WatchedCore, counted, durable, settled
from stream_model import OPEN, StreamModel

BOXES = ("s/a", "s/b", "q", "s.a.dead")
GRAIN_MS = 20

few = st.integers(1, 4)
boxes = st.sampled_from(BOXES)
picks = st.lists(st.integers(0, 9), min_size=1, max_size=3)
keys = st.sampled_from([None, "k", "k", "l"])
rows = st.lists(st.tuples(keys, st.sampled_from([{}, {"r": "1"}, {"r": "2", "z": "1"}])), min_size=1, max_size=4)
patterns = st.sampled_from(["t.*", "t.#", "t.x", "#", "*.y"])
filters = st.sampled_from([None, {"values": {"r": "1"}}, {"match": "any", "values": {"r": "1", "z": "1"}}])
starts = st.sampled_from(["earliest", "latest", ("offset", 2), ("offset", 7), ("last", 2)])


class StreamMachine(RuleBasedStateMachine):
    @initialize(count=st.sampled_from([None, None, 6]), compaction=st.booleans())
    def begin(self, count: int | None, compaction: bool) -> None:
        self.pack_min, stream_log.PACK_MIN = stream_log.PACK_MIN, 4
        self.model = StreamModel()
        self.core = WatchedCore(self.model)  # type: ignore[arg-type]  # watches the same way
        self.snapshots: list[tuple[int, bytes, int]] = []
        self.core.stream("s", retention_ms=None, retention_count=count, compaction=compaction, tombstone_ms=1500)
        self.core.group("a", attempts_max=2, backoff_ms=300, lease_ms=1000)
        self.core.group("b", attempts_max=3, backoff_ms=0, lease_ms=2000)
        self.core.declare("q")
        self.core.declare("small", length_max=4)
        self.core.bind("t.#", "s")
        self.core.bind("t.x", "q")
        for box, room in (("s/a", 2), ("s/a", 3), ("s/b", 4)):
            self._consume(box, room)

    def _try(self, command: Any) -> Any:
        """Its reply; None if it was refused, and then it left no trace."""
        before = self.core.machine.state.position
        try:
            return self.core.run(command)
        except PostroadError:
            assert not self.core.trace.steps and self.core.machine.state.position == before
            return None

    # Producers

    @rule(rows=rows)
    def append(self, rows: list[Any]) -> None:
        self.core.append(len(rows), keys=[key for key, _ in rows])

    @rule(rows=st.lists(st.sampled_from([None, 400, 1800]), min_size=1, max_size=3))
    def append_what_expires(self, rows: list[int | None]) -> None:
        self.core.append(len(rows), expires_ms=rows)

    @rule(rows=st.lists(st.tuples(st.sampled_from(["k", "l", "m"]), st.booleans()), min_size=1, max_size=3))
    def append_values_and_tombstones(self, rows: list[tuple[str, bool]]) -> None:
        headers = [{"postroad-tombstone": "true"} if tomb else None for _, tomb in rows]
        sizes = [0 if tomb else 5 for _, tomb in rows]
        self.core.append(keys=[key for key, _ in rows], headers=headers, sizes=sizes)

    @rule(topic=st.sampled_from(["t.x", "t.y", "u.y"]), rows=rows)
    def publish(self, topic: str, rows: list[Any]) -> None:
        headers = [header for _, header in rows]
        routes = self.model.routes(topic, headers)
        number, small = next((n, q) for n, q in self.core.machine.state.logs.items() if q.name == "small")
        is_full = (
            small.group.waiting_count + self.core.machine.runtime_of(small).leased + len(routes.get(number, ())) > 4
        )
        before = {log: len(self.model.logs[log].keys) for log in routes}
        try:
            reply = self.core.publish(len(rows), topic, kind="topic", keys=[k for k, _ in rows], headers=headers)
        except QueueFull:
            assert is_full and number in routes
            assert not self.core.trace.steps
            return
        assert not (is_full and number in routes), "one full target refuses all"
        assert reply.routed == len(routes)
        assert {log: len(self.model.logs[log].keys) - n for log, n in before.items()} == {
            log: len(indexes) for log, indexes in routes.items()
        }

    @rule(pattern=patterns, to=st.sampled_from(["s", "q", "small"]), headers=filters, on=st.integers(0, 2))
    def bind(self, pattern: str, to: str, headers: Any, on: int) -> None:
        before = len(self.model.bindings)
        changed = self.core.bind(pattern, to, headers, on=on > 0)
        assert len(self.model.bindings) - before == (0 if not changed else 1 if on else -1)

    # Consumers

    @rule(box=boxes, prefetch=few)
    def consume(self, box: str, prefetch: int) -> None:
        if box in self.core.machine.state.queues and len(self.core.machine.subscriptions) < 6:
            self._consume(box, prefetch)

    def _consume(self, box: str, prefetch: int) -> None:
        self.model.next_prefetch = prefetch
        worker = self.core.consume(box, prefetch)
        self.model.prefetch.setdefault(worker, prefetch)

    def _settle(self, picks: list[int], settle: Callable[[int, int], Any]) -> None:
        """Do it to some of the deliveries that are out, whoever has them; see that there are some."""
        if len(self.model.leases) < 2:
            self.core.append(3, keys=["k", "k", None])
        held = sorted(self.model.leases)
        for worker, number in sorted({held[pick % len(held)] for pick in picks} if held else ()):
            if (worker, number) in self.model.leases:
                settle(worker, number)

    @rule(picks=picks)
    def ack(self, picks: list[int]) -> None:
        self._settle(picks, self.core.ack)

    @rule(worker=few)
    def ack_all(self, worker: int) -> None:
        held = sorted(number for owner, number in self.model.leases if owner == worker)
        if held:
            self.core.ack(worker, *held)

    @rule(picks=picks, delay=st.sampled_from([None, 0, 500]), dead=st.integers(0, 2))
    def nack(self, picks: list[int], delay: int | None, dead: int) -> None:
        self.model.is_dead_wanted = not dead
        self._settle(picks, lambda worker, number: self.core.nack(worker, number, delay_ms=delay, dead=not dead))
        self.model.is_dead_wanted = False

    @rule(picks=picks)
    def release(self, picks: list[int]) -> None:
        self._settle(picks, lambda worker, number: self.core.settle(worker, releases=[(number, number)]))

    @rule(pick=few, begun=st.booleans(), lose=st.booleans())
    def leave(self, pick: int, begun: bool, lose: bool) -> None:
        workers = list(self.core.machine.subscriptions)
        if len(workers) > 2:
            worker = workers[pick % len(workers)]
            if begun:
                self.core.settle(worker, begun=1_000_000)
            self.core.run(c.Detach(subscription=worker) if lose else c.CancelConsumer(subscription=worker))

    # Operators

    @rule(group=st.sampled_from(["s/a", "s/a", "s/b"]), to=starts)
    def reset(self, group: str, to: Any) -> None:
        offset = self.core.run(c.ResetGroup(queue=group, start=to))
        box = self._box(group)
        assert box.log.first <= offset <= len(box.log.keys)
        assert all(offset <= o for o in box.open())

    @rule(limit=few, chosen=st.none() | st.lists(st.integers(0, 5), max_size=3))
    def redrive(self, limit: int, chosen: list[int] | None) -> None:
        dead = self.core.machine.state.queues.get("s.a.dead")
        if dead is None or not dead.group.waiting_count:
            self.nack([0, 3], None, 0)
        if "s.a.dead" in self.core.machine.state.queues:
            try:
                self.core.run(c.Redrive(queue="s.a.dead", limit=limit, sequences=chosen))
            except InvalidState:
                assert not self.core.trace.steps

    @rule(count=st.sampled_from([None, 4, 8]))
    def retain(self, count: int | None) -> None:
        self.core.run(c.DeclareStream(stream="s", settings={"retention_count": count}, update=True))

    @rule(start=starts)
    def third_group_comes_or_goes(self, start: Any) -> None:
        if "s/c" in self.core.machine.state.queues:
            self.core.run(c.Delete(queue="s/c"))
        else:
            self.core.group("c", start=start, lease_ms=1000)

    @rule(first=st.integers(0, 9), last=st.integers(0, 12))
    def replay(self, first: int, last: int) -> None:
        log = self._box("s/a").log
        count = self.core.run(c.Replay(stream="s", first=first, last=last, queue="q")).count
        assert count == len([o for o in log.kept() if first <= o <= last])

    @rule(box=boxes, picks=picks)
    def discard(self, box: str, picks: list[int]) -> None:
        self._settle(picks[1:], lambda worker, number: self.core.nack(worker, number, delay_ms=500))
        if box in self.core.machine.state.queues and (unsettled := self._box(box).open()):
            self.core.run(c.Discard(queue=box, sequences=[unsettled[pick % len(unsettled)] for pick in picks]))

    @rule(box=boxes, really=st.integers(0, 3))
    def purge(self, box: str, really: int) -> None:
        if not really:
            self._try(c.Purge(queue=box))

    # Time and restarts

    @rule(ms=st.sampled_from([1, 100, 300, 600, 2500]))
    def wait(self, ms: int) -> None:
        log, looks = self._box("s/a").log, self.core.at - 1
        boxes = [box for box in self.model.boxes.values() if box.log is log]
        idle = [o for o in log.kept() if log.superseded(o, looks) and not any(box.state[o] in OPEN for box in boxes)]
        self.core.wait(ms)
        assert not (log.is_compacted and ms > 1000 and log.gone.isdisjoint(idle) and idle), "compaction sleeps"
        assert (due := self.core.machine.next_due()) is None or due > self.core.at
        late = [lease for lease in self.model.leases.values() if lease[2] + GRAIN_MS < self.core.at]
        assert not late, f"leases outlived their deadline: {late}"

    @rule()
    def remember(self) -> None:
        position, data = snapshot.take(self.core.machine.state, self.core.machine.leased_runs())
        self.snapshots.append((position, data, self.core.at))

    @rule(from_snapshot=st.booleans(), really=st.integers(0, 2))
    def restart(self, from_snapshot: bool, really: int) -> None:
        if not really:
            self.model.restarted()
            self.core.restart(from_snapshot=from_snapshot)
            self.core.wait(0)

    # What must always hold

    def _box(self, name: str) -> Any:
        return next(box for box in self.model.boxes.values() if box.name == name)

    @invariant()
    def boxes_hold_the_same(self) -> None:
        machine = self.core.machine
        assert {queue.name for queue in machine.state.logs.values()} == {b.name for b in self.model.boxes.values()}
        for number, queue in machine.state.logs.items():
            box, group = self.model.boxes[number], queue.group
            unsettled = box.open()
            assert [o for o in range(queue.log.next) if not group.is_settled(o)] == unsettled, queue.name
            committed = unsettled[0] if unsettled else len(box.log.keys)
            assert group.floor == committed, f"{queue.name} committed {group.floor}, lowest unsettled {committed}"
            assert group.waiting_count + machine.runtime_of(queue).leased == len(unsettled), "lag"
            assert counted(group.attempts) == box.attempts
            assert {how: queue.totals[how] for how in box.lost} == box.lost

    @invariant()
    def streams_keep_what_they_must(self) -> None:
        stream, log = self.core.machine.state.streams["s"], self._box("s/a").log
        kept = log.kept()
        found = [o for a, b in stream.log.kept(0, len(log.keys)) for o in range(a, b + 1)]
        assert found == kept
        assert (stream.log.next, stream.log.count) == (len(log.keys), len(kept))
        assert stream.earliest == (kept[0] if kept else len(log.keys))
        assert stream.trimmed_total + stream.compacted_total == len(log.keys) - len(kept)
        if not log.is_compacted:
            assert log.must_be_kept() == log.first == stream.trimmed_total
        for offset in kept:
            assert stream.log.key_of(offset) == key_hash(log.keys[offset])
            assert stream.log.locate(offset) == log.places[offset]
            assert stream.log.find(*log.places[offset]) == offset
            assert stream.log.time_of(offset) == log.at[offset]
        assert all(stream.log.find(*log.places[offset]) == -1 for offset in log.gone)

    @invariant()
    def leases_are_those_of_the_model(self) -> None:
        core = {
            (id, lease.number + k): (worker.queue.number, lease.sequence + k)
            for id, worker in self.core.machine.subscriptions.items()
            for lease in worker.leases
            for k in range(lease.count)
        }
        assert core == {key: lease[:2] for key, lease in self.model.leases.items()}
        assert len(set(core.values())) == len(core), "two leases on one message"
        for worker in self.core.machine.subscriptions.values():
            assert worker.leases.count or not worker.ended, "it left, and is still there"

    @invariant()
    def no_key_is_in_flight_twice(self) -> None:
        flying = [(box, self.model.boxes[box].log.keys[offset]) for box, offset, _ in self.model.leases.values()]
        keyed = [pair for pair in flying if pair[1] is not None]
        assert len(set(keyed)) == len(keyed)

    @invariant()
    def nothing_is_left_lying_while_someone_has_room(self) -> None:
        for number, queue in self.core.machine.state.logs.items():
            live, box = self.core.machine.runtime_of(queue), self.model.boxes[number]
            if live.held_until == 0 and any(worker.room > 0 for worker in live.consumers.values()):
                lying = [offset for offset in box.state if box.may_go(offset)]
                assert not lying, f"{queue.name}: {lying} could go"

    @invariant()
    def records_alone_give_the_same_state(self) -> None:
        assert settled(self.core.shadow, self.core.at) == durable(self.core.machine, self.core.at)

    @invariant()
    def every_message_is_in_exactly_one_state(self) -> None:
        leased = self.core.machine.leased_runs()
        for number, queue in self.core.machine.state.logs.items():
            queue.group.check(queue.log, [(first, last) for first, last, _ in leased.get(number, [])])

    @invariant()
    def every_reference_is_counted_once(self) -> None:
        if self.core.epoch > 1:  # later ones start from what the logs refer to
            return
        state = self.core.machine.state
        state.released.extend(state.take_dropped(1 << 62))
        held: dict[int, int] = {}
        for position in state.retained:
            held[position] = held.get(position, 0) + 1
        for position in state.released:
            held[position] = held.get(position, 0) - 1
        wanted: dict[int, int] = {}
        logs = [queue.log for queue in state.logs.values() if queue.stream is None]
        for log in (*logs, *(stream.log for stream in state.streams.values())):
            for position in log.references():
                wanted[position] = wanted.get(position, 0) + 1
        assert {p: n for p, n in held.items() if n} == wanted

    def teardown(self) -> None:
        if not hasattr(self, "core"):
            return
        try:
            live = durable(self.core.machine, self.core.at)
            for position, data, at in self.snapshots:
                assert settled(self.core.replayed(position), at) == settled(snapshot.restore(data), at), (
                    f"the first {position} records give another state"
                )
                state = snapshot.restore(data)
                for after, header in self.core.journal[position:]:
                    state.apply(core_rig.decode(header), after)
                assert settled(state, self.core.at) == live, f"snapshot at {position} and the rest give another state"
        finally:
            stream_log.PACK_MIN = self.pack_min  # only now: when a log is packed is part of its state


__all__ = ["StreamMachine"]
