"""Attributes of messages: delay, priority, key, expiry, dedup."""

from __future__ import annotations

import time

import pytest
from desk import Desk, ids
from postroad.broker.engine.engine import Nack
from postroad.broker.errors import Conflict

from .needs import QUICK, needs


class Attributes:
    @needs("delay")
    async def test_a_delayed_message_comes_no_sooner(self, desk: Desk) -> None:
        inbox = await desk.consume("q")
        before = time.monotonic()
        await desk.publish("q", b"late", b"now", attributes={"delays_ms": [400, None]})
        await inbox.count(1)
        assert inbox.bodies == [b"now"]
        await inbox.count(2)
        assert time.monotonic() - before >= 0.39
        assert inbox.got[1].attempt == 1

    @needs("priority")
    async def test_higher_priorities_come_first(self, desk: Desk) -> None:
        await desk.publish("q", b"a", b"b", b"c", b"d", attributes={"priorities": [None, 9, 5, 9]})
        await desk.counts("q", ready=4)
        inbox = await desk.consume("q", prefetch=1)
        for number in range(1, 5):
            await inbox.count(number)
            await inbox.ack(number)
        assert inbox.bodies == [b"b", b"d", b"c", b"a"]
        assert [message.priority for message in inbox.got] == [9, 9, 5, 0]

    @needs("ordering_key")
    async def test_one_message_of_a_key_is_in_flight_also_across_retries(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        await desk.publish("q", b"a1", b"a2", b"b1", b"n", attributes={"keys": ["a", "a", "b", None]})
        inbox = await desk.consume("q")
        await inbox.count(3)
        # Among keys there is an order only where there is one among all messages.
        in_order = desk.engine.capabilities.order != "unsupported"
        assert (inbox.bodies if in_order else sorted(inbox.bodies)) == [b"a1", b"b1", b"n"]
        numbers = {message.body: message.number for message in inbox.got}
        await inbox.settle(nacks=[Nack(first=numbers[b"a1"], last=numbers[b"a1"])])
        await inbox.count(4)
        assert (inbox.bodies[3], inbox.got[3].attempt) == (b"a1", 2)
        await inbox.ack(inbox.got[3].number)
        await inbox.count(5)
        assert (inbox.bodies[4], inbox.got[4].attempt) == (b"a2", 1)
        await inbox.ack(numbers[b"b1"], numbers[b"n"], inbox.got[4].number)
        await desk.publish("q", b"a3", attributes={"key": "a"})
        await inbox.count(6)
        assert inbox.bodies[-1] == b"a3"

    @needs("expiry", "delay")
    async def test_what_has_expired_is_not_delivered(self, desk: Desk) -> None:
        await desk.publish("q", b"brief", b"lasting", attributes={"expires_ms": [50, None]})
        await desk.after(200)
        inbox = await desk.consume("q")
        await inbox.count(1)
        assert inbox.bodies == [b"lasting"]
        await inbox.ack_all()
        await desk.counts("q", ready=0, leased=0)

    @needs("dedup")
    async def test_a_dedup_key_stores_a_message_once(self, desk: Desk) -> None:
        first = await desk.publish("q", b"1", attributes={"dedup_key": "k"})
        again = await desk.publish("q", b"1", b"2", attributes={"dedup_keys": ["k", "other"]})
        assert again.duplicates == {0: ids(first)[0]}
        with pytest.raises(Conflict):
            await desk.publish("q", b"different", attributes={"dedup_key": "k"})
        await desk.publish("elsewhere", b"different", attributes={"dedup_key": "k"})
        inbox = await desk.consume("q")
        await inbox.count(2)
        assert inbox.bodies == [b"1", b"2"]
        await desk.counts("q", ready=0, leased=2)

    @needs("producer_sessions")
    async def test_a_frame_sent_again_gets_its_first_confirm(self, desk: Desk) -> None:
        assert desk.engine.session_opened("s-1") == 0
        first = await desk.publish("q", b"1", b"2", producer=("s-1", 1))
        again = await desk.publish("q", b"1", b"2", producer=("s-1", 1))
        assert (again.id_prefix, again.count, again.replayed) == (first.id_prefix, 2, True)
        desk.engine.session_closed("s-1")
        assert desk.engine.session_opened("s-1") == 1
        await desk.counts("q", ready=2)
