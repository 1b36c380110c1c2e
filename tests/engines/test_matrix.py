"""The page about engines says what the engines say."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_the_matrix_in_the_docs_is_the_one_the_engines_give() -> None:
    pytest.importorskip("redis")
    pytest.importorskip("aiormq")
    pytest.importorskip("aiobotocore")
    pytest.importorskip("confluent_kafka")
    from matrix import matrix

    page = (Path(__file__).parents[2] / "docs" / "engines.md").read_text()
    assert matrix() in page, "print it with: python bench/engines.py --matrix"
