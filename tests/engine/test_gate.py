"""Nothing is seen before its record is synced: not a confirm, not a delivery, not an event, not a number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from engine_rig import HeldSync, Rig, turns
from postroad.broker.engine.embedded.write.gate import Gate, Output
from postroad.broker.errors import PostroadError

Observe = Callable[[Rig], Awaitable[Callable[[], object]]]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Queue ``q`` has one message that is durable."""
    rig = await Rig().start()
    await rig.publish([b"durable"], dedup_key="old")
    yield rig
    await rig.engine.close()


async def confirm(rig: Rig) -> Callable[[], object]:
    outcome = rig.send([b"x"])
    return lambda: outcome


async def delivery(rig: Rig) -> Callable[[], object]:
    worker = await rig.consume()
    await rig.got(worker, 1)
    rig.send([b"x"])
    return lambda: len(worker.ids) > 1


async def event(rig: Rig) -> Callable[[], object]:
    watcher = await rig.watch(queue="q")
    rig.send([b"x"])
    return lambda: watcher.seen


async def query(rig: Rig) -> Callable[[], object]:
    rig.send([b"x"])
    asked = asyncio.ensure_future(rig.engine.query("queues", {}))
    return asked.done


async def message_query(rig: Rig) -> Callable[[], object]:
    worker = await rig.consume()
    await rig.got(worker, 1)
    rig.send([b"x"])
    asked = asyncio.ensure_future(rig.engine.query("message", {"message": worker.ids[1]}))
    return asked.done


async def ack_reply(rig: Rig) -> Callable[[], object]:
    worker = await rig.consume()
    await rig.got(worker, 1)
    asked = asyncio.ensure_future(rig.settle(worker, acks=[(1, 1)]))
    await turns()
    return asked.done


async def declare_reply(rig: Rig) -> Callable[[], object]:
    asked = asyncio.ensure_future(rig.engine.declare("new", {}))
    await turns()
    return asked.done


async def consume_reply(rig: Rig) -> Callable[[], object]:
    asked = asyncio.ensure_future(rig.consume("new"))
    await turns()
    return asked.done


async def duplicate_reply(rig: Rig) -> Callable[[], object]:
    rig.send([b"x"], dedup_key="k")
    outcome = rig.send([b"x"], dedup_key="k")
    return lambda: outcome


async def conflict(rig: Rig) -> Callable[[], object]:
    rig.send([b"x"], dedup_key="k")
    outcome = rig.send([b"other"], dedup_key="k")
    return lambda: outcome


async def numbers_in_a_new_watch(rig: Rig) -> Callable[[], object]:
    rig.send([b"x"])
    asked = asyncio.ensure_future(rig.watch(queue="q"))
    await turns()
    return lambda: asked.done() and asked.result().snapshot["queue"]["published_total"] > 1


async def numbers_in_a_running_watch(rig: Rig) -> Callable[[], object]:
    watcher = await rig.watch(queue="q")
    await rig.publish([b"second"])
    rig.send([b"x"])
    await rig.changed.until(lambda: watcher.states or rig.engine._pipeline.gate.durable > 10)
    return lambda: any(state["queue"]["published_total"] > 2 for state in watcher.states if "queue" in state)


async def last_frame_of_a_session(rig: Rig) -> Callable[[], object]:
    rig.send([b"x"], producer=("p", 1))
    return lambda: rig.engine.session_opened("p")


OBSERVATIONS = [
    confirm, delivery, event, query, message_query, ack_reply, declare_reply, consume_reply, duplicate_reply, conflict,
    numbers_in_a_new_watch, last_frame_of_a_session,
]  # fmt: skip


async def check(rig: Rig, observe: Observe) -> None:
    if observe in (delivery, event, message_query, ack_reply):
        # These need something durable first: hold only what comes after it.
        hold: list[HeldSync] = []
        send, settle = rig.send, rig.settle

        def held_send(*args: Any, **more: Any) -> Any:
            hold.append(HeldSync(rig.files))
            return send(*args, **more)

        async def held_settle(*args: Any, **more: Any) -> Any:
            hold.append(HeldSync(rig.files))
            return await settle(*args, **more)

        rig.send, rig.settle = held_send, held_settle  # type: ignore[method-assign]
        seen = await observe(rig)
        rig.send, rig.settle = send, settle  # type: ignore[method-assign]
        held = hold[0]
    else:
        held = HeldSync(rig.files)
        seen = await observe(rig)
    try:
        await held.arrived()
        early = bool(seen())
    finally:
        held.let_go()
    await rig.engine._pipeline.all_durable()
    await turns()
    assert not early, f"{observe.__name__} was seen before the sync returned"


@pytest.mark.parametrize("observe", OBSERVATIONS, ids=lambda observe: observe.__name__)
async def test_nothing_is_seen_before_the_sync(rig: Rig, observe: Observe) -> None:
    await check(rig, observe)


@pytest.mark.parametrize(
    "observe", [o for o in OBSERVATIONS if o not in (last_frame_of_a_session,)], ids=lambda observe: observe.__name__
)
async def test_everything_is_seen_after_the_sync(rig: Rig, observe: Observe) -> None:
    seen = await observe(rig)

    await rig.engine._pipeline.all_durable()
    async with asyncio.timeout(10):
        while not seen():
            await asyncio.sleep(0)


@pytest.mark.parametrize("observe", [confirm, delivery, event, ack_reply], ids=lambda observe: observe.__name__)
async def test_a_gate_that_stands_open_turns_this_red(
    rig: Rig, observe: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "put", lambda self, output: self._release([output]))

    with pytest.raises(AssertionError, match="before the sync"):
        await check(rig, observe)


async def test_the_session_tells_a_frame_once_it_is_durable(rig: Rig) -> None:
    await rig.publish([b"x"], producer=("p", 1))
    held = HeldSync(rig.files)
    rig.send([b"y"], producer=("p", 2))
    await held.arrived()

    early = rig.engine.session_opened("p")
    held.let_go()
    await rig.engine._pipeline.all_durable()

    assert (early, rig.engine.session_opened("p")) == (1, 2)


async def test_outputs_leave_in_the_order_of_their_commands() -> None:
    order: list[int] = []
    gate = Gate(lambda outputs: order.extend(output.position for output in outputs))

    for position in (3, 3, 5, 7):
        gate.put(Output(position, None, [], []))
    gate.open_to(4)
    gate.put(Output(4, None, [], []))  # rests on less than what still waits, and yet comes after it
    gate.open_to(7)

    assert order == [3, 3, 5, 7, 4]


async def test_a_duplicate_of_a_durable_message_is_told_its_id(rig: Rig) -> None:
    first = await rig.publish([b"x"], dedup_key="k")

    again = await rig.publish([b"x"], dedup_key="k")

    assert again.duplicates == {0: f"{first.id_prefix}0"}


async def test_refusals_are_told_once(rig: Rig) -> None:
    outcome = rig.send([b"other"], dedup_key="old")

    await rig.changed.until(lambda: outcome)
    await turns()

    assert [type(answer).__name__ for answer in outcome] == ["Conflict"]
    assert isinstance(outcome[0], PostroadError)
