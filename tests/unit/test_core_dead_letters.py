"""Messages that had their last chance, and operators who look after them."""

from __future__ import annotations

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.core.format.codec import decode, encode
from postroad.broker.core.format.effect import Revoke
from postroad.broker.core.format.record import Move, Settle
from postroad.broker.errors import InvalidState, MessageNotFound


def with_dead(count: int, queue: str = "q") -> Core:
    core = Core()
    core.publish(count, queue)
    worker = core.consume(queue)
    core.nack(worker, 1, count, dead=True, reason="bad address")
    core.run(c.CancelConsumer(subscription=worker))
    return core


def test_exhausted_attempts_move_the_message_by_reference_in_one_command() -> None:
    core = Core()
    core.declare(attempts_max=2)
    core.publish(1)
    worker = core.consume()
    core.nack(worker, 1, delay_ms=0)
    before = len(core.records)

    core.nack(worker, 2, reason="smtp 550")

    define, place, settle = core.records[before:]
    assert type(define).__name__ == "Define"
    assert isinstance(place, Move) and isinstance(settle, Settle)
    assert (place.why, place.reason, place.entries[0][5]) == ("dead", "smtp 550", 2)
    assert (settle.how, core.counts()) == ("dead", {"dead": 1, "retried": 1})
    assert core.queue("q.dead").log.locate(0) == (place.entries[0][1], 0)


def test_dead_at_once_when_the_consumer_says_so() -> None:
    core = with_dead(2)

    assert core.counts() == {"dead": 2}
    assert core.counts("q.dead") == {"ready": 2}


def test_without_a_dead_letter_queue_the_message_is_dropped() -> None:
    core = Core()
    core.declare(dead_letter=None)
    core.publish(1)

    core.nack(core.consume(), 1, dead=True)

    assert core.counts() == {"dropped": 1}
    assert list(core.machine.state.queues) == ["q"]


def test_another_dead_letter_queue_can_be_named() -> None:
    core = Core()
    core.declare(dead_letter="morgue")
    core.publish(1)

    core.nack(core.consume(), 1, dead=True)

    assert core.counts("morgue") == {"ready": 1}


def test_the_dead_letter_queue_of_a_long_name_keeps_within_the_limit() -> None:
    core = with_dead(1, "n" * 75)

    (name,) = [name for name in core.machine.state.queues if name != "n" * 75]
    assert len(name) <= 75 and name.endswith(".dead")


def test_a_dead_letter_queue_never_dead_letters_itself() -> None:
    core = with_dead(1)
    worker = core.consume("q.dead")

    for _ in range(20):
        core.nack(worker, max(core.got[worker]), delay_ms=0, dead=True)

    assert sorted(core.machine.state.queues) == ["q", "q.dead"]
    assert core.counts("q.dead") == {"leased": 1, "retried": 20}
    assert core.attempts[worker, 21] == 21


def test_a_dead_letter_queue_that_was_consumed_before_its_first_use_is_one_all_the_same() -> None:
    core = Core()
    early = core.consume("q.dead")
    core.publish(1)
    core.nack(core.consume(), 1, dead=True)

    core.nack(early, 1, dead=True)

    assert "q.dead.dead" not in core.machine.state.queues


def test_redriven_messages_start_again_behind_the_others_in_their_order() -> None:
    core = with_dead(3)
    core.publish(1)

    assert core.run(c.Redrive(queue="q.dead")).count == 3

    worker = core.consume(prefetch=10)
    assert core.counts("q.dead") == {"redriven": 3}
    places = [core.queue().log.locate(sequence) for sequence in core.sequences(worker)]
    assert [index for _, index in places] == [0, 0, 1, 2]  # the one published meanwhile, then the three
    assert {core.attempts[worker, number] for number in range(1, 5)} == {1}


