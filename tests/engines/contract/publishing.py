"""Publishing and delivering."""

from __future__ import annotations

import asyncio

from desk import PATIENCE_S, Desk, ids

from .needs import needs


class Publishing:
    async def test_what_was_published_is_delivered_as_it_was(self, desk: Desk) -> None:
        bodies = [b'{"a": 1 }', b"", bytes(range(256)), b"x" * 300_000]
        attributes = {"types": ["json", "text", "bytes", "bytes"], "headers": [{"h": "1"}, None, {"ü": "ß"}, None]}
        confirm = await desk.publish("q", *bodies, attributes=attributes)
        inbox = await desk.consume("q")
        got = await inbox.count(4)
        assert inbox.bodies == bodies
        assert [message.id for message in got] == ids(confirm)
        assert [message.type for message in got] == ["json", "text", "bytes", "bytes"]
        assert [message.headers for message in got] == [{"h": "1"}, None, {"ü": "ß"}, None]
        assert [message.attempt for message in got] == [1, 1, 1, 1]
        assert [message.number for message in got] == [1, 2, 3, 4]

    @needs("order")
    async def test_messages_come_in_the_order_they_were_published(self, desk: Desk) -> None:
        inbox = await desk.consume("q", prefetch=1000)
        frames = [[b"%d-%d" % (at, index) for index in range(20)] for at in range(15)]
        await asyncio.gather(*(desk.publish("q", *bodies) for bodies in frames))
        await inbox.count(300)
        assert inbox.bodies == [body for bodies in frames for body in bodies]
        sequences = [message.sequence for message in inbox.got]
        assert sequences == sorted(set(sequences))

    async def test_ids_are_never_used_twice(self, desk: Desk) -> None:
        confirms = await asyncio.gather(*(desk.publish("q", b"1", b"2") for _ in range(50)))
        assert len({id for confirm in confirms for id in ids(confirm)}) == 100

    async def test_competing_consumers_share_and_none_gets_what_another_has(self, desk: Desk) -> None:
        one = await desk.consume("q", prefetch=10, consumer="one")
        two = await desk.consume("q", prefetch=10, consumer="two")
        await desk.publish("q", *(b"%d" % at for at in range(20)))
        await one.count(10)
        await two.count(10)
        assert len(one.got) == len(two.got) == 10
        assert sorted(one.bodies + two.bodies) == sorted(b"%d" % at for at in range(20))

    async def test_few_messages_go_to_all_consumers_in_turn(self, desk: Desk) -> None:
        inboxes = [await desk.consume("q", prefetch=100, consumer=f"c{at}") for at in range(3)]
        for at in range(30):
            await desk.publish("q", b"%d" % at)
        async with asyncio.timeout(PATIENCE_S):
            while sum(len(inbox.got) for inbox in inboxes) < 30:
                await asyncio.sleep(0.01)
        assert min(len(inbox.got) for inbox in inboxes) >= 5

    async def test_a_consumer_never_holds_more_than_its_prefetch(self, desk: Desk) -> None:
        inbox = await desk.consume("q", prefetch=5)
        await desk.publish("q", *(b"%d" % at for at in range(12)))
        await inbox.count(5)
        await desk.counts("q", leased=5, ready=7)
        assert len(inbox.got) == 5
        await inbox.ack(1, 2)
        await inbox.count(7)
        await desk.counts("q", leased=5, ready=5)
        assert len(inbox.got) == 7
        inbox.subscription.prefetch(10)
        await inbox.count(12)

    async def test_a_paused_socket_gets_nothing_until_it_has_room(self, desk: Desk) -> None:
        inbox = await desk.consume("q")
        inbox.subscription.pause()
        await desk.publish("q", b"1")
        other = await desk.consume("other")
        await desk.publish("other", b"1")
        await other.count(1)
        assert inbox.got == []
        inbox.subscription.resume()
        await inbox.count(1)
