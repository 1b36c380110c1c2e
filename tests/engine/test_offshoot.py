"""Snapshots are made by a forked copy of the process: the broker goes on meanwhile, and nothing that happens to the copy harms it."""

from __future__ import annotations

import asyncio
import logging
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from engine_rig import Rig
from postroad.broker.engine.embedded.write import offshoot
from postroad.broker.engine.embedded.write.offshoot import fork
from postroad.broker.errors import Unavailable
from postroad.broker.testing import MemoryFiles

pytestmark = pytest.mark.skipif(not offshoot.CAN_FORK, reason="snapshots are made on the loop here")
WAIT_S = 20.0


class Held:
    """A copy that says when it has begun, and waits before it takes its snapshot."""

    def __init__(self, take: Callable[[], tuple[int, bytes]]) -> None:
        self._take = take
        self._shared = mmap.mmap(-1, 2)

    def __call__(self) -> tuple[int, bytes]:
        self._shared[0] = 1
        while not self._shared[1]:
            time.sleep(0.001)
        return self._take()

    def wait(self) -> None:
        """Until the copy has begun."""
        until = time.monotonic() + WAIT_S
        while not self._shared[0]:
            assert time.monotonic() < until
            time.sleep(0.001)

    def let_go(self) -> None:
        self._shared[1] = 1


def snapshots_of(rig: Rig) -> Any:
    return rig.engine._pipeline.snapshots


def positions(rig: Rig) -> list[int]:
    return list(rig.engine._journal.stats()["snapshots"])


def is_reaped(pid: int) -> bool:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


async def test_what_is_published_while_a_snapshot_is_made_is_confirmed_and_delivered(rig: Rig) -> None:
    await rig.publish([b"before"])
    snapshots = snapshots_of(rig)
    snapshots.take = held = Held(snapshots.take)
    writing = asyncio.ensure_future(snapshots.write())
    await asyncio.to_thread(held.wait)

    await rig.publish([b"meanwhile"])
    worker = await rig.consume(prefetch=2)
    await rig.got(worker, 2)
    assert not writing.done()
    held.let_go()
    await writing

    assert len(positions(rig)) == 1


async def test_a_snapshot_is_of_the_moment_of_the_fork_whatever_happens_until_it_is_written(rig: Rig) -> None:
    await rig.publish([b"a", b"b", b"c"], delays_ms=[0, 60_000, 0])
    worker = await rig.consume(prefetch=1)
    await rig.got(worker, 1)
    snapshots = snapshots_of(rig)
    now = snapshots.take()
    snapshots.take = held = Held(snapshots.take)
    writing = asyncio.ensure_future(snapshots.write())
    await asyncio.to_thread(held.wait)
    await rig.settle(worker, acks=[(1, 1)])
    await rig.publish([b"d"])
    held.let_go()
    await writing

    assert positions(rig) == [now[0]]
    again = rig.crashed()
    assert isinstance(again.files, MemoryFiles)
    assert bytes(again.files.content(f"{now[0]:016x}.snapshot"))[48:-4] == now[1]
    await again.start()
    stats = await again.stats()
    assert (stats["ready"], stats["delayed"], stats["acked_total"]) == (2, 1, 1)
    await again.engine.close()


@pytest.mark.parametrize("how", ["killed", "raises"])
async def test_a_copy_that_fails_is_told_in_the_log_and_the_next_snapshot_is_made(
    rig: Rig, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    await rig.publish([b"a"])
    snapshots = snapshots_of(rig)
    await snapshots.write()
    older = positions(rig)
    await rig.publish([b"b"])
    take = snapshots.take

    def fail() -> tuple[int, bytes]:
        if how == "raises":
            raise MemoryError("no room")
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    snapshots.take = fail
    with caplog.at_level(logging.ERROR, "postroad.engine"):
        await snapshots.write()

    assert positions(rig) == older
    assert ("no room" if how == "raises" else "ended early") in caplog.text
    assert rig.failures == 0
    snapshots.take = take
    await snapshots.write()
    assert len(positions(rig)) == 2
    await rig.publish([b"c"])


async def test_a_failed_snapshot_is_tried_again_after_a_pause(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = snapshots_of(rig)
    monkeypatch.setattr(type(snapshots), "count", lambda self, *counts: setattr(self, "_work", 10**9))
    await rig.publish([b"a"])
    take = snapshots.take

    def fail() -> tuple[int, bytes]:
        raise MemoryError("no room")

    snapshots.take = fail
    snapshots.consider(rig.clock.now_ms())
    await asyncio.wait([snapshots._task])
    snapshots.take = take

    snapshots.consider(rig.clock.now_ms())
    await asyncio.wait([snapshots._task])
    assert positions(rig) == []
    snapshots.consider(rig.clock.advance(60_000))
    await asyncio.wait([snapshots._task])

    assert len(positions(rig)) == 1


async def test_a_copy_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offshoot, "SILENCE_MS", 1)
    held = Held(lambda: (1, b""))
    child = fork(held)

    with pytest.raises(Unavailable, match="nothing any more"):
        child.head()
    child.end()

    assert is_reaped(child.pid)


def test_a_copy_leaves_no_zombie() -> None:
    child = fork(lambda: (7, b"state"))

    assert child.head() == (7, 5)
    assert b"".join(child.slices(5)) == b"state"
    child.end()
    child.kill()

    assert is_reaped(child.pid)


def test_a_snapshot_larger_than_a_pipe_comes_whole() -> None:
    data = os.urandom(5_000_001)
    child = fork(lambda: (1, data))

    _, length = child.head()
    parts = list(child.slices(length))
    child.end()

    assert b"".join(parts) == data
    assert max(map(len, parts)) <= offshoot.SLICE_BYTES


def test_a_socket_that_the_broker_closes_is_closed_for_its_peer_though_a_copy_lives() -> None:
    ours, theirs = socket.socketpair()
    held = Held(lambda: (1, b""))
    child = fork(held)
    held.wait()

    ours.close()

    theirs.settimeout(WAIT_S)
    assert theirs.recv(1) == b""
    child.end()
    theirs.close()


def test_signals_that_are_meant_for_the_broker_do_not_end_the_copy() -> None:
    held = Held(lambda: (1, b"state"))
    child = fork(held)
    held.wait()

    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(child.pid, number)
    held.let_go()

    assert child.head() == (1, 5)
    child.end()


ORPHAN = """
import os, sys, time
from postroad.broker.engine.embedded.write.offshoot import fork
def take():
    while True:
        time.sleep(0.001)
child = fork(take)
print(child.pid, flush=True)
sys.stdin.read()
os.kill(os.getpid(), 9)
"""


def test_a_copy_does_not_outlive_the_broker() -> None:
    broker = subprocess.Popen([sys.executable, "-c", ORPHAN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert broker.stdin is not None and broker.stdout is not None
    copy = os.pidfd_open(int(broker.stdout.readline()))

    broker.stdin.close()
    broker.wait(WAIT_S)

    ended = select.poll()
    ended.register(copy, select.POLLIN)
    assert ended.poll(WAIT_S * 1000)
    os.close(copy)
    broker.stdout.close()


async def test_a_stop_does_not_wait_for_a_copy_and_takes_the_last_snapshot_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = await Rig().start()
    await rig.publish([b"a"])
    snapshots = snapshots_of(rig)
    take = snapshots.take
    snapshots.take = held = Held(take)
    snapshots._work = 10**9
    snapshots.consider(rig.clock.now_ms())
    await asyncio.to_thread(held.wait)
    snapshots.take = take

    await rig.engine.close()

    assert f"{rig.engine.position:016x}.snapshot" in rig.files.list()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
