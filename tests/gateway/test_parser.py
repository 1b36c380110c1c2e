"""RFC 6455 frames: what comes out, whatever way the bytes are cut, and what is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postroad.gateway.protocol.opcodes import BINARY, CLOSE, PING, TEXT, Violation
from postroad.gateway.protocol.parser import Parser, close_payload, header, parse_close

LIMIT = 100_000


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, mask: bytes | None = b"\x01\x02\x03\x04") -> bytes:
    first = (0x80 if final else 0) | opcode
    size = len(payload)
    bit = 0x80 if mask is not None else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 65_536:
        head = bytes((first, bit | 126)) + size.to_bytes(2)
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def parse(data: bytes, cuts: list[int] | None = None, limit: int = LIMIT) -> tuple[list[tuple[int, bytes]], Parser]:
    parser = Parser(limit)
    events: list[tuple[int, bytes]] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts or []), len(data)]
    for start, end in pairwise(edges):
        scratch = bytearray(data[start:end])
        events += parser.feed(memoryview(scratch))
        scratch[:] = b"\xff" * len(scratch)  # the buffer is shared: nothing may look at it after feed returned
    return events, parser


MESSAGES = (
    frame(TEXT, b"a")
    + frame(BINARY, b"b" * 300)
    + frame(BINARY, b"c" * 70_000)
    + frame(TEXT, b"d", final=False)
    + frame(PING, b"e")
    + frame(0, b"f", final=False)
    + frame(0, b"g")
    + frame(CLOSE, close_payload(1000, "bye"))
)
EVENTS = [
    (TEXT, b"a"),
    (BINARY, b"b" * 300),
    (BINARY, b"c" * 70_000),
    (PING, b"e"),
    (TEXT, b"dfg"),
    (CLOSE, b"\x03\xe8bye"),
]


def test_a_read_with_many_frames_gives_them_all_in_order() -> None:
    assert parse(MESSAGES)[0] == EVENTS


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2**20), max_size=30))
def test_frames_are_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    events, parser = parse(MESSAGES, cuts)

    assert events == EVENTS
    assert parser.violation is None


def test_frames_are_the_same_when_they_come_byte_by_byte() -> None:
    short = frame(TEXT, b"abc") + frame(BINARY, b"x" * 200) + frame(PING)

    assert parse(short, list(range(len(short))))[0] == [(TEXT, b"abc"), (BINARY, b"x" * 200), (PING, b"")]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(TEXT, b"x", mask=None), 1002, id="not masked"),
        pytest.param(bytes((0xC1, 0x80)) + b"1234", 1002, id="reserved bit"),
        pytest.param(frame(3, b""), 1002, id="unknown data opcode"),
        pytest.param(frame(11, b""), 1002, id="unknown control opcode"),
        pytest.param(frame(PING, b"x" * 126), 1002, id="long control frame"),
        pytest.param(frame(PING, b"", final=False), 1002, id="fragmented control frame"),
        pytest.param(frame(0, b"x"), 1002, id="continuation of nothing"),
        pytest.param(frame(TEXT, b"x", final=False) + frame(TEXT, b"y"), 1002, id="message inside a message"),
        pytest.param(bytes((0x82, 0x80 | 126, 0, 5)) + b"1234abcde", 1002, id="length not in its shortest form"),
        pytest.param(frame(BINARY, b"x" * (LIMIT + 1)), 1009, id="one byte too many"),
        pytest.param(bytes((0x82, 0xFF)) + (2**62).to_bytes(8) + b"1234", 1009, id="absurd length"),
        pytest.param(
            frame(BINARY, b"x" * LIMIT, final=False) + frame(0, b"y"), 1009, id="fragments together too large"
        ),
    ],
)
def test_a_broken_frame_is_refused_and_ends_the_stream(data: bytes, code: int) -> None:
    events, parser = parse(frame(TEXT, b"before") + data + frame(TEXT, b"after"))

    assert events == [(TEXT, b"before")]
    assert parser.violation is not None
    assert parser.violation.code == code


def test_a_message_of_exactly_the_limit_is_taken() -> None:
    assert parse(frame(BINARY, b"x" * LIMIT))[0] == [(BINARY, b"x" * LIMIT)]


def test_a_too_large_frame_is_refused_before_its_payload_comes() -> None:
    parser = parse(frame(BINARY, b"x" * (LIMIT + 1))[:14])[1]

    assert parser.violation is not None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_no_bytes_make_it_fail_otherwise(data: bytes, cuts: list[int]) -> None:
    events, _ = parse(data, cuts, 1000)

    assert all(len(payload) <= 1000 for _, payload in events)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_header_of_ours_is_what_a_peer_reads(size: int) -> None:
    assert header(BINARY, size) == frame(BINARY, b"x" * size, mask=None)[: -size or None]


@pytest.mark.parametrize(
    "payload", [b"\x03", b"\x00\x00", b"\x03\xec", b"\x03\xed", b"\x03\xee", b"\x0b\xb7", b"\x03\xe8\xff"]
)
def test_an_invalid_close_is_a_violation(payload: bytes) -> None:
    with pytest.raises(Violation):
        parse_close(payload)


def test_a_close_may_be_empty_or_have_code_and_reason() -> None:
    assert parse_close(b"") == (1005, "")
    assert parse_close(close_payload(4000, "so")) == (4000, "so")