def test_a_redriven_message_has_all_its_attempts_again() -> None:
    core = Core()
    core.declare(attempts_max=2)
    core.publish(1)
    worker = core.consume()
    for _ in range(2):
        core.nack(worker, max(core.got[worker]), delay_ms=0)
    core.run(c.Redrive(queue="q.dead"))

    core.nack(worker, 3, delay_ms=0)
    assert core.counts("q.dead") == {"redriven": 1}
    core.nack(worker, 4, delay_ms=0)

    assert core.counts("q.dead") == {"ready": 1, "redriven": 1}


def test_chosen_messages_are_redriven_and_unknown_ones_passed_over() -> None:
    core = with_dead(4)

    assert core.run(c.Redrive(queue="q.dead", sequences=[2, 0, 77])).count == 2

    assert core.counts("q.dead") == {"ready": 2, "redriven": 2}


def test_a_message_named_twice_is_redriven_once() -> None:
    core = with_dead(2)

    assert core.run(c.Redrive(queue="q.dead", sequences=[0, 0])).count == 1

    assert core.counts() == {"ready": 1, "dead": 2}
    assert core.counts("q.dead") == {"ready": 1, "redriven": 1}


def test_at_most_the_limit_is_redriven_oldest_first() -> None:
    core = with_dead(5)

    assert core.run(c.Redrive(queue="q.dead", limit=2)).count == 2

    assert list(core.queue("q.dead").group.ready[0]) == [(2, 4)]


def test_dead_letters_whose_queue_is_gone_stay() -> None:
    core = with_dead(2)
    core.run(c.Delete(queue="q"))

    reply = core.run(c.Redrive(queue="q.dead"))

    assert (reply.count, reply.seen) == (0, 2)
    assert core.counts("q.dead") == {"ready": 2}


def test_dead_letters_behind_orphans_can_still_be_redriven() -> None:
    core = Core()
    for name in ("gone", "here"):
        core.declare(name, dead_letter="morgue")
        core.publish(3, name)
        core.nack(core.consume(name), 1, 3, dead=True)
    core.run(c.Delete(queue="gone"))

    assert core.all_steps(c.Redrive(queue="morgue", limit=2)) == 3

    assert core.counts("here") == {"leased": 3, "dead": 3}


def test_redriving_an_empty_queue_moves_nothing() -> None:
    core = Core()
    core.declare("q.dead")

    assert core.run(c.Redrive(queue="q.dead")).count == 0


def test_leased_dead_letters_are_left_to_their_holder() -> None:
    core = with_dead(2)
    core.consume("q.dead", prefetch=1)

    assert core.run(c.Redrive(queue="q.dead")).count == 1


def test_discarded_messages_are_settled_as_purged() -> None:
    core = with_dead(3)

    assert core.run(c.Discard(queue="q.dead", sequences=[0, 2, 2, 9])) == 2

    assert core.counts("q.dead") == {"ready": 1, "purged": 2}
    places = [core.machine.state.placements.of(3, index) for index in range(3)]
    assert places == [[], [(2, 1)], []]  # what is gone is no longer looked for here


def test_purging_takes_what_nobody_holds() -> None:
    core = Core()
    core.publish(3)
    core.publish(2, delay_ms=60_000)
    worker = core.consume(prefetch=2)
    core.nack(worker, 1, delay_ms=60_000)
    core.settle(worker, releases=[(2, 2)])

    assert core.run(c.Purge(queue="q")).count == 3

    assert core.counts() == {"leased": 2, "purged": 3, "retried": 1}
    assert core.machine.next_due() is not None
    core.wait(120_000)
    assert sum(core.counts().get(state, 0) for state in ("ready", "delayed", "retrying")) == 0


def test_cancelling_a_waiting_message_settles_it() -> None:
    core = Core()
    core.publish(1, delay_ms=5000)

    core.run(c.CancelMessage(queue="q", sequence=0))
    core.wait(10_000)

    assert core.sequences(core.consume()) == []
    assert core.counts() == {"cancelled": 1}


