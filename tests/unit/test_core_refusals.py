"""What is refused leaves nothing behind: no record, no queue, no lease, no effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from core_rig import Core
from postroad.broker.core.durable import snapshot
from postroad.broker.core.format import command as c
from postroad.broker.errors import PostroadError
from postroad.broker.limits import Limits


@pytest.fixture
def core() -> Core:
    """A full queue, a queue with a dedup key, a stream with a group, a topic bound to a full queue and to the stream, and a consumer."""
    core = Core(Limits(queues_max=8))
    core.declare("full", length_max=1)
    core.publish(1, "full")
    core.publish(1, "keyed", dedup_key="k", digests=[1])
    core.group()
    core.bind("to.full", "full")
    core.bind("to.stream", "s")
    core.publish(2, "work")
    core.declare("dead", dead_letter="full")
    return core


def publish(queue: str = "new", *, sizes: list[int] | None = None, **more: Any) -> c.PublishMessages:
    return c.PublishMessages(queue=queue, sizes=sizes or [1], **more)


def done(*publishes: c.PublishMessages, **more: Any) -> Callable[[int], c.SettleDeliveries]:
    complete = c.Complete(number=1, publishes=list(publishes), **more)
    return lambda worker: c.SettleDeliveries(subscription=worker, completions=[complete], acks=[(2, 2)])


def schedule(**more: Any) -> c.DeclareSchedule:
    more = {"publish": publish(), "body": b"x", "every_ms": 1000, **more}
    return c.DeclareSchedule(name="s", **more)


MANY = [publish(f"new{number}") for number in range(4)]

REFUSED: list[Any] = [
    pytest.param(publish("full"), id="publish: full"),
    pytest.param(publish("s"), id="publish: a stream's name"),
    pytest.param(publish("full", kind="stream"), id="publish: a queue's name"),
    pytest.param(publish("s/g"), id="publish: a group"),
    pytest.param(publish(declare=False), id="publish: not declared"),
    pytest.param(publish("keyed", attributes={"dedup_key": "k"}, digests=[2]), id="publish: dedup conflict"),
    pytest.param(
        publish(sizes=[1, 1], attributes={"dedup_keys": ["a", "a"]}, digests=[1, 2]), id="publish: conflict in itself"
    ),
    pytest.param(publish(attributes={"key": "k", "priority": 1}), id="publish: key and priority"),
    pytest.param(publish(kind="stream", attributes={"priority": 1}), id="publish: priority to a new stream"),
    pytest.param(publish("to.full", kind="topic"), id="topic: a full target"),
    pytest.param(publish("to.stream", kind="topic", attributes={"delay_ms": 1}), id="topic: delay to a stream"),
    pytest.param(publish("nowhere", kind="topic", mandatory=True), id="topic: unroutable"),
    pytest.param(done(publish(), publish("full")), id="done: the second is full"),
    pytest.param(done(publish("keyed2"), publish("s")), id="done: the second is a stream"),
    pytest.param(done(publish("x"), publish("x", kind="stream")), id="done: one name as queue and stream"),
    pytest.param(done(*MANY), id="done: more queues than there may be"),
    pytest.param(
        done(
            publish("x", attributes={"dedup_key": "a"}, digests=[1]),
            publish("x", attributes={"dedup_key": "a"}, digests=[2]),
        ),
        id="done: dedup conflict between two",
    ),
    pytest.param(done(publish("s", kind="stream", attributes={"priority": 1})), id="done: priority to a stream"),
    pytest.param(lambda _: c.SettleDeliveries(subscription=99, acks=[(1, 1)]), id="settle: no such subscription"),
    pytest.param(c.Consume(queue="s", consumer="c"), id="consume: a stream's name"),
    pytest.param(c.Consume(queue="new", consumer="c", declare=False), id="consume: not declared"),
    pytest.param(c.Declare(queue="s"), id="declare: a stream's name"),
    pytest.param(c.Declare(queue="new", settings={"dead_letter": "s"}), id="declare: dead letters to a stream"),
    pytest.param(c.Declare(queue="full", settings={"length_max": 2}), id="declare: other settings"),
    pytest.param(
        c.Declare(queue="full", settings={"dead_letter": "dead"}, update=True), id="declare: a circle of dead letters"
    ),
    pytest.param(c.DeclareGroup(stream="full", group="g"), id="group: a queue's name"),
    pytest.param(c.DeclareGroup(stream="new", group="g", settings={"length_max": 1}), id="group: a setting of queues"),
    pytest.param(c.Replay(stream="nope", first=0, last=1, queue="new"), id="replay: no such stream"),
    pytest.param(c.BindTopic(pattern="a..b", target="full"), id="bind: a bad pattern"),
    pytest.param(c.BindTopic(pattern="a", target="s/g"), id="bind: a group"),
    pytest.param(c.ResetGroup(queue="full", start="earliest"), id="reset: a queue"),
    pytest.param(schedule(cron="* * * * *"), id="schedule: both times"),
    pytest.param(schedule(publish=publish("s")), id="schedule: a stream's name"),
    pytest.param(schedule(publish=publish(attributes={"priority": 10})), id="schedule: out of range"),
    pytest.param(c.ChangeSchedule(name="nope", do="run"), id="schedule: none of that name"),
]


def whole(core: Core) -> bytes:
    return snapshot.take(core.machine.state, core.machine.leased_runs())[1]


@pytest.mark.parametrize("command", REFUSED)
def test_what_is_refused_leaves_nothing_behind(core: Core, command: Any) -> None:
    worker = core.consume("work", prefetch=2)
    before, effects = whole(core), len(core.effects)

    with pytest.raises(PostroadError):
        core.run(command(worker) if callable(command) else command)
    core.collect()

    assert whole(core) == before
    assert len(core.effects) == effects
    assert core.machine.subscriptions[worker].leases.count == 2


def test_the_last_queues_that_there_may_be_are_not_one_too_many() -> None:
    core = Core(Limits(queues_max=3))
    core.declare("a")
    core.declare("b")

    with pytest.raises(PostroadError):
        core.group()  # a stream and a group

    assert sorted(core.machine.state.queues) == ["a", "b"]
    assert core.machine.state.streams == {}
