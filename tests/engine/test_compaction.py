"""Streams that keep the newest message of each key, and what a restart keeps of any stream."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from engine_rig import Rig, turns
from test_readers import read, to

TOMB = {"postroad-tombstone": "true"}


@pytest.fixture
async def table(rig: Rig) -> Rig:
    """A stream ``s`` of four messages, two of which compaction took."""
    await rig.engine.declare("s", {"compaction": True, "tombstone_ms": 60_000}, kind="stream")
    await to(rig, "s", [b"a1", b"b1"], keys=["a", "b"])
    await to(rig, "s", [b"a2"], key="a")
    await to(rig, "s", [b"c1", b"b2"], keys=["c", "b"])
    rig.pass_time(1000)
    await turns()
    return rig


async def test_a_reader_from_the_beginning_yields_the_state_table(table: Rig) -> None:
    reading = await read(table, "earliest")

    await table.changed.until(lambda: len(reading.seen) == 3)

    assert reading.seen == [(2, b"a2"), (3, b"c1"), (4, b"b2")]
    assert reading.trimmed == []


async def test_a_reader_that_was_behind_passes_over_gaps_without_a_word(table: Rig) -> None:
    reading = await read(table, ("offset", 1))
    reading.pause_after = 1
    await table.changed.until(lambda: len(reading.seen) == 3)
    await to(table, "s", [b"b3", b"c2", b"b4"], keys=["b", "c", "b"])
    await to(table, "s", [b"", b"a3"], keys=["c", "a"], headers=[TOMB, None])
    table.pass_time(1000)
    await turns()

    reading.pause_after = None
    reading.reader.resume()
    await table.changed.until(lambda: len(reading.seen) == 6)

    assert reading.seen[3:] == [(7, b"b4"), (8, b""), (9, b"a3")]
    assert reading.trimmed == []


async def test_a_reader_whose_place_is_all_gap_waits_for_what_comes(table: Rig) -> None:
    await to(table, "s", [b""] * 3, keys=["a", "b", "c"], headers=TOMB)
    for _ in range(3):
        table.pass_time(61_000)
        await turns()
    assert (await table.engine.query("stream", {"stream": "s"}))["stream"]["messages"] == 0
    reading = await read(table, ("offset", 0))

    await to(table, "s", [b"new"], key="d")
    await table.changed.until(lambda: reading.seen)

    assert (reading.seen, reading.trimmed) == ([(8, b"new")], [])


async def test_numbers_tell_what_compaction_took(table: Rig) -> None:
    await table.engine.declare("s", {}, kind="stream", group="g", start="earliest")

    stream = (await table.engine.query("stream", {"stream": "s"}))["stream"]

    assert (stream["messages"], stream["earliest"], stream["next"]) == (3, 2, 5)
    assert (stream["compacted_total"], stream["trimmed_total"]) == (2, 0)
    assert (stream["groups"][0]["lag"], stream["groups"][0]["compacted_total"]) == (3, 0)
    assert stream["settings"]["compaction"] is True


async def test_a_dry_run_of_a_replay_counts_what_is_there(table: Rig) -> None:
    asked = {"stream": "s", "first": 0, "last": 4, "queue": "q"}

    dry = await table.engine.operate("replay", {**asked, "dry_run": True})
    done = await table.engine.operate("replay", asked)

    assert dry["count"] == done["count"] == 3


async def test_the_table_survives_a_crash_before_and_after_compaction(table: Rig) -> None:
    await to(table, "s", [b"a3"], key="a")

    after = await table.crashed().start()
    early = await read(after, "earliest")
    await after.changed.until(lambda: len(early.seen) == 4)
    after.pass_time(1000)
    late = await read(after, "earliest")
    await after.changed.until(lambda: len(late.seen) == 3)

    assert early.seen == [(2, b"a2"), (3, b"c1"), (4, b"b2"), (5, b"a3")]
    assert late.seen == [(3, b"c1"), (4, b"b2"), (5, b"a3")]
    await after.engine.close()


@pytest.fixture
async def small() -> AsyncIterator[Rig]:
    """An engine whose journal lets go of segments as soon as it may."""
    rig = await Rig(segment_bytes=64 * 1024, history_ms=0, history_bytes=1, snapshots_kept=1).start()
    yield rig
    await rig.engine.close()


@pytest.mark.parametrize("groups", [0, 2])
async def test_a_stream_keeps_its_messages_after_a_restart_whatever_its_groups(small: Rig, groups: int) -> None:
    bodies = [os.urandom(2000) for _ in range(100)]
    for n in range(groups):
        await small.engine.declare("s", {}, kind="stream", group=f"g{n}", start="earliest")
    for body in bodies:
        await to(small, "s", [body])
    await small.restart()
    for _ in range(60):
        await small.publish([os.urandom(2000)])
    await small.restart()  # a snapshot covers it all: whatever nobody needs may go
    small.clock.advance(60_000)

    small.engine._journal.collect(small.clock.now_ms())
    reading = await read(small, "earliest")
    await small.changed.until(lambda: reading.end or len(reading.seen) == 100)

    assert reading.end is None
    assert [body for _, body in reading.seen] == bodies


async def test_a_trimmed_stream_frees_its_segments_after_a_restart(small: Rig) -> None:
    for n in range(2):
        await small.engine.declare("s", {}, kind="stream", group=f"g{n}", start="earliest")
    for _ in range(100):
        await to(small, "s", [os.urandom(2000)])
    await small.restart()
    await small.engine.declare("s", {"retention_count": 1}, kind="stream", update=True)
    await small.engine._pipeline.snapshots.write()
    small.clock.advance(60_000)

    small.engine._journal.collect(small.clock.now_ms())

    assert small.engine._journal.stats()["segments"] <= 2


# Expiry in groups


async def test_a_group_that_begins_later_gets_nothing_that_has_expired(rig: Rig) -> None:
    await to(rig, "s", [b"old", b"lasting"], expires_ms=[1000, None])
    rig.pass_time(1500)
    await to(rig, "s", [b"new"], expire_ms=5000)

    worker = await rig.consume("s", group="g", start="earliest")
    await rig.got(worker, 2)
    await turns()

    assert list(worker.bodies.values()) == [b"lasting", b"new"]
