"""Looking in pages and slices: nothing is missed between them, and what changes meanwhile harms nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from engine_rig import Rig, turns
from postroad.broker.core.format import command as c
from postroad.broker.engine.embedded.look import browsing, history, message_watches, queue_watches, readers
from postroad.broker.engine.embedded.look.history import History
from postroad.broker.engine.engine import ReadSpec, Watch, WatchSpec
from postroad.broker.errors import PostroadError


class Page:
    """A watch's sink that is full after each page of events."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.positions: list[int] = []
        self.pages: list[int] = []
        self.states: list[dict[str, Any]] = []
        self.end: PostroadError | None = None
        self.watch: Watch | None = None
        self.is_full_after_each = True

    def events(self, events: Sequence[dict[str, Any]], trimmed: int | None) -> None:
        self.pages.append(len(events))
        self.positions += [event["position"] for event in events]
        if self.watch is not None and self.is_full_after_each:
            self.watch.pause()
        self._rig.changed.tell()

    def state(self, state: dict[str, Any]) -> None:
        self.states.append(state)
        self._rig.changed.tell()

    def ended(self, error: PostroadError) -> None:
        self.end = error
        self._rig.changed.tell()


async def watched(rig: Rig, **spec: Any) -> Page:
    sink = Page(rig)
    sink.watch = await rig.engine.watch(WatchSpec(**spec), sink)
    return sink


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_EVENTS", 10)
    monkeypatch.setattr(history, "PAGE_RECORDS", 25)


async def test_a_watch_that_is_full_gets_its_history_page_by_page_and_then_what_happens(
    rig: Rig, small_pages: None
) -> None:
    first = await rig.publish([b"first"])
    for _ in range(50):
        await rig.publish([b"x"])
    sink = await watched(rig, queue="q", from_position=first.position)
    await rig.changed.until(lambda: sink.pages)
    await rig.publish([b"while it is full"])
    await turns()
    assert sink.pages == [10]

    while len(sink.positions) < 51:
        seen = len(sink.positions)
        sink.watch.resume()
        await rig.changed.until(lambda seen=seen: len(sink.positions) > seen)
    sink.watch.resume()
    await turns()
    last = await rig.publish([b"live"])
    await rig.changed.until(lambda: sink.positions[-1] == last.position)

    assert sink.positions == list(range(first.position + 1, last.position + 1))
    assert max(sink.pages) == 10


async def test_a_queue_that_is_deleted_while_history_is_told_ends_the_watch_after_it(
    rig: Rig, small_pages: None
) -> None:
    first = await rig.publish([b"first"])
    for _ in range(30):
        await rig.publish([b"x"])
    sink = await watched(rig, queue="q", from_position=first.position)
    await rig.changed.until(lambda: sink.pages)
    await rig.engine.delete("q")
    assert sink.end is None

    sink.is_full_after_each = False
    sink.watch.resume()
    await rig.changed.until(lambda: sink.end)

    assert len(sink.positions) == 31, "what was published, and that it was deleted"
    assert sink.end.code == "queue-not-found"


async def test_a_watch_from_a_position_to_come_gets_what_happens_now(rig: Rig) -> None:
    await rig.publish([b"x"])
    sink = await watched(rig, queue="q", from_position=10**9)

    confirm = await rig.publish([b"y"])

    await rig.changed.until(lambda: sink.positions)
    assert sink.positions == [confirm.position]


async def test_a_watch_that_is_cancelled_while_it_is_full_is_told_nothing_more(rig: Rig, small_pages: None) -> None:
    first = await rig.publish([b"first"])
    for _ in range(30):
        await rig.publish([b"x"])
    sink = await watched(rig, queue="q", from_position=first.position)
    await rig.changed.until(lambda: sink.pages)

    sink.watch.cancel()
    sink.watch.resume()
    await rig.publish([b"y"])
    await turns()

    assert sink.pages == [10]


async def test_a_watch_of_all_is_told_the_numbers_of_many_queues_in_parts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_watches, "QUEUE_STATE_S", 0)
    monkeypatch.setattr(queue_watches, "STATE_QUEUES_MAX", 10)
    sink = await watched(rig)
    for number in range(35):
        rig.send([b"x"], f"queue-{number}")
    await rig.publish([b"x"], "last")

    await rig.changed.until(lambda: sum(len(state["queues"]) for state in sink.states) >= 36)

    assert max(len(state["queues"]) for state in sink.states) == 10
    assert len({queue["name"] for state in sink.states for queue in state["queues"]}) == 36


