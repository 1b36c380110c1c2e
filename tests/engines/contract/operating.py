"""What operators do and see."""

from __future__ import annotations

import pytest
from desk import Desk, ids
from postroad.broker.engine.engine import Nack
from postroad.broker.errors import Conflict, InvalidState, MessageNotFound, QueueFull, QueueNotFound, Unsupported
from postroad.broker.testing import plain

from .needs import needs


class Operating:
    @needs("pause")
    async def test_a_paused_queue_delivers_nothing(self, desk: Desk) -> None:
        inbox = await desk.consume("q")
        assert (await desk.engine.operate("pause", {"queue": "q", "reason": "repair"}))["paused"] is True
        await desk.publish("q", b"1")
        other = await desk.consume("other")
        await desk.publish("other", b"1")
        await other.count(1)
        assert inbox.got == []
        assert (await desk.stats("q"))["paused"] is True
        await desk.engine.operate("resume", {"queue": "q"})
        await inbox.count(1)

    async def test_a_purge_empties_a_queue_but_not_hands(self, desk: Desk) -> None:
        await desk.publish("q", *(b"%d" % at for at in range(10)))
        inbox = await desk.consume("q", prefetch=2)
        await inbox.count(2)
        await desk.counts("q", ready=8)
        assert (await desk.engine.operate("purge", {"queue": "q"}))["count"] == 8
        await desk.counts("q", ready=0, leased=2)
        assert (await inbox.ack_all()).lost == []
        assert len(inbox.got) == 2

    @needs("cancel")
    async def test_a_cancelled_message_is_revoked_and_never_comes(self, desk: Desk) -> None:
        confirm = await desk.publish("q", b"held", b"waiting", b"good")
        inbox = await desk.consume("q", prefetch=1)
        await inbox.count(1)
        held, waiting, _ = ids(confirm)
        assert (await desk.engine.operate("cancel", {"message": waiting}))["state"] == "cancelled"
        assert (await desk.engine.operate("cancel", {"message": held}))["state"] == "cancelled"
        await inbox.until(lambda: inbox.revoked_numbers)
        assert inbox.revoked_numbers == [(1, 1)]
        await inbox.count(2)
        assert inbox.bodies == [b"held", b"good"]
        assert (await inbox.ack(1)).lost == [(1, 1)]
        with pytest.raises(InvalidState):
            await desk.engine.operate("cancel", {"message": waiting})

    @needs("cancel", "redrive")
    async def test_a_redriven_message_can_be_cancelled_where_it_is_now(self, desk: Desk) -> None:
        (id,) = ids(await desk.publish("q", b"1"))
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True)])
        inbox.subscription.cancel()
        await desk.counts("q.dead", ready=1)
        await desk.engine.operate("redrive", {"queue": "q.dead"})
        await desk.counts("q", ready=1)
        assert (await desk.engine.operate("cancel", {"message": id}))["state"] == "cancelled"
        await desk.counts("q", ready=0)

    @needs("peek")
    async def test_looking_does_not_touch(self, desk: Desk) -> None:
        confirm = await desk.publish("q", b'{"a":1}', b'"2"', b"3", attributes={"headers": {"h": "1"}})
        page = plain(await desk.engine.query("messages", {"queue": "q", "limit": 2}))
        assert [row["id"] for row in page["messages"]] == ids(confirm)[:2]
        assert [row["body"] for row in page["messages"]] == [{"a": 1}, "2"]
        assert [row["headers"] for row in page["messages"]] == [{"h": "1"}] * 2
        rest = await desk.engine.query("messages", {"queue": "q", "after": page["next"]})
        assert [row["id"] for row in rest["messages"]] == ids(confirm)[2:]
        assert rest["next"] is None
        inbox = await desk.consume("q")
        await inbox.count(3)
        assert [message.attempt for message in inbox.got] == [1, 1, 1]
        leased = await desk.engine.query("messages", {"queue": "q", "state": "leased"})
        assert [(row["state"], row["consumer"]) for row in leased["messages"]] == [("delivered", "tester")] * 3
        assert (await desk.engine.query("messages", {"queue": "q"}))["messages"] == []

    @needs("peek", "dead_letter")
    async def test_the_dead_say_why_and_where_from(self, desk: Desk) -> None:
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True, reason="smtp 550")])
        await desk.counts("q.dead", ready=1)
        (row,) = (await desk.engine.query("messages", {"queue": "q.dead"}))["messages"]
        assert (row["state"], row["reason"], row["attempts"]) == ("dead", "smtp 550", 1)
        assert row["dead_letter_of"] == "q"

    async def test_declaring_again_must_agree_or_say_update(self, desk: Desk) -> None:
        assert (await desk.engine.declare("q", {"attempts_max": 3}))["created"] is True
        assert (await desk.engine.declare("q", {"attempts_max": 3}))["created"] is False
        with pytest.raises(Conflict):
            await desk.engine.declare("q", {"attempts_max": 4})
        await desk.engine.declare("q", {"attempts_max": 4}, update=True)
        settings = desk.engine.settings_of("q")
        assert settings is not None and settings.attempts_max == 4

    async def test_what_does_not_exist_is_said_so(self, desk: Desk) -> None:
        with pytest.raises(QueueNotFound):
            await desk.publish("nothing", b"1", declare=False)
        with pytest.raises(QueueNotFound):
            await desk.consume("nothing", declare=False)
        with pytest.raises(QueueNotFound):
            await desk.stats("nothing")
        with pytest.raises(QueueNotFound):
            await desk.engine.operate("purge", {"queue": "nothing"})
        with pytest.raises(MessageNotFound):
            await desk.engine.query("message", {"message": "no id of ours"})

    async def test_deleting_a_queue_ends_its_consumers(self, desk: Desk) -> None:
        inbox = await desk.consume("q")
        await desk.publish("q", b"1")
        await inbox.count(1)
        await desk.engine.delete("q")
        await inbox.until(lambda: inbox.error)
        assert isinstance(inbox.error, QueueNotFound)
        with pytest.raises(QueueNotFound):
            await desk.stats("q")
        await desk.publish("q", b"2")
        again = await desk.consume("q")
        await again.count(1)
        assert again.bodies == [b"2"]

    async def test_a_full_queue_refuses_or_the_limit_is_refused(self, desk: Desk) -> None:
        try:
            await desk.engine.declare("q", {"length_max": 2})
        except Unsupported as refused:
            assert refused.details["field"] == "settings.length_max"
            return
        await desk.publish("q", b"1", b"2")
        with pytest.raises(QueueFull):
            await desk.publish("q", b"3")

    async def test_stats_count_what_is_where(self, desk: Desk) -> None:
        await desk.publish("q", *(b"%d" % at for at in range(5)))
        inbox = await desk.consume("q", prefetch=2, consumer="mailer", client="test")
        await inbox.count(2)
        await inbox.ack(1)
        await inbox.count(3)
        await desk.counts("q", ready=2, leased=2, consumers=1, published_total=5, acked_total=1)
        (consumer,) = (await desk.engine.query("queue", {"queue": "q"}))["consumers"]
        assert (consumer["consumer"], consumer["prefetch"], consumer["leased"]) == ("mailer", 2, 2)
        overview = await desk.engine.query("overview", {})
        assert [stats["name"] for stats in overview["queues"]] == ["q"]
