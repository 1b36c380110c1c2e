"""What a redrive or a replay moves into queues with bounds."""

from __future__ import annotations

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.errors import Conflict, QueueFull


def die(core: Core, queue: str, count: int = 1, *, size: int = 10, **attributes: object) -> None:
    core.publish(count, queue, size=size, **attributes)
    worker = core.consume(queue, prefetch=1000)
    while core.machine.subscriptions[worker].leases.count:
        held = [lease.number for lease in core.machine.subscriptions[worker].leases]
        for number in held:
            core.nack(worker, number, dead=True)
    core.run(c.CancelConsumer(subscription=worker))


def shared(core: Core, *queues: str) -> None:
    for queue in queues:
        core.declare(queue, dead_letter="morgue")


def update(core: Core, queue: str, **settings: object) -> None:
    core.run(c.Declare(queue=queue, settings=settings, update=True))


def redrive(core: Core, queue: str = "morgue", **more: object) -> c.Stepped:
    reply: c.Stepped = core.run(c.Redrive(queue=queue, **more))  # type: ignore[arg-type]
    return reply


def test_a_queue_that_is_full_does_not_hold_up_another() -> None:
    core = Core()
    shared(core, "a", "b")
    for _ in range(3):
        die(core, "a")
        die(core, "b")
    update(core, "a", length_max=1)

    reply = redrive(core)

    assert (reply.count, reply.left, reply.full) == (4, 2, [core.queue("a").number])
    assert (core.counts("a")["ready"], core.counts("b")["ready"]) == (1, 3)
    assert core.counts("morgue") == {"ready": 2, "redriven": 4}


def test_what_is_leased_takes_room() -> None:
    core = Core()
    shared(core, "a")
    die(core, "a", 3)
    core.publish(2, "a")
    core.consume("a")
    update(core, "a", length_max=3)

    assert (redrive(core).count, redrive(core).count) == (1, 0)


def test_nothing_overtakes_what_has_stayed() -> None:
    """A large one of a key does not fit, a small one of it would."""
    core = Core()
    shared(core, "a")
    die(core, "a", size=100, key="k")
    die(core, "a", size=10, key="k")
    update(core, "a", bytes_max=50)

    reply = redrive(core)
    assert (reply.count, reply.left) == (0, 2)
    update(core, "a", bytes_max=500)
    assert redrive(core, full=reply.full).count == 0

    assert redrive(core).count == 2


def test_a_redrive_in_steps_goes_on_behind_what_has_stayed() -> None:
    core = Core()
    shared(core, "a", "b")
    die(core, "a", 2)
    die(core, "b", 2)
    update(core, "a", length_max=1)

    first = redrive(core, limit=2, until=4)
    assert first.next is not None
    second = redrive(core, first=first.next, limit=2, until=4, full=first.full)

    assert (first.count, first.left, second.count, second.left) == (1, 1, 2, 0)


def test_a_group_has_no_bounds_and_takes_all() -> None:
    core = Core()
    core.group()
    core.append(3)
    worker = core.consume("s/g")
    core.nack(worker, 1, 3, dead=True)

    assert redrive(core, "s.g.dead").count == 3


@pytest.mark.parametrize("overflow", ["drop_oldest", "dead_letter"])
def test_a_queue_that_makes_room_takes_all_and_keeps_its_bound(overflow: str) -> None:
    core = Core()
    shared(core, "a")
    die(core, "a", 5)
    update(core, "a", length_max=2, overflow=overflow)

    reply = redrive(core, until=5)

    assert (reply.count, reply.left) == (5, 0)
    assert core.counts("a")["ready"] == 2
    assert core.queue("morgue").group.ready_count == (3 if overflow == "dead_letter" else 0)


def test_an_edited_message_is_refused_where_a_publish_would_be_and_leaves_no_record() -> None:
    core = Core()
    shared(core, "a")
    die(core, "a")
    core.publish(1, "a")
    update(core, "a", length_max=1)
    before = len(core.records)

    with pytest.raises(QueueFull):
        core.run(c.RedriveEdited(queue="morgue", sequence=0, publish=c.PublishMessages(queue="", sizes=[1])))

    assert len(core.records) == before


def test_a_replay_takes_what_fits_from_the_first_on() -> None:
    core = Core()
    for size in (10, 10, 100, 10):
        core.append(1, sizes=[size])
    core.declare("q", bytes_max=50)

    reply = core.run(c.Replay(stream="s", first=0, last=3, queue="q"))

    assert (reply.count, reply.left) == (2, 2)
    assert core.queue().log.bytes == 20


def test_a_replay_of_nothing_makes_no_queue_and_one_to_a_stream_is_refused() -> None:
    core = Core()
    core.stream()
    core.stream("t")
    before = len(core.records)

    assert core.run(c.Replay(stream="s", first=0, last=3, queue="q")).count == 0
    with pytest.raises(Conflict):
        core.run(c.Replay(stream="s", first=0, last=3, queue="t"))

    assert len(core.records) == before
