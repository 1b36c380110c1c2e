"""Queues that others name for their dead letters, circles of them, and bounds of dead-letter queues."""

from __future__ import annotations

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.core.format.record import Define
from postroad.broker.core.rules.dead_letters import STATIONS_MAX
from postroad.broker.errors import InvalidRequest
from postroad.broker.settings import QueueSettings


def update(core: Core, queue: str, **settings: object) -> None:
    core.run(c.Declare(queue=queue, settings=settings, update=True))


def die(core: Core, queue: str = "q", count: int = 1) -> None:
    core.publish(count, queue)
    finish_off(core, queue)


def finish_off(core: Core, queue: str) -> None:
    """Let all that is ready there die."""
    worker = core.consume(queue, prefetch=1000)
    core.wait(1000)  # after a restart nothing is handed out at once
    numbers = core.got[worker]
    core.nack(worker, min(numbers), max(numbers), dead=True, reason="bad")
    core.run(c.CancelConsumer(subscription=worker))


def ready(core: Core) -> dict[str, int]:
    return {
        name: queue.group.ready_count for name, queue in core.machine.state.queues.items() if queue.group.ready_count
    }


def test_dead_letters_pass_through_queues_by_the_rule_of_each() -> None:
    core = Core()
    core.declare("c", dead_letter=None)
    core.declare("b", dead_letter="c")
    core.declare("a", dead_letter="b")

    die(core, "a")
    assert ready(core) == {"b": 1}
    finish_off(core, "b")
    assert ready(core) == {"c": 1}
    finish_off(core, "c")

    assert ready(core) == {}
    assert core.counts("c") == {"dropped": 1}


def test_what_came_from_elsewhere_is_redriven_to_where_it_died_last() -> None:
    core = Core()
    core.declare("b")
    core.declare("a", dead_letter="b")
    die(core, "a")
    finish_off(core, "b")

    assert core.run(c.Redrive(queue="b.dead")).count == 1
    assert ready(core) == {"b": 1}


def test_a_journal_in_which_another_queue_was_made_a_dead_letter_queue_behaves_as_it_did() -> None:
    """An older broker wrote that the first time something died."""
    core = Core()
    core.declare("victim", attempts_max=1)
    victim = core.queue("victim")
    changed = QueueSettings(attempts_max=1, dead_letter=None).to_json()
    core.machine.commit(Define(core.at, "victim", victim.number, changed, "q"))
    core.collect()
    core.restart()

    die(core, "victim")

    assert core.counts("victim") == {"retrying": 1, "retried": 1}


def test_such_a_queue_gets_its_rule_back_when_it_is_declared_anew() -> None:
    core = Core()
    core.declare("victim", attempts_max=1)
    changed = QueueSettings(attempts_max=1, dead_letter=None).to_json()
    core.machine.commit(Define(core.at, "victim", core.queue("victim").number, changed, "q"))
    core.collect()

    update(core, "victim", dead_letter="")
    die(core, "victim")

    assert ready(core) == {"victim.dead": 1}


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_a_dead_letter_queue_that_is_given_a_rule_follows_it_also_after_a_restart(from_snapshot: bool) -> None:
    core = Core()
    die(core)
    update(core, "q.dead", dead_letter="grave")
    core.restart(from_snapshot=from_snapshot)

    finish_off(core, "q.dead")

    assert ready(core) == {"grave": 1}


def test_a_circle_of_three_is_refused_at_its_last_part_and_leaves_no_record() -> None:
    core = Core()
    core.declare("a", dead_letter="b")
    core.declare("b", dead_letter="c")
    before = len(core.records)

    with pytest.raises(InvalidRequest):
        core.declare("c", dead_letter="a")

    assert len(core.records) == before
    core.declare("c", dead_letter="d")


def test_a_queue_that_is_declared_again_as_it_is_may_be_in_a_circle() -> None:
    """It came about before circles were refused: a program that declares it at every start goes on."""
    core = circle()

    assert not core.declare("a", dead_letter="b")
    update(core, "a", dead_letter="b", attempts_max=7)
    with pytest.raises(InvalidRequest):
        update(core, "b", dead_letter="c")


def circle() -> Core:
    """``a`` → ``b`` → ``a``, and ``c`` → ``b``."""
    core = Core()
    core.declare("a")
    core.declare("b", dead_letter="a")
    core.declare("c", dead_letter="b")
    settings = QueueSettings(dead_letter="b").to_json()
    core.machine.commit(Define(core.at, "a", core.queue("a").number, settings, None))
    core.collect()
    return core


