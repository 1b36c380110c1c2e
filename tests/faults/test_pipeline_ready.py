"""``/readyz`` is false whenever a publish or a settle cannot be taken, and says why in a sentence."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from errno import EIO
from typing import Any

import httpx2
from engine_rig import Rig
from gateway_under_test import running_gateway
from postroad.broker.errors import StorageFull
from postroad.broker.testing import FaultyFiles, MemoryFiles


@asynccontextmanager
async def probed(rig: Rig) -> AsyncIterator[Callable[[], Any]]:
    async with (
        running_gateway(rig.engine) as running,  # type: ignore[arg-type]
        httpx2.AsyncClient(base_url=running.url, trust_env=False) as http,
    ):

        async def ready() -> tuple[int, str | None]:
            answer = await http.get("/readyz")
            return answer.status_code, answer.json().get("reason")

        yield ready


async def test_a_full_disk_is_not_ready_and_says_so() -> None:
    files = MemoryFiles()
    rig = await Rig(files, segment_bytes=64 * 1024).start()
    async with probed(rig) as ready:
        assert await ready() == (200, None)
        files.capacity = files.used
        for _ in range(200):
            outcome = rig.send([b"x" * 8000])
            await rig.changed.until(lambda outcome=outcome: outcome)  # type: ignore[misc]
            if isinstance(outcome[0], StorageFull):
                break
        status, reason = await ready()

    assert status == 503
    assert "disk" in reason


async def test_a_failed_journal_is_not_ready_and_says_so() -> None:
    files = FaultyFiles(MemoryFiles())
    rig = await Rig(files).start()
    async with probed(rig) as ready:
        files.fail("pwritev+sync", EIO)
        rig.send([b"x"])
        await rig.changed.until(lambda: rig.failures)
        status, reason = await ready()

    assert status == 503
    assert "journal" in reason


async def test_an_engine_that_stops_is_not_ready_and_says_so() -> None:
    rig = await Rig().start()
    async with probed(rig) as ready:
        rig.engine.stop_delivering()
        status, reason = await ready()

    assert status == 503
    assert "stopping" in reason


async def test_a_server_that_stops_is_not_ready_and_says_so() -> None:
    rig = await Rig().start()
    async with (
        running_gateway(rig.engine) as running,  # type: ignore[arg-type]
        httpx2.AsyncClient(base_url=running.url, trust_env=False) as http,
    ):
        running.server.stopping.set()
        answer = await http.get("/readyz")

    assert answer.status_code == 503
    assert "stopping" in answer.json()["reason"]
