"""What a restart keeps, and what storage trouble may and may not do."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest
from engine_rig import HeldSync, Rig, turns
from postroad.broker.engine.open import open_engine
from postroad.broker.errors import PostroadError, StorageFull, Unavailable
from postroad.broker.journal import RealFiles
from postroad.broker.testing import FaultyFiles, MemoryFiles


async def test_a_restart_keeps_messages_order_attempts_and_counts(rig: Rig) -> None:
    await rig.publish([b"0", b"1", b"2", b"3"], priorities=[0, 5, 0, 0])
    worker = await rig.consume(prefetch=2)
    await rig.got(worker, 2)
    await rig.settle(worker, acks=[(1, 1)])
    await rig.got(worker, 3)
    await rig.nack(worker, 2, delay_ms=1)
    worker.subscription.cancel()

    await rig.restart()
    again = await rig.consume()
    await turns()
    assert again.ids == {}  # holders may come back
    rig.pass_time(500)
    await rig.got(again, 3)

    assert list(again.bodies.values()) == [b"0", b"2", b"3"]
    assert list(again.attempts.values()) == [2, 1, 1]
    stats = await rig.stats()
    assert (stats["published_total"], stats["acked_total"], stats["leased"]) == (4, 1, 3)


async def test_a_crash_keeps_every_confirmed_message_and_ack(rig: Rig) -> None:
    await rig.publish([b"%d" % n for n in range(20)])
    worker = await rig.consume(prefetch=5)
    await rig.got(worker, 5)
    await rig.settle(worker, acks=[(1, 3)])

    after = await rig.crashed().start()
    survivor = await after.consume(prefetch=100)
    after.pass_time(500)
    await after.got(survivor, 17)
    await turns()

    assert list(survivor.bodies.values()) == [b"%d" % n for n in range(3, 20)]
    await after.engine.close()


async def test_ids_say_the_epoch_and_stay(rig: Rig) -> None:
    before = await rig.publish([b"1"])
    await rig.restart()
    after = await rig.publish([b"2"])

    assert (before.id_prefix[:2], after.id_prefix[:2]) == ("1-", "2-")
    assert (await rig.message(f"{before.id_prefix}0"))["body"] == 1
    assert rig.engine.epoch == 2


async def test_a_frame_sent_again_after_a_restart_is_stored_once(rig: Rig) -> None:
    first = await rig.publish([b"1"], producer=("p", 1))
    await rig.restart()

    assert rig.engine.session_opened("p") == 1
    again = await rig.publish([b"1"], producer=("p", 1))

    assert (again.replayed, again.position, again.id_prefix) == (True, first.position, first.id_prefix)
    assert (await rig.stats())["published_total"] == 1


async def test_after_a_restart_a_holder_settles_under_the_old_numbers(rig: Rig) -> None:
    await rig.publish([b"1", b"2"])
    first = await rig.consume()
    await rig.got(first, 2)
    await rig.restart()

    again = await rig.consume(resume=first.subscription.token, held=[(1, 2, 0)], begun=2)

    assert again.subscription.lost == []
    assert (await rig.settle(again, acks=[(1, 2)])).lost == []
    assert (await rig.stats())["acked_total"] == 2


async def test_a_store_on_a_real_disk_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    rig = await Rig(RealFiles(folder)).start()
    await rig.publish([b"kept"])
    store = rig.engine.store
    await rig.engine.close()
    await rig.engine.close()

    again = await Rig(RealFiles(folder)).start()
    worker = await again.consume()
    again.pass_time(500)
    await again.got(worker, 1)

    assert (again.engine.store, worker.bodies[1]) == (store, b"kept")
    await again.engine.close()


async def test_a_second_broker_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    rig = await Rig(RealFiles(tmp_path / "data")).start()

    with pytest.raises(Unavailable):
        await open_engine(data=str(tmp_path / "data")).start()

    await rig.engine.close()


async def test_closing_answers_what_is_owed_and_refuses_what_is_new(rig: Rig) -> None:
    worker = await rig.consume()
    outcome = rig.send([b"1"])

    await rig.engine.close()
    late = rig.send([b"2"])

    assert not isinstance(outcome[0], PostroadError)
    assert isinstance(late[0], Unavailable) and isinstance(worker.end, Unavailable)
    with pytest.raises(Unavailable):
        await rig.engine.declare("new", {})


async def test_a_failed_sync_confirms_nothing_and_says_so_once() -> None:
    files = FaultyFiles(MemoryFiles())
    rig = await Rig(files).start()
    await rig.publish([b"safe"])
    files.fail("pwritev+sync", errno.EIO)

    outcome = rig.send([b"lost"])
    asked = asyncio.ensure_future(rig.engine.query("queues", {}))
    await rig.changed.until(lambda: rig.failures)
    files.heal()
    late = rig.send([b"later"])
    await turns()

    assert not rig.engine.healthy
    assert [type(answer).__name__ for answer in outcome] in ([], ["Unavailable"])
    assert isinstance(late[0], Unavailable)
    with pytest.raises(Unavailable):
        await asked
    assert rig.failures == 1

    after = await rig.crashed().start()
    assert (await after.stats())["ready"] >= 1
    await after.engine.close()
    await rig.engine.close()


async def test_nothing_hangs_after_a_failure() -> None:
    files = FaultyFiles(MemoryFiles())
    rig = await Rig(files).start()
    worker = await rig.consume()
    files.fail("pwritev+sync", errno.EIO)
    rig.send([b"lost"])
    await rig.changed.until(lambda: rig.failures)

    async with asyncio.timeout(10):
        for ask in (
            lambda: rig.engine.query("queues", {}), lambda: rig.engine.declare("x", {}), lambda: rig.consume(),
            lambda: rig.watch(queue="q"), lambda: rig.settle(worker, acks=[(1, 1)]),
            lambda: rig.engine.operate("purge", {"queue": "q"}),
        ):  # fmt: skip
            with pytest.raises(Unavailable):
                await ask()
        await rig.engine.close()

    assert worker.end is not None
    files.inner.lock()  # the folder was given up


async def test_a_sync_that_fails_while_closing_still_gives_up_the_folder() -> None:
    files = FaultyFiles(MemoryFiles())
    rig = await Rig(files).start()
    held = HeldSync(files)
    rig.send([b"x"])
    await held.arrived()
    closing = asyncio.ensure_future(rig.engine.close())
    await turns()
    files.fail("pwritev+sync", errno.EIO, times=None)
    files.fail("pwritev", errno.EIO, times=None)
    rig.engine.session_closed("nobody")
    held.let_go()

    async with asyncio.timeout(10):
        await asyncio.gather(closing, return_exceptions=True)
    files.inner.lock()


async def test_a_full_disk_refuses_publishes_and_takes_acks() -> None:
    inner = MemoryFiles()
    rig = await Rig(FaultyFiles(inner)).start()
    inner.capacity = sum(file.allocated for file in inner._names.values())
    sent = 0
    while True:
        outcome = rig.send([b"x" * 1000])
        await rig.changed.until(lambda outcome=outcome: outcome)
        if isinstance(outcome[0], StorageFull):
            break
        sent += 1
        assert sent < 5000, "the disk never filled up"

    worker = await rig.consume(prefetch=16_384)
    await rig.got(worker, sent)
    for number in range(1, sent + 1, 10):
        assert (await rig.settle(worker, acks=[(number, min(number + 9, sent))])).lost == []

    assert sent > 100 and rig.engine.healthy
    assert (await rig.stats())["acked_total"] == sent
    await rig.engine.close()


def damage(files: MemoryFiles, body: bytes) -> None:
    """Flip one byte of a body, wherever it lies."""
    for name in files.list():
        content = files.content(name)
        if (at := bytes(content).find(body)) >= 0:
            content[at] ^= 0xFF
            return
    raise AssertionError("the body is not on the disk")


async def test_a_damaged_body_is_dead_lettered_and_its_neighbours_are_served() -> None:
    inner = MemoryFiles()
    rig = await Rig(FaultyFiles(inner)).start()
    for n in range(5):
        await rig.publish([b"body-%d" % n])
    damage(inner, b"body-2")
    rig.engine._bodies._cache.clear()

    worker = await rig.consume()
    await rig.got(worker, 4)
    await rig.changed.until(lambda: "q.dead" in rig.engine._machine.state.queues)

    assert list(worker.bodies.values()) == [b"body-0", b"body-1", b"body-3", b"body-4"]
    assert (await rig.stats("q.dead"))["ready"] == 1
    (row,) = (await rig.engine.query("messages", {"queue": "q.dead"}))["messages"]
    assert row["state"] == "unreadable"
    await rig.engine.close()


async def test_a_disk_that_cannot_be_read_for_a_moment_loses_no_delivery() -> None:
    files = FaultyFiles(MemoryFiles())
    rig = await Rig(files).start()
    await rig.publish([b"1"])
    await rig.publish([b"2"])
    rig.engine._bodies._cache.clear()
    files.fail("pread", errno.EIO, times=1)

    worker = await rig.consume()
    confirm = await rig.publish([b"3"])
    await rig.got(worker, 2)

    assert confirm.count == 1
    stats = await rig.stats()
    dead = (await rig.stats("q.dead"))["ready"] if rig.engine.settings_of("q.dead") else 0
    assert stats["leased"] == len(worker.ids)
    assert stats["leased"] + stats["ready"] + dead == 3
    await rig.engine.close()


async def test_a_full_disk_refuses_large_headers_before_it_is_too_late() -> None:
    inner = MemoryFiles()
    rig = await Rig(FaultyFiles(inner)).start()
    inner.capacity = sum(file.allocated for file in inner._names.values())
    headers = {f"h{n}": "v" * 900 for n in range(16)}

    sent = 0
    while True:
        outcome = rig.send([b"x"] * 8, headers=[headers] * 8)
        await rig.changed.until(lambda outcome=outcome: outcome or rig.failures)
        assert rig.failures == 0, "the broker stopped because the disk is full"
        if isinstance(outcome[0], StorageFull):
            break
        sent += 1
    assert sent > 1

    worker = await rig.consume(prefetch=16_384)
    await rig.got(worker, 8 * sent)
    assert (await rig.settle(worker, acks=[(1, 8 * sent)])).lost == []
    assert rig.engine.healthy
    await rig.engine.close()


async def test_on_a_full_disk_endless_retries_do_not_stop_the_broker() -> None:
    inner = MemoryFiles()
    rig = await Rig(FaultyFiles(inner)).start()
    await rig.engine.declare("q", {"attempts_max": 1000, "lease_ms": 100})
    inner.capacity = sum(file.allocated for file in inner._names.values())
    outcome = rig.send([b"x" * 1000])
    while not (outcome and isinstance(outcome[0], StorageFull)):
        await rig.changed.until(lambda outcome=outcome: outcome)
        if not isinstance(outcome[0], StorageFull):
            outcome = rig.send([b"x" * 1000])
    worker = await rig.consume(prefetch=16_384)
    await turns()

    for _ in range(400):
        rig.clock.advance(200)
        rig.engine._ticker.tick()
        await turns(3)
        assert rig.failures == 0, "the broker stopped because the disk is full"

    assert rig.engine.healthy and worker.end is None
    await rig.engine.close()
