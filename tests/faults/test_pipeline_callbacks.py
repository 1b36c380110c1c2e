"""A callback that raises harms its own reply only: all others that leave with it get theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

import pytest
from engine_rig import HeldSync, Rig, Watcher, turns
from postroad.broker.engine.engine import Confirm, PublishBatch, ReadSpec, WatchSpec
from postroad.broker.errors import PostroadError

CLOSE_S = 10
"""Only what hangs takes so long."""


class Bug(Exception):
    """What no engine could expect."""


def raising(*args: object) -> NoReturn:
    raise Bug


class RaisingSink:
    deliver = messages = revoked = ended = events = state = staticmethod(raising)


@pytest.fixture
async def unhandled() -> AsyncIterator[list[dict[str, Any]]]:
    """What reaches the loop's own handler, which is where an exception of a callback ends up that nobody caught."""
    loop = asyncio.get_running_loop()
    seen: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: seen.append(context))
    yield seen
    loop.set_exception_handler(None)


async def a_reply(rig: Rig) -> Callable[[], None]:
    return lambda: rig.engine.publish(PublishBatch(queue="other", sizes=[1], bodies=b"1"), raising)


async def a_delivery(rig: Rig) -> Callable[[], None]:
    worker = await rig.consume("other")
    worker.deliver = raising  # type: ignore[method-assign]
    return lambda: void(rig.send([b"1"], "other"))


async def a_revocation(rig: Rig) -> Callable[[], None]:
    worker = await rig.consume("other")
    await rig.publish([b"1"], "other")
    await rig.got(worker, 1)
    worker.revoked = raising  # type: ignore[method-assign]
    return lambda: void(asyncio.ensure_future(rig.engine.operate("cancel", {"message": worker.ids[1]})))


async def an_end(rig: Rig) -> Callable[[], None]:
    worker = await rig.consume("other")
    worker.ended = raising  # type: ignore[method-assign]
    return lambda: void(asyncio.ensure_future(rig.engine.delete("other")))


async def events(rig: Rig) -> Callable[[], None]:
    watcher = await rig.watch(queue="q")
    watcher.events = raising  # type: ignore[method-assign]
    return lambda: None


async def messages_of_a_reader(rig: Rig) -> Callable[[], None]:
    await rig.engine.declare("s", {}, kind="stream")
    await rig.engine.read(ReadSpec(stream="s", start="earliest"), RaisingSink())
    return lambda: void(rig.send([b"1"], "s", kind="stream"))


def void(_: object) -> None:
    """A call for its effect."""


@pytest.mark.parametrize(
    "kind",
    [
        a_reply,
        a_delivery,
        a_revocation,
        an_end,
        events,
        messages_of_a_reader,
    ],
)
async def test_what_raises_harms_itself_only(kind: Callable[[Rig], Any], unhandled: list[dict[str, Any]]) -> None:
    rig = await Rig().start()
    await rig.publish([b"first"])
    worker = await rig.consume()
    await rig.got(worker, 1)
    ask = await kind(rig)
    watcher = Watcher(rig.changed)
    await rig.engine.watch(WatchSpec(queue="q"), watcher)
    held = HeldSync(rig.files)
    rig.send([b"holds the disk"], "elsewhere")
    await held.arrived()

    before = rig.send([b"before"])
    ask()
    after = rig.send([b"after"])
    await turns()
    held.let_go()
    await confirmed(rig, before, after)
    await turns()

    assert len(worker.ids) == 3
    assert watcher.kinds().count("published") == 2
    assert unhandled == []
    assert rig.engine.healthy
    await rig.engine.close()


async def confirmed(rig: Rig, *outcomes: list[Confirm | PostroadError]) -> None:
    """All that was sent before this is answered: what is sent after it is."""
    later = rig.send([b"later"], "elsewhere")
    async with asyncio.timeout(CLOSE_S):
        await rig.changed.until(lambda: later)
    assert all(outcome and isinstance(outcome[0], Confirm) for outcome in outcomes)
