from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from postroad.broker.errors import InvalidRequest
from postroad.gateway.protocol.frame import decode_binary, decode_text, encode_binary
from postroad.gateway.protocol.opcodes import Violation


def binary(header: object, bodies: bytes = b"") -> bytes:
    return encode_binary(orjson.dumps(header)) + bodies


def test_header_and_bodies_come_apart_without_a_copy() -> None:
    data = binary({"op": "publish", "sizes": [1, 0, 2]}, b"abc")

    header, bodies = decode_binary(data)

    assert header == {"op": "publish", "sizes": [1, 0, 2]}
    assert bytes(bodies) == b"abc"
    assert bodies.obj is data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00\x00\x00", id="half a length"),
        pytest.param(b"\x00\x00\x00\x05{}", id="shorter than it says"),
        pytest.param(b"\xff\xff\xff\xff{}", id="absurd length"),
        pytest.param((1024 * 1024 + 1).to_bytes(4) + b" " * (1024 * 1024 + 1), id="header too large"),
        pytest.param(b"\x00\x00\x00\x02[]", id="an array"),
        pytest.param(b"\x00\x00\x00\x02{x", id="not JSON"),
        pytest.param(b"\x00\x00\x00\x04{\xff\xff}", id="not UTF-8"),
        pytest.param(b"\x00\x00\x00\x00", id="no header"),
        pytest.param(binary({}, b"x"), id="bodies without sizes"),
        pytest.param(binary({"sizes": [2]}, b"x"), id="sizes too large"),
        pytest.param(binary({"sizes": [1]}, b"xy"), id="sizes too small"),
        pytest.param(binary({"sizes": [2, -1]}, b"x"), id="a negative size"),
        pytest.param(binary({"sizes": [True]}, b"x"), id="a boolean size"),
        pytest.param(binary({"sizes": [1.0]}, b"x"), id="a float size"),
        pytest.param(binary({"sizes": ["1"]}, b"x"), id="a string size"),
        pytest.param(binary({"sizes": [2, None]}, b"xx"), id="null"),
        pytest.param(binary({"sizes": {"a": 1}}, b"x"), id="not an array"),
    ],
)
def test_a_broken_binary_frame_is_a_violation(data: bytes) -> None:
    with pytest.raises(Violation) as caught:
        decode_binary(data)

    assert caught.value.code == 1002


@pytest.mark.parametrize("text", ["", "hello", "[]", "1", '{"a":', '{"a":"\\ud800"}'])
def test_a_text_frame_that_is_not_an_object_is_an_invalid_request(text: str) -> None:
    with pytest.raises(InvalidRequest):
        decode_text(text)


def test_a_text_frame_cannot_name_bodies() -> None:
    with pytest.raises(Violation):
        decode_text('{"sizes":[1]}')


@given(st.binary(max_size=200))
def test_any_bytes_give_a_frame_or_a_violation(data: bytes) -> None:
    for candidate in (data, len(data).to_bytes(4) + data):
        try:
            header, _ = decode_binary(candidate)
        except Violation:
            continue
        assert type(header) is dict
