"""Topic patterns, by the table that clients in other languages share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from postroad.broker.core.durable.topic.pattern import check_pattern, matches
from postroad.broker.errors import InvalidName

TABLE: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "patterns.json").read_text())


@pytest.mark.parametrize("row", TABLE["rows"], ids=lambda row: f"{row['pattern']} {row['topic']}"[:60])
def test_a_pattern_matches_what_the_table_says(row: dict[str, Any]) -> None:
    assert matches(check_pattern(row["pattern"]), row["topic"]) is row["matches"]


@pytest.mark.parametrize("text", [*TABLE["invalid"], None, 7, ["a"]], ids=lambda text: repr(text)[:40])
def test_what_is_no_pattern_is_refused(text: object) -> None:
    with pytest.raises(InvalidName):
        check_pattern(text)


def test_the_table_has_both_answers() -> None:
    assert {row["matches"] for row in TABLE["rows"]} == {True, False}
