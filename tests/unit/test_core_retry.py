"""Retry delays: the same history gives the same delay, in every language (tests/vectors/retry.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from postroad.broker.core.rules.retry import retry_delay_ms, spread

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "retry.json").read_text())["rows"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['position']}-{row['index']}-{row['attempt']}")
def test_delay_equals_the_shared_vector(row: dict[str, Any]) -> None:
    want = row.pop("delay_ms")

    assert retry_delay_ms(**row) == want

    row["delay_ms"] = want


@pytest.mark.parametrize(
    ("attempt", "full"), [(1, 1000), (2, 2000), (5, 16_000), (10, 512_000), (11, 600_000), (1000, 600_000)]
)
def test_delay_lies_between_half_and_all_of_the_exponential_one(attempt: int, full: int) -> None:
    delays = [retry_delay_ms(attempt, 1000, 600_000, position, 3) for position in range(1, 500)]

    assert all(full // 2 <= delay <= full for delay in delays)
    assert len({delay * 10 // full for delay in delays}) >= 5  # jitter uses the whole half


def test_messages_of_one_record_do_not_retry_in_step() -> None:
    assert len({spread(1041, index, 1) >> 26 for index in range(64)}) > 20


def test_no_backoff_means_at_once() -> None:
    assert retry_delay_ms(7, 0, 600_000, 12, 0) == 0
