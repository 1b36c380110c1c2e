"""Readers at one place are sent the same object."""

from __future__ import annotations

import orjson
from postroad.broker.engine.engine import DeliveryBatch, Run
from postroad.gateway.protocol.frame import decode_binary
from postroad.gateway.protocol.shared_frames import SharedFrames


def batch(text: bytes) -> DeliveryBatch:
    run = Run(sequence=3, count=1, id_prefix="s-1-", index=0, published_at=5)
    return DeliveryBatch(number=0, runs=[run], sizes=[len(text)], bodies=[text], attributes={})


def test_one_batch_is_encoded_once_for_a_subscription_number_and_format() -> None:
    frames, one = SharedFrames(), batch(b'"a"')

    first = frames.of(1, one, None, binary=True)

    assert frames.of(1, one, None, binary=True) is first
    header, bodies = decode_binary(first[2:])
    assert (header["sub"], header["runs"][0][0], bytes(bodies)) == (1, 3, b'"a"')
    text = frames.of(2, one, 1, binary=False)
    assert orjson.loads(text[text.index(b"{") :])["trimmed"] == 1


def test_another_batch_of_equal_content_is_not_taken_for_the_last_one() -> None:
    frames = SharedFrames()

    assert b'"a"' in frames.of(1, batch(b'"a"'), None, binary=True)
    assert b'"b"' in frames.of(1, batch(b'"b"'), None, binary=True)