def test_in_a_circle_each_queue_keeps_its_dead_letters_in_one_of_its_own() -> None:
    core = circle()

    for _ in range(3):
        die(core, "a")
    die(core, "b")

    assert ready(core) == {"a.dead": 3, "b.dead": 1}
    assert core.run(c.Redrive(queue="a.dead")).count == 3


def test_who_leads_into_a_circle_is_not_in_it() -> None:
    core = circle()
    update(core, "c", attempts_max=1)

    die(core, "c")
    assert ready(core) == {"b": 1}
    finish_off(core, "b")
    assert ready(core) == {"b.dead": 1}


def test_a_circle_through_the_default_name_finds_another_one() -> None:
    core = Core()
    core.declare("a.dead", dead_letter="a")
    core.stream("a.dead_")

    die(core, "a", 2)
    die(core, "a")

    assert ready(core) == {"a.dead_2": 3}
    finish_off(core, "a.dead_2")
    assert core.counts("a.dead_2") == {"retrying": 3, "retried": 3}


def test_a_longer_way_than_anybody_needs_is_refused() -> None:
    core = Core()
    for number in range(STATIONS_MAX, 0, -1):
        core.declare(f"s{number}", dead_letter=f"s{number + 1}")

    with pytest.raises(InvalidRequest):
        core.declare("s0", dead_letter="s1")


def test_a_stream_that_took_the_name_later_gets_no_dead_letters() -> None:
    core = Core()
    core.declare(dead_letter="morgue")
    core.stream("morgue")

    die(core)

    assert ready(core) == {"q.dead": 1}


def test_a_stream_s_name_of_full_length_is_no_trap() -> None:
    core = Core()
    name = "n" * 70
    core.stream(f"{name}.dead")
    core.stream(f"{name}.dea_")

    die(core, name)

    assert ready(core) == {f"{name}.de_2": 1}


def test_a_consumer_that_comes_before_the_first_dead_letter_finds_a_dead_letter_queue() -> None:
    core = Core()
    core.group()
    early = core.consume("s.g.dead")
    core.append(1)
    finish_off(core, "s/g")

    core.nack(early, 1, dead=True)

    assert core.queue("s.g.dead").dead_letter_of == "s/g"
    assert "s.g.dead.dead" not in core.machine.state.queues


def test_a_declared_queue_of_that_name_stays_what_it_was_declared_to_be() -> None:
    core = Core()
    core.declare("q.dead", attempts_max=3)
    die(core)

    assert core.queue("q.dead").settings == QueueSettings(attempts_max=3)
    finish_off(core, "q.dead")
    assert ready(core) == {"q.dead.dead": 1}


def test_a_group_may_not_send_its_dead_letters_to_a_stream() -> None:
    core = Core()
    core.stream("other")
    with pytest.raises(InvalidRequest):
        core.group(dead_letter="other")

    assert list(core.machine.state.streams) == ["other"]


# Bounds


def test_dead_letters_are_never_refused_where_a_publish_would_be() -> None:
    core = Core()
    core.declare("morgue", length_max=2)
    core.declare(dead_letter="morgue")

    die(core, count=5)
    core.wait(0)

    assert ready(core) == {"morgue": 5}


def test_a_bounded_dead_letter_queue_that_drops_its_oldest_keeps_its_bound() -> None:
    core = Core()
    core.declare("morgue", bytes_max=30, overflow="drop_oldest")
    core.declare(dead_letter="morgue")

    die(core, count=5)
    core.wait(0)

    assert ready(core) == {"morgue": 3}
    assert core.counts("morgue") == {"ready": 3, "dropped": 2}


def test_one_that_dead_letters_its_oldest_passes_them_on_and_on() -> None:
    core = Core()
    core.declare("c", length_max=1, overflow="drop_oldest")
    core.declare("b", length_max=2, overflow="dead_letter", dead_letter="c")
    core.declare("a", dead_letter="b")

    die(core, "a", 7)
    core.wait(0)

    assert ready(core) == {"b": 2, "c": 1}


def test_bounds_in_a_circle_come_to_an_end() -> None:
    core = circle()
    for name in ("a", "b"):
        update(core, name, length_max=1, overflow="dead_letter")

    core.publish(9, "a")
    die(core, "c", 9)
    core.wait(0)

    assert ready(core) == {"a": 1, "b": 1, "a.dead": 8, "b.dead": 8}
