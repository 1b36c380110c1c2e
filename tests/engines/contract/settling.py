"""Settling: ack, nack, release, dead letters and back."""

from __future__ import annotations

import time

import pytest
from desk import Desk, ids
from postroad.broker.engine.engine import Nack
from postroad.broker.errors import QueueNotFound

from .needs import QUICK, needs


class Settling:
    async def test_an_ack_is_final(self, desk: Desk) -> None:
        await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        settled = await inbox.ack_all()
        assert (settled.lost, settled.settled) == ([], [])
        await desk.counts("q", ready=0, leased=0)
        again = await inbox.ack_all()
        assert (again.lost, again.settled) == ([], [(1, 2)])

    async def test_numbers_that_were_never_given_are_lost(self, desk: Desk) -> None:
        inbox = await desk.consume("q")
        assert (await inbox.ack(7)).lost == [(7, 7)]

    async def test_a_nacked_message_comes_back_with_the_next_attempt(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        confirm = await desk.publish("q", b"1", attributes={"headers": {"h": "1"}})
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, reason="smtp 421")])
        first, second = await inbox.count(2)
        assert (first.attempt, second.attempt) == (1, 2)
        assert (second.id, second.body, second.headers) == (ids(confirm)[0], b"1", {"h": "1"})
        assert second.number > first.number
        await inbox.ack(second.number)
        await desk.counts("q", ready=0, leased=0)

    async def test_a_nack_with_a_delay_comes_back_no_sooner(self, desk: Desk) -> None:
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        before = time.monotonic()
        await inbox.settle(nacks=[Nack(first=1, last=1, delay_ms=300)])
        await inbox.count(2)
        assert time.monotonic() - before >= 0.29

    async def test_attempts_are_counted_to_the_limit_and_then_the_message_is_dead(self, desk: Desk) -> None:
        await desk.engine.declare("q", {**QUICK, "attempts_max": 3})
        await desk.publish("q", b"poison", b"good")
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.ack(2)
        for number in (1, 3, 4):
            await inbox.until(lambda number=number: any(message.number == number for message in inbox.got))
            await inbox.settle(nacks=[Nack(first=number, last=number, reason="no")])
        dead = await desk.consume("q.dead")
        await dead.count(1)
        assert dead.bodies == [b"poison"]
        assert [message.attempt for message in inbox.got] == [1, 1, 2, 3]
        await desk.counts("q", ready=0, leased=0, delayed=0)

    async def test_a_nack_may_say_that_there_is_no_hope(self, desk: Desk) -> None:
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True, reason="hopeless")])
        dead = await desk.consume("q.dead")
        await dead.count(1)
        assert len(inbox.got) == 1

    async def test_without_a_dead_letter_queue_the_exhausted_are_dropped(self, desk: Desk) -> None:
        await desk.engine.declare("q", {"attempts_max": 1, "dead_letter": None})
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1)])
        await desk.counts("q", ready=0, leased=0)
        with pytest.raises(QueueNotFound):
            await desk.stats("q.dead")

    async def test_a_dead_letter_queue_never_dead_letters(self, desk: Desk) -> None:
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True)])
        dead = await desk.consume("q.dead")
        await dead.count(1)
        await dead.settle(nacks=[Nack(first=1, last=1, dead=True, delay_ms=0)])
        await dead.count(2)
        with pytest.raises(QueueNotFound):
            await desk.stats("q.dead.dead")

    async def test_a_release_returns_it_with_no_attempt_counted(self, desk: Desk) -> None:
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(releases=[(1, 1)])
        assert [message.attempt for message in await inbox.count(2)] == [1, 1]

    @needs("redrive")
    async def test_a_redrive_returns_the_dead_to_where_they_came_from(self, desk: Desk) -> None:
        await desk.publish("q", b"1", b"2", attributes={"headers": {"h": "1"}})
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.settle(nacks=[Nack(first=1, last=2, dead=True, reason="no")])
        await desk.counts("q.dead", ready=2)
        assert (await desk.engine.operate("redrive", {"queue": "q.dead"}))["count"] == 2
        await inbox.count(4)
        assert sorted(inbox.bodies[2:]) == [b"1", b"2"]
        assert [(message.attempt, message.headers) for message in inbox.got[2:]] == [(1, {"h": "1"})] * 2
        await desk.counts("q.dead", ready=0)

    @needs("redrive", "peek")
    async def test_single_dead_messages_can_be_redriven_or_discarded(self, desk: Desk) -> None:
        confirm = await desk.publish("q", b"1", b"2", b"3")
        inbox = await desk.consume("q")
        await inbox.count(3)
        await inbox.settle(nacks=[Nack(first=1, last=3, dead=True, reason="no")])
        _, second, third = ids(confirm)
        await desk.counts("q.dead", ready=3)
        assert (await desk.engine.operate("redrive", {"queue": "q.dead", "messages": [second]}))["count"] == 1
        await inbox.count(4)
        assert inbox.bodies[-1] == b"2"
        assert (await desk.engine.operate("discard", {"queue": "q.dead", "messages": [third]}))["count"] == 1
        await desk.counts("q.dead", ready=1)