def test_cancelling_a_leased_message_revokes_the_lease() -> None:
    core = Core()
    core.publish(3)
    worker = core.consume(prefetch=3)

    core.run(c.CancelMessage(queue="q", sequence=1))

    assert [e for e in core.effects if isinstance(e, Revoke)] == [Revoke(worker, [(2, 2)], "cancelled")]
    assert core.settle(worker, acks=[(1, 3)]).lost == [(2, 2)]
    assert core.counts() == {"acked": 2, "cancelled": 1}


@pytest.mark.parametrize("sequence", [0, 99])
def test_cancelling_what_is_settled_or_never_was_is_refused(sequence: int) -> None:
    core = Core()
    core.publish(2)
    core.ack(core.consume(), 1)

    with pytest.raises(MessageNotFound):
        core.run(c.CancelMessage(queue="q", sequence=sequence))


def drained(core: Core, queue: str = "q") -> list[int]:
    """What a consumer with room for one gets, in order."""
    worker = core.consume(queue, prefetch=1)
    core.wait(500)  # after a restart it waits so long for holders to come back
    order: list[int] = []
    while len(core.got[worker]) > len(order):
        number = len(order) + 1
        order.append(core.got[worker][number])
        core.ack(worker, number)
    return order


def test_a_message_keeps_its_priority_through_dead_lettering_redriving_and_a_restart() -> None:
    core = Core()
    core.publish(3, priorities=[0, 7, 3])
    worker = core.consume(prefetch=3)
    core.nack(worker, 1, 3, dead=True)
    core.run(c.CancelConsumer(subscription=worker))
    core.restart()

    core.run(c.Redrive(queue="q.dead"))
    core.publish(1, priorities=[5])
    core.restart(from_snapshot=True)

    places = [record for record in core.records if isinstance(record, Move)]
    # The highest was delivered, and so died, first.
    assert [(place.why, place.priorities) for place in places] == [("dead", [7, 3, 0]), ("redriven", [7, 3, 0])]
    assert drained(core) == [3, 6, 4, 5]


def test_a_dead_letter_that_waits_for_another_attempt_is_redriven_with_its_priority() -> None:
    core = Core()
    core.publish(2, priorities=[4, 4])
    core.nack(core.consume(), 1, 2, dead=True)
    core.nack(core.consume("q.dead", prefetch=1), 1, delay_ms=60_000)

    core.run(c.Redrive(queue="q.dead", sequences=[0]))

    assert core.records[-2].priorities == [4]  # type: ignore[union-attr]  # the Move


def test_what_an_overflow_dead_letters_keeps_its_priority() -> None:
    core = Core()
    core.declare(length_max=1, overflow="dead_letter")
    core.publish(1, priority=6)
    core.publish(1)

    (place,) = [record for record in core.records if isinstance(record, Move)]
    assert place.priorities == [6]


def test_a_journal_from_before_priorities_were_placed_still_opens() -> None:
    header = b'{"k":"place","log":2,"at":5,"how":"dead","from":1,"e":[[0,3,0,10,0,5,1]],"why":"nack","by":"w"}'

    record = decode(header)

    assert isinstance(record, Move)
    assert (record.entries, record.priorities) == ([(0, 3, 0, 10, 0, 5, 1)], None)
    assert encode(record) == header


def test_editing_a_dead_letter_of_a_group_is_refused_since_it_would_reach_all_groups() -> None:
    core = Core()
    core.stream()
    core.group("a", start="earliest")
    core.group("b", start="earliest")
    core.append(1)
    core.nack(core.consume("s/a"), 1, dead=True)
    edited = c.RedriveEdited(queue="s.a.dead", sequence=0, publish=c.PublishMessages(queue="", sizes=[2]))

    with pytest.raises(InvalidState, match="group"):
        core.run(edited)

    assert core.counts("s.a.dead") == {"ready": 1}
    assert core.machine.state.streams["s"].log.next == 1
