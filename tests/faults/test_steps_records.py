"""What is large goes in steps: no record of an operation or of a limit holds more than a step's messages.

Events tell: there is one for each record, and its ``count`` is exact.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from engine_rig import Rig, Watcher, turns
from postroad.broker.engine.engine import Nack

STEP_ITEMS = 1000
MANY = 2500


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = await Rig(segment_bytes=8 * 1024 * 1024).start()
    yield rig
    await rig.engine.close()


async def filled(rig: Rig, count: int = MANY, queue: str = "q", **more: Any) -> list[str]:
    """So many messages; returns their ids."""
    confirm = await rig.publish([b"x"] * count, queue, **more)
    return [f"{confirm.id_prefix}{index}" for index in range(count)]


async def dead(rig: Rig, count: int = MANY) -> list[str]:
    """So many dead letters in ``q.dead``; returns their ids."""
    await rig.engine.declare("q", {"attempts_max": 1})
    ids = await filled(rig, count)
    worker = await rig.consume(prefetch=count)
    await rig.got(worker, count)
    for number in range(1, count + 1, STEP_ITEMS):
        nack = Nack(first=number, last=min(number + STEP_ITEMS - 1, count))
        await rig.settle(worker, nacks=[nack])
    worker.subscription.cancel()
    return ids


def counts(watcher: Watcher, kind: str) -> list[int]:
    return [event["count"] for event in watcher.seen if event["kind"] == kind]


async def all_of(rig: Rig, watcher: Watcher, kind: str, count: int = MANY) -> None:
    """Wait for events about ``count`` messages: they come in as many turns as it takes."""
    for _ in range(count):
        if sum(counts(watcher, kind)) >= count:
            break
        await rig.engine.query("queues", {})
        await turns(5)
    assert sum(counts(watcher, kind)) == count


async def test_a_purge_settles_a_step_at_a_time(rig: Rig) -> None:
    await filled(rig)
    watcher = await rig.watch(queue="q")

    answer = await rig.engine.operate("purge", {"queue": "q"})

    await all_of(rig, watcher, "purged")
    assert answer["count"] == MANY
    assert max(counts(watcher, "purged")) <= STEP_ITEMS


async def test_a_purge_of_what_is_delayed_settles_a_step_at_a_time(rig: Rig) -> None:
    await filled(rig, delay_ms=60_000)
    watcher = await rig.watch(queue="q")

    answer = await rig.engine.operate("purge", {"queue": "q"})

    await all_of(rig, watcher, "purged")
    assert answer["count"] == MANY
    assert max(counts(watcher, "purged")) <= STEP_ITEMS


async def test_a_discard_of_many_ids_settles_a_step_at_a_time(rig: Rig) -> None:
    ids = await filled(rig)
    watcher = await rig.watch(queue="q")

    answer = await rig.engine.operate("discard", {"queue": "q", "messages": ids})

    await all_of(rig, watcher, "purged")
    assert answer["count"] == MANY
    assert max(counts(watcher, "purged")) <= STEP_ITEMS


async def test_a_redrive_of_many_ids_moves_a_step_at_a_time(rig: Rig) -> None:
    ids = await dead(rig)
    watcher = await rig.watch(queue="q")

    answer = await rig.engine.operate("redrive", {"queue": "q.dead", "messages": ids})

    await all_of(rig, watcher, "redriven")
    assert answer["count"] == MANY
    assert max(counts(watcher, "redriven")) <= STEP_ITEMS


@pytest.mark.parametrize("overflow", ["dead_letter", "drop_oldest"])
async def test_a_lower_bound_lets_messages_go_a_step_at_a_time_and_needs_no_publish_to_begin(
    rig: Rig, overflow: str
) -> None:
    await filled(rig)
    watcher = await rig.watch(queue="q")

    await rig.engine.declare("q", {"length_max": 1, "overflow": overflow}, update=True)

    await all_of(rig, watcher, "dead", MANY - 1)
    assert max(counts(watcher, "dead")) <= STEP_ITEMS
    assert (await rig.stats())["ready"] == 1


async def test_leases_that_end_together_are_counted_a_step_at_a_time(rig: Rig) -> None:
    await rig.engine.declare("q", {"lease_ms": 1000})
    await filled(rig)
    watcher = await rig.watch(queue="q")
    worker = await rig.consume(prefetch=MANY)
    await rig.got(worker, MANY)
    await rig.settle(worker, begun=MANY)

    rig.pass_time(1001)

    await all_of(rig, watcher, "retrying")
    assert max(counts(watcher, "retrying")) <= STEP_ITEMS


async def test_what_expires_together_is_settled_a_step_at_a_time(rig: Rig) -> None:
    await filled(rig, expire_ms=1000)
    watcher = await rig.watch(queue="q")

    rig.pass_time(1001)

    await all_of(rig, watcher, "expired")
    assert max(counts(watcher, "expired")) <= STEP_ITEMS


async def test_a_stream_lets_go_of_a_step_of_records_at_a_time(rig: Rig) -> None:
    await rig.engine.declare("s", {"retention_count": 1_000_000}, kind="stream")
    last = [rig.send([b"x"], "s", kind="stream") for _ in range(MANY)][-1]
    await rig.changed.until(lambda: last)
    watcher = await rig.watch(queue="s")

    await rig.engine.declare("s", {"retention_count": 1}, update=True, kind="stream")
    for _ in range(MANY):
        if watcher.seen and watcher.seen[-1].get("earliest") == MANY - 1:
            break
        await rig.engine.query("queues", {})
        await turns(5)

    ends = [0, *(event["earliest"] for event in watcher.seen if event["kind"] == "trimmed")]
    assert ends[-1] == MANY - 1
    assert max(after - before for before, after in pairwise(ends)) <= STEP_ITEMS


async def test_schedules_that_are_due_together_never_make_a_unit_that_no_segment_holds() -> None:
    rig = await Rig(segment_bytes=256 * 1024).start()
    for number in range(10):  # of 62 KB each: together more than a segment
        message = {"body": "x" * 62_000, "type": "text"}
        args = {"schedule": f"s{number}", "every_ms": 60_000, "queue": "q", "message": message}
        await rig.engine.operate("schedule", args)

    rig.pass_time(60_000)
    for _ in range(200):
        if all(row["fired"] for row in (await rig.engine.query("schedules", {}))["schedules"]):
            break
        await turns(5)

    assert [row["fired"] for row in (await rig.engine.query("schedules", {}))["schedules"]] == [1] * 10
    await rig.engine.close()
