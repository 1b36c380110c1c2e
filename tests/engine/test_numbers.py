"""The numbers of queues and groups: depth, lag, age of the oldest, who holds what."""

from __future__ import annotations

from typing import Any

from engine_rig import Rig
from postroad.broker.core.format import command as c
from test_readers import declare, to


async def group(rig: Rig) -> dict[str, Any]:
    (found,) = (await rig.engine.query("stream", {"stream": "s"}))["stream"]["groups"]
    return dict(found)


async def test_the_age_of_the_oldest_counts_from_its_publish_until_it_is_settled(rig: Rig) -> None:
    await rig.publish([b"a"])
    rig.pass_time(3000)
    await rig.publish([b"b"])
    rig.pass_time(2000)
    worker = await rig.consume(prefetch=2)
    await rig.got(worker, 2)

    ages = [(await rig.stats())["oldest_ms"]]
    for number in (1, 2):
        await rig.settle(worker, acks=[(number, number)])
        ages.append((await rig.stats())["oldest_ms"])

    assert ages == [5000, 2000, None]


async def test_a_groups_lag_is_what_it_has_not_settled_wherever_that_is(rig: Rig) -> None:
    await declare(rig)
    rig.engine.execute(c.DeclareGroup(stream="s", group="g", settings={"backoff_ms": 60_000}))
    await to(rig, "s", [b"a", b"b", b"c", b"d"])
    worker = await rig.consume("s", group="g", prefetch=3)
    await rig.got(worker, 3)

    await rig.settle(worker, acks=[(2, 2)])
    await rig.nack(worker, 3)
    found = await group(rig)

    assert (found["lag"], found["committed"], found["leased"], found["retrying"]) == (3, 0, 2, 1)


async def test_what_a_group_lost_to_retention_is_counted(rig: Rig) -> None:
    await declare(rig, retention_count=1)
    rig.engine.execute(c.DeclareGroup(stream="s", group="g"))
    for body in (b"a", b"b", b"c"):
        await to(rig, "s", [body])

    found = await group(rig)
    stream = (await rig.engine.query("stream", {"stream": "s"}))["stream"]

    assert (found["lag"], found["committed"], found["trimmed_total"]) == (1, 2, 2)
    assert (stream["earliest"], stream["next"], stream["messages"], stream["bytes"]) == (2, 3, 1, 1)


async def test_a_queue_says_who_holds_how_much_and_since_when(rig: Rig) -> None:
    await rig.publish([b"a", b"b"])
    worker = await rig.consume(consumer="mailer-1", prefetch=7)
    await rig.got(worker, 2)
    rig.pass_time(1500)

    (row,) = (await rig.engine.query("queue", {"queue": "q"}))["consumers"]

    assert (row["consumer"], row["prefetch"], row["leased"], row["oldest_lease_ms"]) == ("mailer-1", 7, 2, 1500)
