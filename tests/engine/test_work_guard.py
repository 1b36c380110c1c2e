"""A guard of the work for each 1,000 messages: it fails when a change makes the busy paths do more, on any machine.

Counted are encodings of records, bytes of their headers, reads and synced writes of the disk, and calls of Python functions of ours,
for batches and for frames of one message. The bounds are somewhat above what is needed; a change that needs more raises them with a reason.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest
from engine_rig import Rig, turns
from postroad.broker.core.rules import context
from postroad.broker.testing import FaultyFiles

MESSAGES = 1000
BATCH = 500


@dataclass
class Work:
    calls: int = 0
    encoded: int = 0
    header_bytes: int = 0
    reads: int = 0
    writes: int = 0


@contextmanager
def counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    work = Work()
    encode = context.encode
    assert isinstance(rig.files, FaultyFiles)

    def counting(*args: Any) -> bytes:
        header = encode(*args)
        work.encoded += 1
        work.header_bytes += len(header)
        return header

    def called(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and "postroad/broker/" in frame.f_code.co_filename:
            work.calls += 1

    reads, writes = rig.files.count("pread"), rig.files.count("pwritev+sync")
    profiler = sys.getprofile()
    with monkeypatch.context() as patched:
        patched.setattr(context, "encode", counting)
        sys.setprofile(called)
        try:
            yield work
        finally:
            sys.setprofile(profiler)
    work.reads = rig.files.count("pread") - reads
    work.writes = rig.files.count("pwritev+sync") - writes


async def publish_all(rig: Rig, batch: int) -> None:
    outcomes = [rig.send([b"x" * 100] * batch) for _ in range(MESSAGES // batch)]
    await rig.changed.until(lambda: all(outcomes))


async def deliver_all(rig: Rig, worker: Any) -> None:
    worker.subscription.prefetch(MESSAGES)
    await rig.changed.until(lambda: len(worker.ids) == MESSAGES)


async def ack_all(rig: Rig, worker: Any, batch: int) -> None:
    for first in range(1, MESSAGES + 1, batch):
        await rig.settle(worker, acks=[(first, first + batch - 1)])


# For each path: calls of functions, encodings and bytes of headers, reads.
BOUNDS = {
    ("publish", BATCH): (210, 2, 4500, 0),
    ("deliver", BATCH): (180, 0, 0, 0),
    ("ack", BATCH): (360, 2, 300, 0),
    ("publish", 1): (93_000, MESSAGES, 75_000, 0),
    ("deliver", 1): (7_500, 0, 0, 0),
    ("ack", 1): (175_000, MESSAGES, 135_000, 0),
}


@pytest.mark.parametrize("batch", [BATCH, 1], ids=["in batches", "singly"])
async def test_publish_deliver_and_ack_do_no_more_work_than_they_may(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    await rig.publish([b"warm"], "other")
    worker = await rig.consume("q", prefetch=1)
    worker.subscription.pause()
    await turns()
    done: dict[tuple[str, int], Work] = {}

    with counted(rig, monkeypatch) as done["publish", batch]:
        await publish_all(rig, batch)
    with counted(rig, monkeypatch) as done["deliver", batch]:
        worker.subscription.resume()
        await deliver_all(rig, worker)
    with counted(rig, monkeypatch) as done["ack", batch]:
        await ack_all(rig, worker, batch)

    told = {path: (work.calls, work.encoded, work.header_bytes, work.reads) for path, work in done.items()}
    assert {path: got for path, got in told.items() if any(g > b for g, b in zip(got, BOUNDS[path], strict=True))} == {}
    assert done["publish", batch].writes <= 4, "what is published in one turn of the loop shares a sync"
