"""Watching, and what comes with an ack."""

from __future__ import annotations

from desk import Desk, frame, ids
from postroad.broker.engine.engine import Completion, LogLine, Nack, Progress

from .needs import QUICK, needs


class Watching:
    @needs("live_events")
    async def test_events_are_told_live_and_again_to_who_asks_for_the_last(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        log = await desk.watch(queue="q")
        everything = await desk.watch()
        confirm = await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        await inbox.settle(acks=[(1, 1)], nacks=[Nack(first=2, last=2, reason="no")])
        await inbox.count(3)
        await inbox.settle(nacks=[Nack(first=3, last=3, dead=True, reason="hopeless")])
        wanted = ["published", "acked", "retrying", "dead"]
        for watcher in (log, everything):
            await watcher.until(lambda watcher=watcher: set(wanted) <= set(watcher.kinds("q")))
        assert log.kinds("q") == wanted
        published, acked, retrying, dead = log.seen
        assert (published["ids"], published["count"]) == (ids(confirm), 2)
        assert (acked["ids"], acked["consumer"]) == (ids(confirm)[:1], "tester")
        assert (retrying["ids"], retrying["reason"], retrying["attempt"]) == (ids(confirm)[1:], "no", 1)
        assert (dead["reason"], dead["to"]) == ("hopeless", "q.dead")
        positions = [event["position"] for event in log.seen]
        assert positions == sorted(set(positions))
        late = await desk.watch(queue="q", last=2)
        await late.until(lambda: len(late.seen) == 2)
        assert late.seen == log.seen[-2:]
        resumed = await desk.watch(queue="q", from_position=published["position"])
        await resumed.until(lambda: len(resumed.seen) == 3)
        assert resumed.seen == log.seen[1:]
        events = (await desk.engine.query("events", {"queue": "q", "last": 2}))["events"]
        assert events == log.seen[-2:]

    @needs("live_events")
    async def test_state_follows_what_changes(self, desk: Desk) -> None:
        log = await desk.watch()
        await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)

        def delivered() -> bool:
            return any(row["consumer"] == "tester" for state in log.states for row in state.get("deliveries", ()))

        await log.until(delivered)
        await inbox.ack_all()
        await log.until(
            lambda: any(
                stats["name"] == "q" and stats["acked_total"] == 1
                for state in log.states
                for stats in state.get("queues", ())
            )
        )

    @needs("timeline")
    async def test_a_watched_message_is_followed_to_its_end(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        confirm = await desk.publish("q", b"1")
        log = await desk.watch(message=ids(confirm)[0])
        assert log.message["state"] == "queued"
        inbox = await desk.consume("q", consumer="mailer")
        await inbox.count(1)
        await log.until(lambda: log.message["state"] == "delivered")
        assert log.message["consumer"] == "mailer"
        await inbox.settle(begun=1, progress=[Progress(number=1, percent=40, note="sending")])
        await log.until(lambda: log.message["progress"] is not None)
        assert (log.message["progress"]["percent"], log.message["progress"]["note"]) == (40, "sending")
        await inbox.settle(nacks=[Nack(first=1, last=1, reason="smtp 421")])
        await inbox.count(2)
        await inbox.ack(2)
        await log.until(lambda: log.message["state"] == "done")
        kinds = [entry["kind"] for entry in log.message["timeline"]]
        assert kinds == ["published", "delivered", "progress", "retrying", "delivered", "acked"]
        assert (log.message["attempts"], log.message["timeline"][3]["reason"]) == (2, "smtp 421")
        found = (await desk.engine.query("message", {"message": ids(confirm)[0]}))["message"]
        assert found["state"] == "done"

    @needs("timeline")
    async def test_what_a_handler_says_reaches_watchers_and_can_be_read_later(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        confirm = await desk.publish("q", b"1")
        log = await desk.watch(message=ids(confirm)[0])
        inbox = await desk.consume("q", consumer="mailer")
        await inbox.count(1)
        await inbox.settle(begun=1, log=[LogLine(number=1, text="begin"), LogLine(number=1, text="!", level="warn")])
        await inbox.settle(log=[LogLine(number=1, text="end")], acks=[(1, 1)])
        await log.until(lambda: log.message["state"] == "done")

        def told() -> list[str]:
            return [line["text"] for state in log.states for line in state.get("logs", ())]

        await log.until(lambda: len(told()) == 3)
        assert told() == ["begin", "!", "end"]
        assert "logged" not in {entry["kind"] for entry in log.message["timeline"]}
        lines = (await desk.engine.query("logs", {"message": ids(confirm)[0]}))["logs"]
        assert [(line["n"], line["level"], line["attempt"]) for line in lines] == [
            (1, "info", 1), (2, "warn", 1), (3, "info", 1),
        ]  # fmt: skip
        assert {line["consumer"] for line in lines} == {"mailer"}
        later = await desk.watch(message=ids(confirm)[0])
        assert [line["text"] for line in later.watch.snapshot["logs"]] == ["begin", "!", "end"]

    @needs("topics")
    async def test_a_delivered_message_tells_the_topic_it_was_published_to(self, desk: Desk) -> None:
        await desk.engine.declare("q", QUICK)
        await desk.engine.operate("bind", {"topic": "orders.*", "queue": "q"})
        await desk.publish("orders.created", b"1", kind="topic")
        await desk.publish("q", b"2")
        inbox = await desk.consume("q")
        await inbox.count(2)
        assert [(delivered.body, delivered.topic) for delivered in inbox.got] == [
            (b"1", "orders.created"),
            (b"2", None),
        ]

    @needs("timeline", "dead_letter")
    async def test_a_dead_message_says_why(self, desk: Desk) -> None:
        confirm = await desk.publish("q", b"1")
        log = await desk.watch(message=ids(confirm)[0])
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(nacks=[Nack(first=1, last=1, dead=True, reason="smtp 550")])
        await log.until(lambda: log.message["state"] == "dead")
        assert (log.message["reason"], log.message["attempts"]) == ("smtp 550", 1)

    @needs("results", "timeline")
    async def test_an_ack_may_carry_a_result(self, desk: Desk) -> None:
        confirm = await desk.publish("q", b"1")
        inbox = await desk.consume("q")
        await inbox.count(1)
        await inbox.settle(completions=[Completion(number=1, result=b'{"sent":true}')])
        log = await desk.watch(message=ids(confirm)[0])
        await log.until(lambda: log.message["state"] == "done")
        assert log.message["result"] == {"sent": True}

    @needs("atomic_ack_publish")
    async def test_ack_and_publish_are_one_or_nothing(self, desk: Desk) -> None:
        await desk.engine.declare("q", {**QUICK, "lease_ms": 200})
        await desk.engine.declare("next", {})
        await desk.publish("q", b"1", b"2")
        inbox = await desk.consume("q", prefetch=2)
        await inbox.count(2)
        done = await inbox.settle(completions=[Completion(number=1, publishes=[frame("next", b"follow", b"up")])])
        assert done.lost == []
        await inbox.count(3)
        assert inbox.got[2].body == b"2"
        late = await inbox.settle(completions=[Completion(number=2, publishes=[frame("next", b"never")])])
        assert late.lost == [(2, 2)]
        heir = await desk.consume("next")
        await heir.count(2)
        await desk.counts("next", ready=0, leased=2)
        assert heir.bodies == [b"follow", b"up"]
