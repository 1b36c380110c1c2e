"""What waits behind its ordering key is told apart from what could go."""

from __future__ import annotations

from engine_rig import Rig, turns


async def test_numbers_tell_what_waits_behind_its_key(rig: Rig) -> None:
    worker = await rig.consume(prefetch=3)
    await rig.publish([b"1", b"2", b"3", b"4"], keys=["a", "a", "a", "b"])
    await rig.got(worker, 2)

    stats = await rig.stats()
    parked = (await rig.engine.query("messages", {"queue": "q", "state": "parked"}))["messages"]

    assert (stats["ready"], stats["parked"], stats["leased"]) == (0, 2, 2)
    assert [row["sequence"] for row in parked] == [1, 2]
    await rig.settle(worker, acks=[(1, 1)])
    await turns()
    assert (await rig.stats())["parked"] == 1


async def test_groups_tell_it_as_well(rig: Rig) -> None:
    worker = await rig.consume("s", group="g")
    await rig.publish([b"1", b"2"], "s", kind="stream", key="a")
    await rig.got(worker, 1)

    (group,) = (await rig.engine.query("stream", {"stream": "s"}))["stream"]["groups"]

    assert (group["ready"], group["parked"], group["leased"], group["lag"]) == (0, 1, 1, 2)
