"""JSON is parsed on the loop, so there is less of it in one piece: text frames and HTTP bodies have a limit of their own."""

from __future__ import annotations

from doors import House, open_house
from postroad.gateway.protocol.frame import encode_binary

MIB = 1024 * 1024


def _publish(size: int) -> str:
    """A text frame, without its id, of about this size: many bodies of JSON that is slow to parse."""
    body = "[" + "[]," * 100_000 + "[]]"
    return (
        '{"op":"publish","queue":"q","messages":[' + ",".join([f'{{"body":{body}}}'] * (size // len(body) + 1)) + "]}"
    )


async def test_a_text_frame_beyond_its_limit_is_refused_and_the_connection_goes_on() -> None:
    async with open_house(segment_bytes=16 * MIB) as house:
        refused = await house.ask(_publish(3 * MIB))
        following = await house.ask('{"op":"publish","queue":"q","messages":[{"body":1}]}')
        stored = await house.rig.stats("q")

    assert (refused["op"], refused.get("code"), refused.get("value")) == ("error", "limit-exceeded", 2 * MIB)
    assert following["op"] == "ok"
    assert stored["published_total"] == 1


async def test_an_http_body_beyond_its_limit_is_answered_413() -> None:
    async with open_house(segment_bytes=16 * MIB) as house:
        refused = await house.post("/v1/queues/q/messages", _publish(3 * MIB))
        beside = await house.post("/v1/queues/q/messages", '{"messages":[{"body":1}]}')

    assert (refused.status_code, refused.json()["code"], refused.json()["value"]) == (413, "limit-exceeded", 2 * MIB)
    assert beside.status_code == 201


async def test_welcome_tells_the_limits_of_json() -> None:
    async with open_house(segment_bytes=16 * MIB) as house:
        limits = (await house.ask('{"op":"hello"}'))["limits"]

    assert (limits["frame_bytes_max"], limits["text_frame_bytes_max"], limits["http_body_bytes_max"]) == (
        16 * MIB, 2 * MIB, 2 * MIB,
    )  # fmt: skip


async def _binary(house: House, bodies: int) -> str:
    head = b'{"op":"publish","id":1,"queue":"q","sizes":[%s]}' % b",".join([b"%d" % MIB] * bodies)
    await house.talk.socket.send(encode_binary(head) + b"x" * (MIB * bodies))
    return str((await house.talk.until(id=1))["op"])


async def test_binary_frames_stay_as_large_as_they_were() -> None:
    async with open_house(segment_bytes=16 * MIB) as house:
        assert await _binary(house, 8) == "ok"


async def test_the_largest_body_still_fits_into_http_as_base64() -> None:
    async with open_house(segment_bytes=16 * MIB) as house:
        answer = await house.post(
            "/v1/queues/q/messages", '{"messages":[{"type":"bytes","body":"' + "AAAA" * 349_525 + '"}]}'
        )

    assert answer.status_code == 201
