"""What ended the broker once is not tried again: it is refused, or set aside, and everybody else is served."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_rig import Rig, turns
from postroad.broker.core.durable.state import State
from postroad.broker.core.format.record import Publish, Settle
from postroad.broker.engine.embedded.write.fatal import KEPT_MAX, NAME, FatalCommands
from postroad.broker.engine.engine import Completion, Confirm, DeliveryBatch, PublishBatch, ReadSpec
from postroad.broker.errors import Internal, PostroadError, Unavailable
from postroad.broker.testing import MemoryFiles

DAY_MS = 86_400_000


class Bug(Exception):
    """Raised while a record is applied."""


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """A publish with the header ``poison``, and a settle with the result ``"poison"``, cannot be applied."""
    apply = State.apply

    def poisoned(self: State, record: Any, position: int) -> None:
        if isinstance(record, Publish) and "poison" in (record.attributes.get("headers") or {}):
            raise Bug
        if isinstance(record, Settle) and b'"poison"' in (record.results or {}).values():
            raise Bug
        apply(self, record, position)

    monkeypatch.setattr(State, "apply", poisoned)


pytestmark = pytest.mark.usefixtures("poison")


async def ended(rig: Rig) -> Rig:
    """The next start after the broker's end."""
    assert rig.failures == 1
    assert not rig.engine.healthy
    await rig.engine.close()
    return await rig.crashed().start()


async def outcome(rig: Rig, bodies: list[bytes], **more: Any) -> Confirm | PostroadError:
    sent = rig.send(bodies, **more)
    await rig.changed.until(lambda: sent)
    return sent[0]


async def test_the_same_publish_is_refused_at_the_next_start_and_others_are_stored() -> None:
    rig = await Rig(MemoryFiles()).start()
    assert isinstance(await outcome(rig, [b"1"], headers={"poison": "1"}), Unavailable)

    rig = await ended(rig)
    again = await outcome(rig, [b"1"], headers={"poison": "1"})
    others = [await outcome(rig, [b"1"], headers={"other": "1"}), await outcome(rig, [b"2"])]

    assert isinstance(again, Internal)
    assert "ended the broker before" in again.message
    assert all(isinstance(other, Confirm) for other in others)
    assert rig.failures == 0
    await rig.engine.close()


async def test_after_the_end_every_entry_says_that_the_broker_stops() -> None:
    rig = await Rig(MemoryFiles()).start()
    await rig.publish([b"1"])
    worker = await rig.consume()
    await rig.got(worker, 1)
    await outcome(rig, [b"1"], headers={"poison": "1"})
    engine = rig.engine
    entries = [
        outcome(rig, [b"1"]),
        rig.consume(),
        engine.declare("new", {}),
        engine.delete("q"),
        engine.query("queues", {}),
        engine.operate("pause", {"queue": "q"}),
        rig.watch(queue="q"),
        engine.read(ReadSpec(stream="s"), Reader()),
        rig.settle(worker, acks=[(1, 1)]),
    ]
    for entry in entries:
        answer = (await asyncio.gather(entry, return_exceptions=True))[0]
        assert isinstance(answer, Unavailable)
    with pytest.raises(Unavailable):
        engine.session_opened("p")
    worker.subscription.pause()
    worker.subscription.detach()

    assert engine.unready == engine._pipeline.why
    assert "could not be carried out whole" in engine._pipeline.why
    assert engine._journal.position == 3
    await engine.close()


class Reader:
    def messages(self, batch: DeliveryBatch, trimmed: int | None) -> None: ...

    def ended(self, error: PostroadError) -> None: ...


async def test_a_numbered_frame_is_known_by_its_number() -> None:
    rig = await Rig(MemoryFiles()).start()
    await outcome(rig, [b"1"], headers={"poison": "1"}, producer=("p", 7))

    rig = await ended(rig)
    same = await outcome(rig, [b"1"], headers={"poison": "2"}, producer=("p", 7))
    next_one = await outcome(rig, [b"1"], producer=("p", 8))

    assert isinstance(same, Internal)
    assert isinstance(next_one, Confirm)
    await rig.engine.close()


async def test_a_result_is_refused_whatever_numbers_its_deliveries_have_by_then() -> None:
    rig = await Rig(MemoryFiles()).start()
    await rig.publish([b"1", b"2"])
    worker = await rig.consume()
    await rig.got(worker, 2)
    with pytest.raises(Unavailable):
        await rig.settle(worker, completions=[Completion(number=2, result=b'"poison"')])

    rig = await ended(rig)
    worker = await rig.consume()
    rig.pass_time(501)
    await rig.got(worker, 2)
    with pytest.raises(Internal):
        await rig.settle(worker, completions=[Completion(number=1, result=b'"poison"')])
    await rig.settle(worker, completions=[Completion(number=1, result=b'"good"')])
    await rig.settle(worker, acks=[(2, 2)])

    assert rig.failures == 0
    await rig.engine.close()


