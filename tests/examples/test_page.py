"""What docs/examples.md prints is in the examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import dedent

import pytest
from example_programs import EXAMPLES, ROOT

BLOCKS = re.findall(r"```(?:ts|html)\n(.*?)```", (ROOT / "docs/examples.md").read_text(), re.DOTALL)


def passages(block: str) -> Iterator[str]:
    """All runs of so many lines in the sources, without their common indentation."""
    length = block.count("\n")
    for path in (each for kind in ("ts", "html") for each in EXAMPLES.glob(f"*/**/*.{kind}")):
        lines = path.read_text().splitlines(keepends=True)
        for start in range(len(lines) - length + 1):
            yield dedent("".join(lines[start : start + length]))


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_the_code_on_the_page_is_the_code_of_the_examples(block: str) -> None:
    assert block in set(passages(block))
