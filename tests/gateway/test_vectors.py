"""What every implementation in every language must agree on: tests/vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from postroad.broker.errors import ERRORS
from postroad.gateway.protocol.frame import decode_binary, encode_binary
from postroad.gateway.protocol.opcodes import Violation

VECTORS = Path(__file__).parent.parent / "vectors"
FRAMES = json.loads((VECTORS / "frames.json").read_text())
NAMED = json.loads((VECTORS / "errors.json").read_text())["errors"]


def named(rows: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in rows]


def taken(frame: bytes) -> tuple[Any, list[str]]:
    header, bodies = decode_binary(frame)
    found, offset = [], 0
    for size in header.get("sizes", ()):
        found.append(bytes(bodies[offset : offset + size]).hex())
        offset += size
    return header, found


@pytest.mark.parametrize("row", named(FRAMES["frames"]))
def test_a_frame_is_read_as_every_client_reads_it(row: dict[str, Any]) -> None:
    assert taken(bytes.fromhex(row["frame"])) == (row["header"], row["bodies"])


@pytest.mark.parametrize("row", named(FRAMES["frames"]))
def test_a_frame_that_is_written_is_read_as_it_was_meant(row: dict[str, Any]) -> None:
    written = encode_binary(orjson.dumps(row["header"])) + b"".join(map(bytes.fromhex, row["bodies"]))

    assert taken(written) == (row["header"], row["bodies"])


@pytest.mark.parametrize("row", named(FRAMES["broken"]))
def test_a_broken_frame_ends_the_connection(row: dict[str, Any]) -> None:
    with pytest.raises(Violation):
        decode_binary(bytes.fromhex(row["frame"]))


def test_errors_are_those_that_every_client_knows() -> None:
    ours = [{"code": e.code, "retryable": e.retryable, "http": e.http_status} for e in ERRORS]

    assert ours == NAMED
