"""Which messages count an attempt when leases or connections end, as the engine sees it."""

from __future__ import annotations

from engine_rig import Rig, turns

LEASE_MS = 1_000
RESUME_MS = 500


async def attempts_of(rig: Rig, count: int) -> dict[bytes, int]:
    """What the next consumer is told, by body."""
    heir = await rig.consume(prefetch=count, consumer="heir")
    await rig.got(heir, count)
    return {heir.bodies[number]: attempt for number, attempt in heir.attempts.items()}


async def test_a_lease_that_ends_counts_what_had_begun_and_nothing_else(rig: Rig) -> None:
    await rig.engine.declare("q", {"lease_ms": LEASE_MS})
    await rig.publish([b"1", b"2", b"3", b"4", b"5"])
    worker = await rig.consume(prefetch=5)
    await rig.got(worker, 5)
    await rig.settle(worker, begun=1)
    worker.subscription.pause()

    rig.pass_time(LEASE_MS)

    assert await attempts_of(rig, 5) == {b"1": 2, b"2": 1, b"3": 1, b"4": 1, b"5": 1}


async def test_messages_that_were_only_prefetched_are_never_dead_lettered(rig: Rig) -> None:
    await rig.engine.declare("q", {"lease_ms": LEASE_MS, "attempts_max": 2, "backoff_ms": 0})
    await rig.publish([b"1", b"2", b"3", b"4", b"5"])
    for round in range(2):
        hung = await rig.consume(prefetch=5, consumer=f"hung-{round}")
        await rig.got(hung, 5)
        await rig.settle(hung, begun=1)
        hung.subscription.pause()
        rig.pass_time(LEASE_MS)
        hung.subscription.cancel()

    assert await attempts_of(rig, 4) == {b"2": 1, b"3": 1, b"4": 1, b"5": 1}
    assert (await rig.stats("q.dead"))["ready"] == 1


async def test_what_a_consumer_would_have_begun_next_counts_when_its_connection_is_lost(rig: Rig) -> None:
    await rig.publish([b"1", b"2", b"3"])
    worker = await rig.consume(prefetch=3)
    await rig.got(worker, 3)
    await rig.settle(worker, begun=1, acks=[(1, 1)])

    worker.subscription.detach()
    rig.pass_time(RESUME_MS)
    await turns()

    assert await attempts_of(rig, 2) == {b"2": 2, b"3": 1}


async def test_a_consumer_that_does_not_report_what_has_begun_counts_all_it_held(rig: Rig) -> None:
    await rig.publish([b"1", b"2"])
    worker = await rig.consume(prefetch=2)
    await rig.got(worker, 2)

    worker.subscription.detach()
    rig.pass_time(RESUME_MS)
    await turns()

    assert await attempts_of(rig, 2) == {b"1": 2, b"2": 2}
