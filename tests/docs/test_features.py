"""Each feature in docs/features.md says how to get it, and names tests that are there."""

from __future__ import annotations

import re

import pytest
from readme import ROOT

TEXT = (ROOT / "docs" / "features.md").read_text()
ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in TEXT.split("## Left out")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| feature")
]
_PATH = re.compile(r"`([^`]+)`")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_feature_is_called_and_tested_where_it_says(row: list[str]) -> None:
    feature, use, call, tests = row

    assert feature and call
    assert set(use.split()) <= set("SOVA") and use
    paths = _PATH.findall(tests)
    assert paths, "no test"
    missing = [path for path in paths if not (ROOT / path).is_file()]
    assert missing == []
    assert all("test" in path.rsplit("/", 1)[-1] for path in paths)


def test_the_page_has_all_four_kinds_of_work() -> None:
    assert {letter for row in ROWS for letter in row[1].split()} == set("SOVA")
    assert len(ROWS) > 50
