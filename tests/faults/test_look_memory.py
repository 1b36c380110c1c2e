"""What looking costs in memory: caches, readers and watches are bounded in bytes and in pages, whatever is behind them."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine_rig import Rig, turns
from postroad.broker.engine.engine import DeliveryBatch, Reader, ReadSpec, WatchSpec
from postroad.broker.errors import PostroadError
from postroad.broker.journal import RealFiles

MIB = 1024 * 1024


async def test_headers_count_in_the_cache_of_bodies(tmp_path: Path) -> None:
    rig = await Rig(RealFiles(tmp_path / "data"), segment_bytes=8 * MIB).start()
    await rig.publish([b"first"])
    gc.collect()
    tracemalloc.start()
    try:
        for batch in range(20):
            headers = [{"about": f"{batch:04}-{index:04}" + "x" * 12_000} for index in range(100)]
            await rig.publish([b"b"] * 100, headers=headers)
        del headers
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        await rig.engine.close()

    assert kept <= 12 * MIB, "24 MB of headers were published, and the cache may have 6 MiB"


class PausingReader:
    """A reader's sink whose socket is full after each batch."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.offsets: list[int] = []
        self.end: PostroadError | None = None
        self.reader: Reader

    async def open(self, stream: str) -> None:
        self.reader = await self._rig.engine.read(ReadSpec(stream=stream, start="earliest"), self)

    def messages(self, batch: DeliveryBatch, trimmed: int | None) -> None:
        self.offsets += [run.sequence + k for run in batch.runs for k in range(run.count)]
        self.reader.pause()
        self._rig.changed.tell()

    def ended(self, error: PostroadError) -> None:
        self.end = error


async def test_a_reader_whose_socket_is_full_after_one_batch_has_read_little_more(rig: Rig) -> None:
    await rig.engine.declare("s", {}, kind="stream")
    for _ in range(200):
        await rig.publish([b"x" * 64 * 1024], "s", kind="stream")
    before = rig.files.count("pread")
    sink = PausingReader(rig)

    await sink.open("s")
    await rig.changed.until(lambda: sink.offsets)
    await turns()

    assert rig.files.count("pread") - before <= 16
    while len(sink.offsets) < 200:
        seen = len(sink.offsets)
        sink.reader.resume()
        await rig.changed.until(lambda seen=seen: len(sink.offsets) > seen)
    assert sink.offsets == list(range(200))


class Pages:
    """A watch's sink that keeps the length of each page of events."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.pages: list[int] = []
        self.positions: list[int] = []

    def events(self, events: Sequence[dict[str, Any]], trimmed: int | None) -> None:
        self.pages.append(len(events))
        self.positions.extend(event["position"] for event in events)
        self._rig.changed.tell()

    def state(self, state: dict[str, Any]) -> None: ...

    def ended(self, error: PostroadError) -> None: ...


async def test_a_watch_resumed_from_far_back_gets_its_events_in_pages(rig: Rig) -> None:
    first = await rig.publish([b"first"])
    for _ in range(3000):
        rig.send([b"x"])
    await rig.publish([b"last"])
    sink = Pages(rig)

    await rig.engine.watch(WatchSpec(queue="q", from_position=first.position), sink)
    await rig.changed.until(lambda: len(sink.positions) >= 3001)
    await rig.publish([b"later"])

    assert sink.positions == list(range(first.position + 1, first.position + 3003))
    assert max(sink.pages) <= 1000
