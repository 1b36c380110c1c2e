"""Finding messages by body, header and key, and sending a dead one back changed."""

from __future__ import annotations

from typing import Any

import pytest
from engine_rig import Rig, Worker
from postroad.broker.core.format import command as c
from postroad.broker.engine.engine import Nack
from postroad.broker.errors import InvalidRequest, InvalidState, MessageNotFound
from test_readers import to


async def found(rig: Rig, queue: str = "q", **asked: Any) -> list[int]:
    answer = await rig.engine.query("messages", {"queue": queue, **asked})
    return [row["sequence"] for row in answer["messages"]]


async def test_messages_are_found_by_text_header_and_key(rig: Rig) -> None:
    await rig.publish(
        [b'{"to":"ada@x.org"}', b'{"to":"bob@x.org"}', '{"to":"žofie@x.org"}'.encode()],
        headers=[{"tenant": "1", "lang": "en"}, {"tenant": "2"}, {"tenant": "1"}], keys=["u1", "u2", "u1"],
    )  # fmt: skip

    assert await found(rig, text="bob@") == [1]
    assert await found(rig, text="žofie") == [2]
    assert await found(rig, text="x.org") == [0, 1, 2]
    assert await found(rig, headers={"tenant": "1"}) == [0, 2]
    assert await found(rig, headers={"tenant": "1", "lang": "en"}) == [0]
    assert await found(rig, key="u1") == [0, 2]
    assert await found(rig, key="u1", text="ada") == [0]
    assert await found(rig, text="nobody") == []


@pytest.mark.parametrize(
    "asked",
    [{"text": ""}, {"text": 5}, {"text": "é" * 401}, {"headers": []}, {"headers": {"a": 1}}, {"key": 5}],
)
async def test_a_search_for_nothing_sensible_is_refused(rig: Rig, asked: dict[str, Any]) -> None:
    await rig.publish([b"a"])

    with pytest.raises(InvalidRequest):
        await found(rig, **asked)


async def test_a_search_does_not_touch_and_pages_on(rig: Rig) -> None:
    await rig.publish([b"needle" if n % 3 == 0 else b"hay" for n in range(30)])

    seen: list[int] = []
    after = None
    while True:
        asked = {"queue": "q", "text": "needle", "limit": 4, **({} if after is None else {"after": after})}
        answer = await rig.engine.query("messages", asked)
        seen += [row["sequence"] for row in answer["messages"]]
        if (after := answer["next"]) is None:
            break

    assert seen == list(range(0, 30, 3))
    assert (await rig.stats())["ready"] == 30


async def test_a_long_search_says_how_far_it_looked_and_goes_on(rig: Rig) -> None:
    for _ in range(3):
        await rig.publish([b"hay"] * 4000)
    await rig.publish([b"needle"])

    first = await rig.engine.query("messages", {"queue": "q", "text": "needle"})
    second = await rig.engine.query("messages", {"queue": "q", "text": "needle", "after": first["next"]})

    assert (first["messages"], first["searched"]) == ([], 10_000)
    assert [row["sequence"] for row in second["messages"]] == [12_000]
    assert second["next"] is None


async def test_dead_letters_are_searched_too(rig: Rig) -> None:
    await bury(rig, [b"bad one", b"bad two"])

    assert await found(rig, "q.dead", text="two") == [1]


# Edit and redrive


async def bury(rig: Rig, bodies: list[bytes], **attributes: Any) -> Worker:
    worker = await rig.consume()
    await rig.publish(bodies, **attributes)
    await rig.got(worker, len(bodies))
    for number in range(1, len(bodies) + 1):
        await rig.nack(worker, number, dead=True, reason="bad")
    return worker


async def edit(rig: Rig, message: str, change: dict[str, Any], queue: str = "q.dead") -> str:
    answer = await rig.engine.operate("edit", {"queue": queue, "message": message, "with": change})
    return str(answer["message"])


async def test_an_edited_message_goes_back_as_a_new_one_that_names_its_cause(rig: Rig) -> None:
    worker = await bury(rig, [b'{"to":"adda"}'])
    dead = worker.ids[1]

    new = await edit(rig, dead, {"body": {"to": "ada"}, "headers": {"tenant": "1"}})
    await rig.got(worker, 2)

    assert worker.ids[2] == new != dead
    assert worker.bodies[2] == b'{"to":"ada"}'
    assert worker.attempts[2] == 1
    assert worker.batches[-1].attributes["headers"] == [{"tenant": "1", "postroad-cause": dead}]
    assert (await rig.stats("q.dead"))["ready"] == 0


