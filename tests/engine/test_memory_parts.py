"""What memory is spent on: each part grows with what it is about, and is given back with it."""

from __future__ import annotations

from typing import Any

import pytest
from engine_rig import Rig
from postroad.broker.engine.engine import LogLine, Nack


async def parts(rig: Rig) -> dict[str, int]:
    return dict((await rig.engine.query("overview", {}))["memory"])


async def grown(rig: Rig, before: dict[str, int]) -> set[str]:
    after = await parts(rig)
    return {part for part, size in after.items() if size > before[part]}


CASES: dict[str, dict[str, Any]] = {
    "waiting": {"delays_ms": [60_000 + n * 2000 for n in range(50)]},
    "dedup": {"dedup_keys": [f"key-{n}" for n in range(50)]},
    "runs": {"priorities": [n % 2 for n in range(50)]},
}


@pytest.mark.parametrize("part", CASES)
async def test_what_waits_or_is_remembered_shows_in_its_part(rig: Rig, part: str) -> None:
    await rig.publish([b"x"])
    before = await parts(rig)

    await rig.publish([b"x"] * 50, **CASES[part])

    assert part in await grown(rig, before)
    assert not {"waiting", "dedup", "attempts", "dead_letters"} & await grown(rig, before) - {part}


async def test_leases_attempts_dead_letters_log_lines_and_progress_show_and_go(rig: Rig) -> None:
    await rig.engine.declare("q", {"attempts_max": 2, "backoff_ms": 0})
    before = await parts(rig)
    await rig.publish([b"x"] * 4)
    worker = await rig.consume(prefetch=1)
    await rig.got(worker, 1)
    await rig.settle(worker, log=[LogLine(number=1, text="working")])
    assert {"leases", "message_logs"} <= await grown(rig, before)

    await rig.nack(worker, 1)
    await rig.got(worker, 2)
    assert "attempts" in await grown(rig, before)
    await rig.nack(worker, 2)
    await rig.got(worker, 3)
    assert "dead_letters" in await grown(rig, before)

    await rig.settle(worker, nacks=[Nack(first=3, last=3, dead=True)])
    worker.subscription.cancel()
    await rig.engine.operate("purge", {"queue": "q.dead"})
    await rig.engine.operate("purge", {"queue": "q"})
    assert not {"leases", "attempts", "dead_letters"} & await grown(rig, before)


async def test_the_resident_set_is_told(rig: Rig) -> None:
    assert (await parts(rig))["rss"] > 1_000_000
