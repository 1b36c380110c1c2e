"""What a command has chosen is nobody else's until it is settled; and who comes back gets what he held, or is told that it is lost."""

from __future__ import annotations

from typing import Any

import pytest
from core_rig import Core, decode
from postroad.broker.core.durable import snapshot
from postroad.broker.core.format import command as c
from postroad.broker.errors import QueueNotFound


def buried(core: Core, queue: str, **attributes: Any) -> None:
    """One message of this queue dies."""
    core.publish(1, queue, **attributes)
    worker = core.consume(queue)
    core.nack(worker, 1, dead=True)
    core.run(c.CancelConsumer(subscription=worker))


def check(core: Core, name: str) -> None:
    queue = core.queue(name)
    held = [(first, last) for first, last, _ in core.machine.runtime_of(queue).holdings.runs()]
    queue.group.check(queue.log, held)


def full_queue_of(core: Core, **dead: Any) -> None:
    """ "a" is full, and what makes room in it goes to "dead", where one of its messages is."""
    core.declare("dead", dead_letter=None, **dead)
    core.declare("a", dead_letter="dead", length_max=1, overflow="dead_letter")
    buried(core, "a")
    core.publish(1, "a")


def test_a_message_that_is_edited_does_not_expire_on_its_way() -> None:
    core = Core()
    full_queue_of(core, expire_ms=1000)
    core.at += 1000  # the tick has not come yet

    core.run(c.RedriveEdited(queue="dead", sequence=0, publish=c.PublishMessages(queue="a", sizes=[3])))

    check(core, "dead")
    assert core.counts("dead")["redriven"] == 1


def test_a_message_that_is_edited_goes_to_nobody_else() -> None:
    core = Core()
    core.declare("dead", dead_letter=None, rate_max=1)
    core.declare("a", dead_letter="dead", length_max=1, overflow="dead_letter")
    core.publish(1, "dead")
    worker = core.consume("dead", prefetch=5)  # the only delivery of this second
    buried(core, "a")
    core.publish(1, "a")
    core.at += 1000

    core.run(c.RedriveEdited(queue="dead", sequence=1, publish=c.PublishMessages(queue="a", sizes=[3])))

    check(core, "dead")
    assert 1 not in core.sequences(worker)


def test_a_redrive_to_two_queues_settles_each_message_once() -> None:
    core = Core()
    core.declare("dead", dead_letter=None, backoff_ms=60_000)
    core.declare("a", dead_letter="dead", length_max=1, overflow="dead_letter")
    core.declare("b", dead_letter="dead")
    for queue in "ab":
        buried(core, queue, key="k")
    core.publish(1, "a")
    worker = core.consume("dead")
    core.nack(worker, 1)  # the first holds its key, the second is parked behind it

    core.run(c.Redrive(queue="dead"))

    check(core, "dead")
    assert core.counts("b")["ready"] == 1
    assert 1 not in core.sequences(worker)


def test_what_is_settled_already_cannot_be_settled_by_a_record() -> None:
    core = Core()
    core.declare("q")
    core.publish(2)

    core.queue().log.settle(0, 0)
    with pytest.raises(AssertionError, match="settled twice"):
        core.queue().log.settle(0, 1)


def test_a_queue_made_again_gives_nobody_its_messages_for_those_of_before() -> None:
    core = Core()
    core.publish(2)
    before = core.consuming()
    core.run(c.Delete(queue="q"))
    core.publish(2)

    after = core.consuming(resume=before.token, held=[(1, 1, 0), (2, 1, 1)])

    assert after.lost == [(1, 1), (2, 2)]
    core.wait(1000)
    assert sorted(core.got[after.subscription].values()) == [0, 1]
    assert min(core.got[after.subscription]) == 3


def test_a_token_of_an_earlier_release_takes_up_what_it_held() -> None:
    core = Core()
    core.publish(2)
    core.restart()

    after = core.consuming(resume="s1-1-c2VjcmV0", held=[(1, 2, 0)])

    assert after.lost == []


def test_who_comes_back_after_a_restart_gets_all_that_was_due_when_it_was_delivered() -> None:
    core = Core()
    core.declare()
    core.publish(600, delays_ms=[k + 1 for k in range(600)])
    before = core.consuming(prefetch=1000)
    core.wait(700)
    held = [(number, 1, sequence) for number, sequence in core.got[before.subscription].items()]
    core.restart()

    after = core.consuming(prefetch=1000, resume=before.token, held=held)

    assert (len(held), after.lost) == (600, [])


def test_a_group_is_not_made_by_a_consumer_that_comes_late() -> None:
    core = Core()
    core.stream()

    with pytest.raises(QueueNotFound):
        core.consume("s/g")

    assert list(core.machine.state.queues) == []


def test_a_lower_bound_holds_for_what_comes_back_later() -> None:
    core = Core()
    core.declare(overflow="drop_oldest")
    core.publish(10)
    worker = core.consume(prefetch=10)
    core.run(c.Declare(queue="q", settings={"length_max": 3}, update=True))
    core.wait(1000)

    core.run(c.CancelConsumer(subscription=worker))
    core.wait(10)

    assert core.counts()["ready"] == 3


def test_names_of_a_deleted_stream_are_forgotten_in_the_same_order_after_a_snapshot() -> None:
    core = Core()
    core.stream()
    core.group("z")
    core.group("a")
    state = snapshot.restore(snapshot.take(core.machine.state, {})[1])
    before = len(core.journal)
    core.run(c.Delete(queue="s"))

    for position, header in core.journal[before:]:
        state.apply(decode(header), position)

    assert snapshot.take(state, {})[1] == snapshot.take(core.machine.state, {})[1]
