"""Leases: who holds what, and for how long."""

from __future__ import annotations

from desk import Desk

from .needs import QUICK


class Leases:
    async def test_a_lease_that_runs_out_counts_and_a_late_settle_loses(self, desk: Desk) -> None:
        await desk.engine.declare("q", {**QUICK, "lease_ms": 200})
        await desk.publish("q", b"1")
        slow = await desk.consume("q", prefetch=1, consumer="slow")
        await slow.count(1)
        slow.subscription.pause()
        quick = await desk.consume("q", consumer="quick", lease_ms=60_000)
        await quick.count(1)
        assert quick.got[0].attempt == 2
        late = await slow.ack(1)
        assert (late.lost, late.settled) == ([(1, 1)], [])
        mine = await quick.ack(1)
        assert (mine.lost, mine.settled) == ([], [])

    async def test_an_extended_lease_lives_on(self, desk: Desk) -> None:
        await desk.engine.declare("q", {**QUICK, "lease_ms": 300})
        await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.settle(extends=[(1, 1)], lease_ms=60_000)
        await inbox.count(3)
        assert inbox.bodies == [b"1", b"2", b"2"]
        assert (await inbox.ack(1)).lost == []

    async def test_a_lost_connection_counts_what_was_begun_and_nothing_else(self, desk: Desk) -> None:
        await desk.publish("q", b"1", b"2", b"3")
        inbox = await desk.consume("q")
        await inbox.count(3)
        await inbox.settle(begun=1)
        inbox.subscription.detach()
        heir = await desk.consume("q", consumer="heir")
        await heir.count(3)
        assert {message.body: message.attempt for message in heir.got} == {b"1": 2, b"2": 1, b"3": 1}

    async def test_a_consumer_that_comes_back_keeps_what_it_holds(self, desk: Desk) -> None:
        await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.settle(begun=1)
        inbox.subscription.detach()
        back = await desk.consume(
            "q", resume=inbox.subscription.token, begun=1, held=[(1, 1, inbox.got[0].sequence)], prefetch=10
        )
        assert back.subscription.lost == []
        await back.count(1)
        assert (back.bodies, back.got[0].attempt) == ([b"2"], 1)
        assert (await back.ack(1, back.got[0].number)).lost == []
        await desk.counts("q", ready=0, leased=0)

    async def test_a_cancelled_consumer_returns_the_unbegun_and_may_settle_the_rest(self, desk: Desk) -> None:
        await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.settle(begun=1)
        inbox.subscription.cancel()
        heir = await desk.consume("q", consumer="heir")
        await heir.count(1)
        assert (heir.bodies, heir.got[0].attempt) == ([b"2"], 1)
        assert (await inbox.ack(1)).lost == []
        await heir.ack_all()
        await desk.counts("q", ready=0, leased=0)
