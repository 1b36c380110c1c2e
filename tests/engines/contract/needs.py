"""What the suites of the contract share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

QUICK = {"backoff_ms": 1, "backoff_max_ms": 1}


def needs(*capabilities: str) -> Callable[[Any], Any]:
    """This promise holds only where the engine can do these things."""
    return pytest.mark.needs(*capabilities)