async def test_who_settles_something_else_is_not_refused_for_it() -> None:
    rig = await Rig(MemoryFiles()).start()
    await rig.publish([b"1"], "work")
    worker = await rig.consume("work")
    await rig.got(worker, 1)
    publish = PublishBatch(queue="q", sizes=[1], bodies=b"1", attributes={"headers": {"poison": "1"}})
    with pytest.raises(Unavailable):
        await rig.settle(worker, completions=[Completion(number=1, publishes=[publish])])

    rig = await ended(rig)
    await rig.publish([b"1"], "other")
    other = await rig.consume("other")
    await rig.got(other, 1)
    good = PublishBatch(queue="q", sizes=[1], bodies=b"1")
    settled = await rig.settle(other, completions=[Completion(number=1, publishes=[good])])

    assert not settled.lost
    assert (await rig.stats("work"))["ready"] == 1
    await rig.engine.close()


async def test_a_schedule_whose_firing_ended_the_broker_is_paused_and_says_so() -> None:
    rig = await Rig(MemoryFiles()).start()
    for name, header in (("bad", "poison"), ("good", "fine")):
        message = {"body": 1, "headers": {header: "1"}}
        await rig.engine.operate("schedule", {"schedule": name, "queue": name, "message": message, "every_ms": 60_000})
    rig.pass_time(60_001)

    rig = await ended(rig)
    rig.pass_time(1)
    await turns()
    rows = {row["name"]: row for row in (await rig.engine.query("schedules", {}))["schedules"]}
    assert rig.failures == 0
    assert rows["bad"]["paused"]
    assert "ended the broker" in rows["bad"]["last_error"]["message"]
    assert not rows["good"]["paused"]
    assert rows["good"]["fired"] == 1

    await rig.restart()
    rig.pass_time(1)
    assert rig.failures == 0
    await rig.engine.close()


async def test_an_operation_is_refused_too() -> None:
    rig = await Rig(MemoryFiles()).start()
    message = {"body": 1, "headers": {"poison": "1"}}
    await rig.engine.operate("schedule", {"schedule": "s", "queue": "q", "message": message, "every_ms": 60_000})
    with pytest.raises(Unavailable):
        await rig.engine.operate("schedule_run", {"schedule": "s"})

    rig = await ended(rig)
    with pytest.raises(Internal):
        await rig.engine.operate("schedule_run", {"schedule": "s"})
    assert rig.failures == 0
    await rig.engine.close()


async def test_after_a_day_it_is_forgotten() -> None:
    rig = await Rig(MemoryFiles()).start()
    await outcome(rig, [b"1"], headers={"poison": "1"})
    rig.clock.advance(DAY_MS)

    rig = await ended(rig)
    assert isinstance(await outcome(rig, [b"1"], headers={"poison": "1"}), Unavailable)
    await rig.engine.close()


def test_the_list_is_short_and_survives_what_is_no_list() -> None:
    files = MemoryFiles()
    fatal = FatalCommands(files)
    for n in range(KEPT_MAX + 5):
        fatal.note(PublishBatch(queue=f"q{n}", sizes=[1], bodies=b"1"), "", [b"1"], None, Bug(), 1000)
    loaded = FatalCommands(files)
    loaded.load(1000)
    assert len(loaded.rows) == KEPT_MAX

    for data in (b"", b"no list", b"[1, 2]", b'{"a": 1}', b'[{"at": "x"}]'):
        files.content(NAME)[:] = data
        broken = FatalCommands(files)
        broken.load(1000)
        assert broken.rows == []


@pytest.mark.parametrize(
    "content",
    [
        b"[", b"{}", b'"x"', b"[1]", b'[{"at": 1}]', b'[{"at": "1", "kind": "PublishMessages", "digest": "x"}]',
        b'[{"at": 1, "kind": "Tick", "digest": "", "timer": "abc"}]',
        b'[{"at": 1, "kind": "Tick", "digest": "", "timer": ["schedule", ["x"]]}]',
        b" " * (2 * 1024 * 1024),
    ],
    ids=["damaged", "object", "text", "number", "bare", "time-as-text", "timer-as-text", "timer-of-a-list", "huge"],
)  # fmt: skip
async def test_a_list_that_is_not_ours_is_passed_over(content: bytes) -> None:
    rig = await Rig(MemoryFiles()).start()
    content = content.replace(b'"at": 1', b'"at": %d' % rig.clock.now_ms()).replace(
        b'"at": "1"', b'"at": "%d"' % rig.clock.now_ms()
    )
    await rig.engine.close()
    handle = rig.files.open(NAME, create=True)
    rig.files.pwritev(handle, [content], 0)
    rig.files.close(handle)

    rig = await rig.crashed().start()

    assert isinstance(await outcome(rig, [b"1"]), Confirm)
    await rig.engine.close()
