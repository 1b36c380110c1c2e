"""Where exhausted messages go: a queue that is named for it stays what it is, and nothing goes round for ever."""

from __future__ import annotations

from typing import Any

import pytest
from engine_rig import Rig, Worker
from postroad.broker.errors import InvalidRequest, PostroadError


async def kill(rig: Rig, worker: Worker, count: int = 1) -> None:
    """Let the next ``count`` deliveries of this consumer be the last of their messages."""
    first = getattr(worker, "killed", 0) + 1
    await rig.got(worker, first + count - 1)
    for number in range(first, first + count):
        await rig.nack(worker, number, dead=True, reason="bad")
    worker.killed = first + count - 1  # type: ignore[attr-defined]


async def settings(rig: Rig, queue: str) -> dict[str, Any]:
    return dict((await rig.engine.query("queue", {"queue": queue}))["settings"])


async def ready(rig: Rig, queue: str) -> int:
    return int((await rig.stats(queue))["ready"]) if rig.engine.settings_of(queue) else 0


async def test_a_queue_named_for_dead_letters_keeps_its_settings_and_its_own_rule(rig: Rig) -> None:
    await rig.engine.declare("victim", {"attempts_max": 2, "dead_letter": "morgue"})
    await rig.engine.declare("q", {"dead_letter": "victim"})
    before = await settings(rig, "victim")

    await rig.publish([b"x"])
    await kill(rig, await rig.consume())

    assert await settings(rig, "victim") == before
    assert "dead_letter_of" not in await rig.stats("victim")


async def test_what_fails_where_dead_letters_go_follows_the_rule_of_that_queue(rig: Rig) -> None:
    await rig.engine.declare("victim", {"attempts_max": 1})
    await rig.engine.declare("q", {"dead_letter": "victim"})
    await rig.publish([b"x"])
    await kill(rig, await rig.consume())

    worker = await rig.consume("victim")
    await rig.got(worker, 1)
    await rig.nack(worker, 1)

    assert (await rig.stats("victim"))["dead_total"] == 1
    assert await ready(rig, "victim.dead") == 1


async def test_a_redrive_from_a_named_queue_takes_what_came_there_and_nothing_else(rig: Rig) -> None:
    await rig.engine.declare("victim", {})
    await rig.engine.declare("q", {"dead_letter": "victim"})
    await rig.publish([b"own"], "victim")
    await rig.publish([b"x"])
    await kill(rig, await rig.consume())

    answer = await rig.engine.operate("redrive", {"queue": "victim"})

    assert answer["count"] == 1
    assert (await ready(rig, "victim"), (await rig.stats())["leased"]) == (1, 1)
    assert (await settings(rig, "victim"))["dead_letter"] == "victim.dead"


async def test_a_circle_of_dead_letter_queues_is_refused(rig: Rig) -> None:
    await rig.engine.declare("a", {"dead_letter": "b"})
    await rig.engine.declare("b", {"dead_letter": "c"})

    with pytest.raises(InvalidRequest):
        await rig.engine.declare("c", {"dead_letter": "a"})
    await rig.engine.declare("c", {})
    with pytest.raises(InvalidRequest):
        await rig.engine.declare("c", {"dead_letter": "a"}, update=True)


async def test_a_circle_through_a_default_name_ends(rig: Rig) -> None:
    """``a.dead`` is there before ``a``, and names it."""
    try:
        await rig.engine.declare("a.dead", {"dead_letter": "a"})
        await rig.publish([b"x"], "a")
    except PostroadError:
        return
    before = await settings(rig, "a.dead")

    await kill(rig, await rig.consume("a"))

    assert await settings(rig, "a.dead") == before
    names = [queue["name"] for queue in (await rig.engine.query("queues", {}))["queues"]]
    assert sum([await ready(rig, name) for name in names if name != "a"]) == 1
    assert await ready(rig, "a") == 0


async def test_a_stream_cannot_be_named_for_dead_letters(rig: Rig) -> None:
    """The search for a free name added a character to one of full length, and took it away again."""
    longest = "n" * 74 + "_"
    await rig.engine.declare(longest, {}, kind="stream")

    with pytest.raises(PostroadError):
        await rig.engine.declare("q", {"dead_letter": longest})
