"""Users' data stays as it was sent, byte for byte, whatever door it comes in by and goes out by; and it harms nobody beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from doors import House, open_house
from postroad.broker.engine.engine import Completion, WatchSpec

DEEP = b"[" * 300 + b"]" * 300
BIG = b"123456789012345678901234567890"
VALUES = {
    "an integer beyond 2**64": BIG,
    "an integer of 400 digits": b"7" * 400,
    "a number that no double holds": b"1e400",
    "more digits than a double has": b"0.1000000000000000055",
    "1.0 is not 1": b"1.0",
    "white space inside": b'{ "a" :\t[1,  2] }',
    "order of keys": b'{"b":1,"a":2}',
    "a key twice": b'{"a":1,"a":2}',
    "escapes": b'"\\u00e9\\/\\ud83d\\ude00\\n"',
    "JSON 300 deep": DEEP,
    "a string with our own field": b'"\\"body\\":1,\\"res\\":[]"',
    "null": b"null",
}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with open_house() as house:
        yield house


async def _stored(house: House, queue: str) -> bytes:
    """The body of the first message of a queue, as the engine hands it over."""
    worker = await house.rig.consume(queue=queue)
    await house.rig.got(worker, 1)
    worker.subscription.cancel()
    return worker.bodies[1]


async def _text_publish(house: House, queue: str, body: bytes) -> None:
    answer = await house.ask(f'{{"op":"publish","queue":"{queue}","messages":[{{"body":{body.decode()}}}]}}')
    assert answer["op"] == "ok", answer


async def _http_publish(house: House, queue: str, body: bytes) -> None:
    answer = await house.post(f"/v1/queues/{queue}/messages", b'{"messages":[{"body":%s}]}' % body)
    assert answer.status_code == 201, answer.text


async def _schedule(house: House, queue: str, body: bytes) -> None:
    text = b'{"queue":"%s","every_ms":1000,"message":{"body":%s}}' % (queue.encode(), body)
    made = await house.post(f"/v1/schedules/{queue}-s", text, "PUT")
    assert made.status_code == 200, made.text
    assert (await house.post(f"/v1/schedules/{queue}-s/run", "")).status_code == 200


async def _schedule_by_frame(house: House, queue: str, body: bytes) -> None:
    message = f'{{"body":{body.decode()}}}'
    made = await house.ask(
        f'{{"op":"operate","do":"schedule","schedule":"{queue}-s","queue":"{queue}","every_ms":1000,"message":{message}}}'
    )
    assert made["op"] == "ok", made
    await house.rig.engine.operate("schedule_run", {"schedule": f"{queue}-s"})


async def _edit(house: House, queue: str, body: bytes) -> None:
    text = f'{{"message":"{await house.dead(queue)}","with":{{"body":{body.decode()}}}}}'
    answer = await house.post(f"/v1/queues/{queue}.dead/edit", text)
    assert answer.status_code == 200, answer.text


async def _done(house: House, queue: str, body: bytes) -> None:
    publish = f'{{"queue":"{queue}","messages":[{{"body":{body.decode()}}}]}}'
    answer = await house.ask(
        f'{{"op":"settle","sub":{await house.sub()},"done":[{{"number":1,"publish":[{publish}]}}]}}'
    )
    assert answer["op"] == "ok", answer


IN = {
    put.__name__.strip("_"): put for put in (_text_publish, _http_publish, _schedule, _schedule_by_frame, _edit, _done)
}


@pytest.mark.parametrize("door", IN)
async def test_a_body_is_stored_as_it_was_sent(house: House, door: str) -> None:
    stored = {}
    for case, value in VALUES.items():
        queue = house.queue()
        await IN[door](house, queue, value)
        stored[case] = await _stored(house, queue)

    assert stored == VALUES


Show = Callable[[House, str, str, bytes], Awaitable[bytes]]


async def _receive(house: House, queue: str, message: str, body: bytes) -> bytes:
    return (await house.post(f"/v1/queues/{queue}/receive?max=10&wait_ms=1000", "")).content


async def _browse(house: House, queue: str, message: str, body: bytes) -> bytes:
    return (await house.http.get(f"/v1/queues/{queue}/messages")).content


async def _show(house: House, queue: str, message: str, body: bytes) -> bytes:
    return (await house.http.get(f"/v1/messages/{message}")).content


async def _ask(house: House, text: str, op: str = "ok") -> bytes:
    number = next(house.numbers)
    await house.talk.socket.send(f'{{"id":{number},{text.removeprefix("{")}')
    while True:
        frame: str = await asyncio.wait_for(house.talk.socket.recv(), 10)
        head = json.loads(frame)
        if head["op"] == op or head["op"] == "error":
            return frame.encode()


async def _query(house: House, queue: str, message: str, body: bytes) -> bytes:
    return await _ask(house, f'{{"op":"query","what":"message","message":"{message}"}}')


async def _query_page(house: House, queue: str, message: str, body: bytes) -> bytes:
    return await _ask(house, f'{{"op":"query","what":"messages","queue":"{queue}"}}')


async def _deliver(house: House, queue: str, message: str, body: bytes) -> bytes:
    return await _ask(house, f'{{"op":"consume","sub":{next(house.numbers)},"queue":"{queue}"}}', "deliver")


async def _read(house: House, queue: str, message: str, body: bytes) -> bytes:
    await house.rig.publish([body, b'"beside"'], queue=f"{queue}-stream", kind="stream")
    return (await house.http.get(f"/v1/streams/{queue}-stream/messages")).content


async def _read_by_frame(house: House, queue: str, message: str, body: bytes) -> bytes:
    await house.rig.publish([body, b'"beside"'], queue=f"{queue}-stream", kind="stream")
    sub = next(house.numbers)
    return await _ask(house, f'{{"op":"read","sub":{sub},"stream":"{queue}-stream","from":"earliest"}}', "messages")


OUT: dict[str, Show] = {
    show.__name__.strip("_"): show
    for show in (_receive, _browse, _show, _query, _query_page, _deliver, _read, _read_by_frame)
}


@pytest.mark.parametrize("door", OUT)
async def test_a_body_is_shown_as_it_was_stored_and_so_are_those_beside_it(house: House, door: str) -> None:
    wrong = {}
    for case, value in VALUES.items():
        queue = house.queue()
        confirm = await house.rig.publish([value, b'"beside"'], queue=queue)
        shown = await OUT[door](house, queue, f"{confirm.id_prefix}0", value)
        if b'"body":%s' % value not in shown or (door not in ("show", "query") and b'"body":"beside"' not in shown):
            wrong[case] = shown[:500]

    assert wrong == {}


@pytest.mark.parametrize("door", OUT)
async def test_what_only_says_that_it_is_json_is_shown_marked_beside_the_others(house: House, door: str) -> None:
    wrong = {}
    for body in (b'{"a":', b"\xff", b"NaN", b'"\\ud800"', b"[" * 5000 + b"]" * 5000, b"1 2", b"1],[2"):
        queue = house.queue()
        confirm = await house.rig.publish([body, b'"beside"'], queue=queue)
        shown = json.loads(await OUT[door](house, queue, f"{confirm.id_prefix}0", body))
        messages = shown.get("messages") or [shown["message"]]
        if type(messages[0]["body"]) is not str or any(message["body"] != "beside" for message in messages[1:]):
            wrong[body[:20]] = shown

    assert wrong == {}


async def test_a_schedule_lists_its_body_as_it_was_sent(house: House) -> None:
    for index, value in enumerate(VALUES.values()):
        text = b'{"queue":"q","every_ms":1000,"message":{"body":%s}}' % value
        await house.post(f"/v1/schedules/s{index}", text, "PUT")

    listed = (await house.http.get("/v1/schedules")).content

    assert [value for value in VALUES.values() if b'"body":%s' % value not in listed] == []


async def _result(house: House, value: bytes) -> str:
    """The id of a message that is done with this result, said in a text frame."""
    queue, sub = house.queue(), next(house.numbers)
    confirm = await house.rig.publish([b"1"], queue=queue)
    await house.ask(f'{{"op":"consume","sub":{sub},"queue":"{queue}"}}')
    await house.talk.until(op="deliver", sub=sub)
    answer = await house.ask(f'{{"op":"settle","sub":{sub},"done":[{{"number":1,"result":{value.decode()}}}]}}')
    assert answer["op"] == "ok", answer
    return f"{confirm.id_prefix}0"


RESULTS = {case: value for case, value in VALUES.items() if value != b"null"}


async def test_a_result_comes_back_as_it_was_sent_also_after_a_restart(house: House) -> None:
    ids = {case: await _result(house, value) for case, value in RESULTS.items()}
    shown = {case: (await house.http.get(f"/v1/messages/{id}")).content for case, id in ids.items()}
    again = house.rig.crashed()
    await again.start()
    kept = {case: (await again.message(id))["result"] for case, id in ids.items()}
    await again.engine.close()

    assert [case for case, value in RESULTS.items() if b'"result":%s' % value not in shown[case]] == []
    assert [case for case in RESULTS if kept[case] is None] == []


async def test_a_watcher_sees_a_result_as_it_was_sent(house: House) -> None:
    wrong = {}
    for case, value in RESULTS.items():
        queue, sub = house.queue(), next(house.numbers)
        confirm = await house.rig.publish([b"1"], queue=queue)
        worker = await house.rig.consume(queue=queue)
        await house.rig.got(worker, 1)
        await house.ask(f'{{"op":"watch","sub":{sub},"message":"{confirm.id_prefix}0"}}')
        await house.rig.settle(worker, completions=[Completion(number=1, result=value)])
        async with asyncio.timeout(10):
            while b'"state":"done"' not in (frame := (await house.talk.socket.recv()).encode()):
                pass
        if b'"result":%s' % value not in frame:
            wrong[case] = frame

    assert wrong == {}


async def test_results_of_one_record_are_each_their_own(house: House) -> None:
    confirm = await house.rig.publish([b"1", b"2", b"3"])
    worker = await house.rig.consume()
    await house.rig.got(worker, 3)
    watch = await house.rig.watch(message=f"{confirm.id_prefix}1")
    await house.rig.settle(
        worker, completions=[Completion(number=1, result=b"1", others=[(2, b'{"a":[2]}'), (3, None)])]
    )

    await house.rig.changed.until(lambda: any(state["message"]["state"] == "done" for state in watch.states))
    shown = [(await house.http.get(f"/v1/messages/{confirm.id_prefix}{index}")).json() for index in range(3)]

    assert [answer["message"]["result"] for answer in shown] == [1, {"a": [2]}, None]
    assert WatchSpec(message=f"{confirm.id_prefix}1").last == 0
