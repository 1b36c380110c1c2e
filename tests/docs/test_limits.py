"""The table of bounds in docs/protocol.md is the one in the code."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from postroad.broker.limits import INTEGER_MAX, Limits

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"


def test_the_documented_limits_are_those_in_force() -> None:
    section = PROTOCOL.read_text().split("### 1.5 Limits")[1].split("### ")[0]
    documented = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| (.+) \|$", section, re.MULTILINE)

    assert documented == [(item.name, f"{item.default:,}", item.metadata["meaning"]) for item in fields(Limits)]


def test_every_limit_is_an_integer_that_json_keeps() -> None:
    assert all(type(item.default) is int and 0 < item.default <= INTEGER_MAX for item in fields(Limits))
