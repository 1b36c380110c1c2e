"""A queue's bounds hold whatever fills it, and what is refused leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
from engine_rig import Rig
from postroad.broker.errors import PostroadError, QueueFull


async def bury(rig: Rig, count: int, body: bytes = b"x", queue: str = "q") -> None:
    """Publish so many, and let them die."""
    await rig.publish([body] * count, queue)
    worker = await rig.consume(queue, prefetch=count)
    await rig.got(worker, count)
    for number in range(1, count + 1):
        await rig.nack(worker, number, dead=True, reason="bad")
    worker.subscription.cancel()


async def redrive(rig: Rig, **args: Any) -> dict[str, Any]:
    return dict(await rig.engine.operate("redrive", {"queue": "q.dead", **args}))


async def waiting(rig: Rig, queue: str = "q") -> int:
    stats = await rig.stats(queue)
    return int(stats["ready"] + stats["delayed"] + stats["retrying"] + stats["leased"])


async def test_a_redrive_moves_what_fits_and_says_how_many_stayed(rig: Rig) -> None:
    await bury(rig, 30)
    await rig.engine.declare("q", {"length_max": 10}, update=True)

    answer = await redrive(rig)

    assert (answer["count"], answer["left"], answer["reason"]) == (10, 20, "queue-full")
    assert (await waiting(rig), await waiting(rig, "q.dead")) == (10, 20)


async def test_a_redrive_respects_the_bytes_of_its_target(rig: Rig) -> None:
    await bury(rig, 14, b"x" * 1000)
    await rig.engine.declare("q", {"bytes_max": 10_000}, update=True)

    answer = await redrive(rig)

    assert (answer["count"], answer["left"]) == (10, 4)
    assert (await rig.stats())["bytes"] == 10_000


async def test_a_redrive_of_chosen_messages_respects_the_bounds(rig: Rig) -> None:
    await bury(rig, 5)
    await rig.engine.declare("q", {"length_max": 2}, update=True)
    rows = (await rig.engine.query("messages", {"queue": "q.dead"}))["messages"]

    answer = await redrive(rig, messages=[row["id"] for row in rows])

    assert (answer["count"], answer["left"], answer["reason"]) == (2, 3, "queue-full")


async def test_a_redrive_into_a_full_queue_is_refused_and_moves_nothing(rig: Rig) -> None:
    await bury(rig, 5)
    await rig.engine.declare("q", {"length_max": 1}, update=True)
    await rig.publish([b"here"])
    before = rig.engine.position

    with pytest.raises(QueueFull):
        await redrive(rig)

    assert rig.engine.position == before
    assert (await waiting(rig), await waiting(rig, "q.dead")) == (1, 5)


async def test_a_redrive_into_a_queue_that_drops_its_oldest_keeps_the_bound(rig: Rig) -> None:
    await bury(rig, 30)
    await rig.engine.declare("q", {"length_max": 10, "overflow": "drop_oldest"}, update=True)

    answer = await redrive(rig)

    assert answer["count"] == 30
    assert (await waiting(rig), await waiting(rig, "q.dead")) == (10, 0)


async def test_a_redrive_whose_overflow_comes_back_to_the_same_dead_letter_queue_ends(rig: Rig) -> None:
    await bury(rig, 30)
    await rig.engine.declare("q", {"length_max": 10, "overflow": "dead_letter"}, update=True)

    answer = await redrive(rig)

    assert answer["count"] == 30
    assert (await waiting(rig), await waiting(rig, "q.dead")) == (10, 20)


async def test_a_replay_moves_what_fits_and_says_how_many_did_not(rig: Rig) -> None:
    await rig.publish([b"x"] * 30, "s", kind="stream")
    await rig.engine.declare("copy", {"length_max": 10})

    answer = await rig.engine.operate("replay", {"stream": "s", "queue": "copy"})

    assert (answer["count"], answer["left"], answer["reason"]) == (10, 20, "queue-full")
    assert await waiting(rig, "copy") == 10
    with pytest.raises(QueueFull):
        await rig.engine.operate("replay", {"stream": "s", "queue": "copy"})


async def test_a_replay_into_a_queue_that_drops_its_oldest_keeps_the_bytes(rig: Rig) -> None:
    await rig.publish([b"x" * 100] * 30, "s", kind="stream")
    await rig.engine.declare("copy", {"bytes_max": 1000, "overflow": "drop_oldest"})

    await rig.engine.operate("replay", {"stream": "s", "queue": "copy"})

    assert (await rig.stats("copy"))["bytes"] == 1000


async def nothing_left_behind(rig: Rig, before: int) -> None:
    overview = await rig.engine.query("overview", {})
    assert [queue["name"] for queue in overview["queues"]] == ["q"]
    assert rig.engine.position == before, "a record of what was refused"


async def test_a_replay_of_an_empty_range_makes_no_queue(rig: Rig) -> None:
    await rig.publish([b"x"])
    await rig.engine.declare("s", {}, kind="stream")
    before = rig.engine.position

    assert (await rig.engine.operate("replay", {"stream": "s", "queue": "copy"}))["count"] == 0

    await nothing_left_behind(rig, before)


async def test_a_publish_to_a_group_is_refused(rig: Rig) -> None:
    await rig.engine.declare("s", {}, kind="stream", group="g")
    before = rig.engine.position

    with pytest.raises(PostroadError):
        await rig.publish([b"x"], "s/g")

    assert rig.engine.position == before
    assert rig.engine.healthy


@pytest.mark.parametrize("overflow", ["drop_oldest", "dead_letter"])
async def test_dead_letters_make_room_in_a_bounded_dead_letter_queue(rig: Rig, overflow: str) -> None:
    await rig.engine.declare("q.dead", {"length_max": 5, "overflow": overflow})

    await bury(rig, 20)

    assert await waiting(rig, "q.dead") == 5
