"""Streams and groups are followed like queues."""

from __future__ import annotations

import pytest
from engine_rig import Rig
from postroad.broker.errors import QueueNotFound


async def test_a_stream_is_followed_with_its_groups(rig: Rig) -> None:
    await rig.engine.declare("clicks", {}, kind="stream")
    await rig.engine.declare("clicks", {}, group="an", start="earliest")
    stream = await rig.watch(queue="clicks")
    group = await rig.watch(queue="clicks/an")
    everything = await rig.watch()

    await rig.publish([b"1", b"2"], queue="clicks", kind="stream")
    await rig.changed.until(lambda: stream.states and group.states and everything.states)

    assert stream.snapshot["stream"]["messages"] == 0
    assert stream.states[-1]["stream"]["groups"][0]["lag"] == 2
    assert group.states[-1]["queue"]["ready"] == 2
    assert everything.snapshot["streams"][0]["name"] == "clicks"
    assert [found["name"] for found in everything.states[-1]["streams"]] == ["clicks"]
    assert [event["kind"] for event in stream.seen] == ["published"]


async def test_what_a_group_does_is_an_event_of_its_stream(rig: Rig) -> None:
    await rig.engine.declare("clicks", {}, kind="stream")
    await rig.engine.declare("clicks", {}, group="an", start="earliest")
    watcher = await rig.watch(queue="clicks")

    await rig.engine.operate("reset", {"stream": "clicks", "group": "an", "to": "latest"})
    await rig.changed.until(lambda: watcher.seen)

    assert (watcher.seen[-1]["kind"], watcher.seen[-1]["queue"]) == ("reset", "clicks/an")


async def test_a_group_that_is_not_there_cannot_be_followed(rig: Rig) -> None:
    await rig.engine.declare("clicks", {}, kind="stream")

    with pytest.raises(QueueNotFound):
        await rig.watch(queue="clicks/none")