async def test_what_happens_to_a_message_while_its_story_is_read_is_in_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More happens than is kept meanwhile: the rest is read from the journal as well."""
    monkeypatch.setattr(message_watches, "TAIL_MAX", 2)
    await rig.engine.declare("q", {"backoff_ms": 0, "attempts_max": 100})
    confirm = await rig.publish([b"x"])
    worker = await rig.consume()
    await rig.got(worker, 1)
    follow, rounds = History.follow, 0

    async def slow(self: History, stories: Any, after: int, last: int) -> None:
        nonlocal rounds
        rounds += 1
        await follow(self, stories, after, last)
        if rounds == 1:
            for number in range(1, 6):
                await rig.nack(worker, number)
                await rig.got(worker, number + 1)

    monkeypatch.setattr(History, "follow", slow)
    watcher = await rig.watch(message=f"{confirm.id_prefix}0")

    message = watcher.snapshot["message"]
    assert message["attempts"] == 5
    assert [entry["kind"] for entry in message["timeline"]].count("retrying") == 5
    assert rounds == 2


async def test_the_last_events_after_a_restart_are_looked_for_so_far_and_it_is_said(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, small_pages: None
) -> None:
    monkeypatch.setattr(history, "LOOK_BACK_MAX", 100)
    idle = await rig.publish([b"x"], "idle")
    for _ in range(400):
        rig.send([b"x"], "busy")
    await rig.publish([b"x"], "busy")
    before = await rig.engine.query("events", {"queue": "idle", "last": 5})
    await rig.restart()

    after = await rig.engine.query("events", {"queue": "idle", "last": 5})

    assert "looked_from" not in before
    assert [event["position"] for event in before["events"]][-1] == idle.position
    assert [event["kind"] for event in after["events"]] == ["started"]
    assert idle.position < after["looked_from"] <= rig.engine.position - 100


async def test_the_last_events_go_on_behind_what_is_remembered(rig: Rig) -> None:
    positions = [(await rig.publish([b"x"])).position for _ in range(200)]

    events = (await rig.engine.query("events", {"queue": "q", "last": 180}))["events"]

    assert [event["position"] for event in events] == positions[-180:]


async def test_a_page_is_in_order_of_sequence_whatever_the_priorities(rig: Rig) -> None:
    await rig.publish([b"%d" % n for n in range(10)], priorities=[n % 3 for n in range(10)])

    first = await rig.engine.query("messages", {"queue": "q", "limit": 4})
    second = await rig.engine.query("messages", {"queue": "q", "limit": 10, "after": first["next"]})

    assert [row["sequence"] for row in (*first["messages"], *second["messages"])] == list(range(10))
    assert second["next"] is None


async def test_what_is_settled_while_a_page_is_made_is_not_on_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.publish([b"x"] * 10)
    asked = asyncio.ensure_future(rig.engine.query("messages", {"queue": "q", "limit": 10}))
    monkeypatch.setattr("postroad.broker.engine.embedded.look.slices.ITEMS", 3)
    await asyncio.sleep(0)
    rig.engine.execute(c.Purge(queue="q"))

    assert len((await asked)["messages"]) == 3


async def test_a_search_looks_through_so_many_bytes_and_says_where_to_go_on(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "SEARCH_BYTES_MAX", 2500)
    await rig.publish([b"x" * 1000] * 5 + [b"needle"])

    first = await rig.engine.query("messages", {"queue": "q", "text": "needle"})
    second = await rig.engine.query("messages", {"queue": "q", "text": "needle", "after": first["next"]})

    assert (first["searched"], first["messages"], first["next"]) == (3, [], 2)
    assert [row["sequence"] for row in second["messages"]] == [5]


async def test_readers_of_one_place_share_what_is_read_and_also_that_it_cannot_be_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reading:
        def __init__(self) -> None:
            self.got: list[int] = []
            self.end: PostroadError | None = None

        def messages(self, batch: Any, trimmed: int | None) -> None:
            self.got += [run.sequence for run in batch.runs]
            rig.changed.tell()

        def ended(self, error: PostroadError) -> None:
            self.end = error
            rig.changed.tell()

    await rig.engine.declare("s", {}, kind="stream")
    for _ in range(3):
        await rig.publish([b"x" * 200_000], "s", kind="stream")
    made = readers.batches

    def broken(*args: Any) -> Any:
        found = made(*args)
        yield next(found)
        raise PostroadError("broken")

    monkeypatch.setattr(readers, "batches", broken)
    sinks = [Reading(), Reading()]
    for sink in sinks:
        await rig.engine.read(ReadSpec(stream="s", start="earliest"), sink)
    await rig.changed.until(lambda: all(sink.end for sink in sinks))

    assert [sink.got for sink in sinks] == [[0], [0]]