async def test_an_edited_message_keeps_headers_key_and_priority_unless_they_are_named(rig: Rig) -> None:
    await rig.publish([b"1"], headers={"tenant": "1"}, priority=7)
    await rig.publish([b"2"], headers=[{"tenant": "2"}], keys=["k"])
    worker = await rig.consume()
    await rig.got(worker, 2)
    await rig.settle(worker, nacks=[Nack(first=1, last=2, dead=True)])
    first, second = worker.ids[1], worker.ids[2]

    kept = await edit(rig, first, {"body": 3})
    keyed = await edit(rig, second, {"body": 3})

    one, two = [(await rig.engine.query("message", {"message": id}))["message"] for id in (kept, keyed)]
    assert (one["headers"], one["priority"]) == ({"tenant": "1", "postroad-cause": first}, 7)
    assert (two["headers"], two["key"]) == ({"tenant": "2", "postroad-cause": second}, "k")


async def test_an_edit_takes_away_what_it_names_as_null(rig: Rig) -> None:
    await rig.publish([b"1"], headers={"tenant": "1"}, key="k")
    worker = await rig.consume()
    await rig.got(worker, 1)
    await rig.settle(worker, nacks=[Nack(first=1, last=1, dead=True)])

    new = await edit(rig, worker.ids[1], {"body": 3, "key": None, "headers": None, "priority": 2})

    message = (await rig.engine.query("message", {"message": new}))["message"]
    assert (message["key"], message["priority"]) == (None, 2)
    assert message["headers"] == {"postroad-cause": worker.ids[1]}


async def test_editing_is_one_step_also_across_a_crash(rig: Rig) -> None:
    worker = await bury(rig, [b"x"])
    new = await edit(rig, worker.ids[1], {"body": "y", "type": "text"})

    again = await rig.crashed().start()
    try:
        assert (await again.stats("q.dead"))["ready"] == 0
        assert (await again.message(new))["body"] == "y"
    finally:
        await again.engine.close()


async def test_only_a_dead_message_that_waits_can_be_edited(rig: Rig) -> None:
    worker = await bury(rig, [b"x"])
    dead = worker.ids[1]
    alive = (await rig.publish([b"alive"])).id_prefix + "0"

    with pytest.raises(MessageNotFound):
        await edit(rig, alive, {"body": 1})
    with pytest.raises(InvalidRequest):
        await edit(rig, dead, {"headers": {}})
    await edit(rig, dead, {"body": 1})
    with pytest.raises(MessageNotFound):
        await edit(rig, dead, {"body": 1})


async def test_an_edited_message_whose_queue_is_gone_stays_dead(rig: Rig) -> None:
    worker = await bury(rig, [b"x"])
    await rig.engine.delete("q")

    with pytest.raises(InvalidState):
        await edit(rig, worker.ids[1], {"body": 1})

    assert (await rig.stats("q.dead"))["ready"] == 1


async def test_a_dead_letter_of_a_group_is_found_and_cannot_be_edited(rig: Rig) -> None:
    rig.engine.execute(c.DeclareGroup(stream="s", group="g"))
    worker = await rig.consume("s", group="g")
    await to(rig, "s", [b"bad"])
    await rig.got(worker, 1)
    await rig.nack(worker, 1, dead=True)

    with pytest.raises(InvalidState, match="group"):
        await edit(rig, worker.ids[1], {"body": "good", "type": "text"}, queue="s.g.dead")

    assert await found(rig, "s.g.dead", text="bad") == [0]
    assert (await rig.engine.query("stream", {"stream": "s"}))["stream"]["next"] == 1


# Expiry


async def test_an_expired_message_is_told_in_its_timeline_and_not_delivered(rig: Rig) -> None:
    id = (await rig.publish([b"x"], expire_ms=1000)).id_prefix + "0"

    rig.pass_time(1500)
    worker = await rig.consume()
    await rig.publish([b"y"])
    await rig.got(worker, 1)

    assert list(worker.bodies.values()) == [b"y"]
    message = await rig.message(id)
    assert message["state"] == "expired"
    assert [entry["kind"] for entry in message["timeline"]] == ["published", "expired"]


async def test_a_queues_own_expiry_counts_where_a_message_names_none(rig: Rig) -> None:
    await rig.engine.declare("q", {"expire_ms": 1000})
    await rig.publish([b"a", b"b"], expires_ms=[None, 5000])

    rig.pass_time(1500)
    worker = await rig.consume()
    await rig.got(worker, 1)

    assert list(worker.bodies.values()) == [b"b"]
