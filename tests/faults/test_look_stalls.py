"""Looking does not hold up others: what is large is read in slices, and from where it is."""

from __future__ import annotations

import asyncio

from engine_rig import Rig

KIB = 1024


async def test_an_overview_of_many_queues_gives_way_to_others(rig: Rig) -> None:
    for number in range(2000):
        rig.send([b"x"], f"queue-{number:04}")
    await rig.publish([b"x"])
    turns = 0
    asked = asyncio.ensure_future(rig.engine.query("overview", {}))
    while not asked.done():
        turns += 1
        await asyncio.sleep(0)

    assert len((await asked)["queues"]) == 2001
    assert turns >= 8


async def test_the_last_events_of_an_idle_queue_are_found_without_reading_what_others_did(rig: Rig) -> None:
    idle = await rig.publish([b"x"], "idle")
    for _ in range(2000):
        rig.send([b"x" * KIB], "busy")
    await rig.publish([b"x"], "busy")
    before = rig.files.count("pread")

    events = (await rig.engine.query("events", {"queue": "idle", "last": 50}))["events"]

    assert (idle.position, "published") in [(event["position"], event["kind"]) for event in events]
    assert rig.files.count("pread") - before <= 32


async def test_the_first_read_of_an_old_segment_does_not_walk_through_it() -> None:
    rig = await Rig(segment_bytes=8 * KIB * KIB).start()
    sent = [rig.send([b"x" * KIB]) for _ in range(4000)]
    await rig.publish([b"last"])
    await rig.restart()
    await rig.restart()  # a segment that the start has read through is known
    before = rig.files.count("pread")

    message = await rig.engine.query("messages", {"queue": "q", "after": 3000, "limit": 1})

    assert message["messages"][0]["id"] == f"{sent[3001][0].id_prefix}0"
    assert rig.files.count("pread") - before <= 48
    await rig.engine.close()
