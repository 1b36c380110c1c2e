"""How much work something is, in numbers that no machine and no load changes."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of Python ``work`` runs: what visits each of many things runs a line for each."""
    lines = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


async def lines_run_until(work: Awaitable[object]) -> int:
    """As ``lines_run``, of all that runs on the loop until ``work`` is done."""
    lines = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        await work
    finally:
        sys.settrace(before)
    return lines


def bytes_at_most(work: Callable[[], object]) -> int:
    """How much memory ``work`` needs at its peak: what lists all of many things needs some for each."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
