"""Progress is not durable, but whoever comes later sees the last of it."""

from __future__ import annotations

from engine_rig import Rig
from postroad.broker.engine.engine import Progress


async def test_who_asks_later_sees_the_last_progress_of_a_running_message(rig: Rig) -> None:
    worker = await rig.consume()
    confirm = await rig.publish([b"1"])
    await rig.got(worker, 1)
    await rig.settle(worker, progress=[Progress(number=1, percent=30, note="rendering")])
    await rig.settle(worker, progress=[Progress(number=1, percent=60, note="sending")])

    message = (await rig.engine.query("message", {"message": f"{confirm.id_prefix}0"}))["message"]

    assert (message["progress"]["percent"], message["progress"]["note"]) == (60, "sending")
    assert message["timeline"][-1]["kind"] == "progress"
    assert message["timeline"][0]["queue"] == "q"


async def test_progress_ends_with_its_attempt(rig: Rig) -> None:
    worker = await rig.consume()
    confirm = await rig.publish([b"1", b"2"])
    await rig.got(worker, 2)
    await rig.settle(worker, progress=[Progress(number=1, percent=30), Progress(number=2, percent=40)])
    await rig.settle(worker, acks=[(2, 2)], releases=[(1, 1)])
    await rig.got(worker, 3)

    message = (await rig.engine.query("message", {"message": f"{confirm.id_prefix}0"}))["message"]

    assert (message["state"], message["progress"]) == ("delivered", None)
    assert rig.engine._watching.progress._latest == {}
