"""Power cuts at every step, in every state that unsynced sectors and names may be left in.

A workload runs on files that call back before each operation, and between writing and syncing. There the directory is
copied as a power cut might leave it, together with what was confirmed by then. Every copy must start by itself and hold
all that was confirmed, a whole unit or nothing of the rest, and never anything else. Starts are crashed the same way.
"""

from __future__ import annotations

import random
import threading

import pytest
from journal_rig import Rig, bodies, header
from postroad.broker.testing import FaultyFiles, MemoryFiles

Image = tuple[MemoryFiles, int]


class Cutter:
    """Takes crash images of a store in use."""

    def __init__(self, seed: int, share: float) -> None:
        self.rng = random.Random(seed)
        self.share = share
        self.images: list[Image] = []
        self.confirmed = 0
        self._mutex = threading.Lock()

    def files(self, memory: MemoryFiles) -> FaultyFiles:
        faulty = FaultyFiles(memory)

        def cut() -> None:
            with self._mutex:
                # What was confirmed is read first: it may grow while the copy is made, never the other way round.
                confirmed = self.confirmed
                if self.rng.random() < self.share:
                    self.images.append((memory.crashed(self.rng), confirmed))

        faulty.before = lambda operation, name: cut() if operation not in ("pread", "open", "close") else None
        faulty.between = cut
        return faulty


def run(cutter: Cutter, memory: MemoryFiles, units: int, **options: object) -> None:
    """Start, append units of one to five records, some waited for, with snapshots and collections; stop cleanly."""
    rng = random.Random(cutter.rng.random())
    rig = Rig(cutter.files(memory), history_bytes=0, **options)

    def durable(position: int) -> None:
        rig._on_durable(position)
        cutter.confirmed = position

    rig.journal.on_durable = durable
    rig.start()
    cutter.confirmed = max(cutter.confirmed, rig.journal.durable_position)
    for _ in range(units):
        first = rig.journal.position + 1
        unit = [(header(p), bodies(p) * rng.choice((1, 1, 20))) for p in range(first, first + first % 5 + 1)]
        rig.put(*unit, wait=rng.random() < 0.5)
        if rng.random() < 0.05:
            position = rig.journal.durable_position
            rig.journal.write_snapshot(position, b"%d" % position)
            rig.journal.collect(rig.journal._clock.now_ms() + 10**9)
    rig.close()


def check(image: MemoryFiles, confirmed: int) -> None:
    rig = Rig(image).start()
    try:
        snapshot = rig.recovered.snapshot_position
        assert rig.recovered.snapshot in (None, b"%d" % snapshot)
        positions = [position for position, _ in rig.replayed]
        assert positions == list(range(snapshot + 1, rig.recovered.last_position + 1))
        assert rig.recovered.last_position >= confirmed, "a confirmed record is lost"
        for position, head in rig.replayed:
            assert head == header(position)
            body = bytes(rig.journal.read(position)[1])
            assert body in (bodies(position), bodies(position) * 20)
        # Units start at a position n and have n % 5 + 1 records, so their ends can be told from the start.
        end = 0
        while end < rig.recovered.last_position:
            end += (end + 1) % 5 + 1
        assert end == rig.recovered.last_position, "part of a unit was kept"
    finally:
        rig.close()


@pytest.mark.parametrize("seed", range(4))
def test_every_crash_image_starts_with_all_that_was_confirmed(seed: int) -> None:
    cutter = Cutter(seed, share=0.9)
    run(cutter, MemoryFiles(), 150)
    cutter.rng.shuffle(cutter.images)
    images = cutter.images[:150]

    assert len(images) == 150
    for image, confirmed in images:
        check(image, confirmed)


@pytest.mark.parametrize("seed", range(2))
def test_crashes_during_starts_lose_nothing_either(seed: int) -> None:
    first = Cutter(seed, share=0.05)
    run(first, MemoryFiles(), 80)
    images = first.images[-12:]
    for image, confirmed in images:
        again = Cutter(seed + confirmed, share=0.4)
        again.confirmed = confirmed
        run(again, image, 3)
        assert again.images
        for second, then_confirmed in again.images[:15]:
            check(second, then_confirmed)


def test_stale_bytes_of_recycled_segments_never_come_back() -> None:
    cutter = Cutter(99, share=0.5)
    memory = MemoryFiles()
    run(cutter, memory, 300)
    recycled = [image for image, _ in cutter.images if any(name.endswith(".recycled") for name in image.list())]

    assert recycled, "the workload must recycle"
    for image, confirmed in cutter.images[-100:]:
        check(image, confirmed)


def lost(images: list[Image]) -> int:
    count = 0
    for image, confirmed in images:
        try:
            check(image, confirmed)
        except AssertionError:
            count += 1
    return count


@pytest.mark.parametrize("durability", ["os", "memory"])
def test_control_a_writer_that_reports_before_the_sync_is_caught(durability: str) -> None:
    cutter = Cutter(7, share=0.5)
    try:
        run(cutter, MemoryFiles(), 60, durability=durability)
    finally:
        assert lost(cutter.images[-100:]) > 0
