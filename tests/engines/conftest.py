"""What the engines' tests share; their servers are in ``servers.py``."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest.register_assert_rewrite("contract", "desk", "survival")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*capabilities): a promise that only engines with these capabilities make")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _missing_skips())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    return (yield from _missing_skips())


def _missing_skips() -> Generator[None, object, object]:
    """A server that is not on this machine skips the test; where ``CI`` is set it fails it."""
    from servers import Missing

    try:
        return (yield)
    except Missing as missing:
        reason = str(missing)
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
