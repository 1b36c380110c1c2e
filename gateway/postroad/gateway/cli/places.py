"""Places in a stream, as they are given on the command line."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from .durations import duration_ms
from .failure import CommandFailed, ExitCode

HELP = "earliest, latest, an offset, a time such as 2026-01-01T00:00:00Z, or how long ago, e.g. 1h."


def place(text: str) -> str | dict[str, Any]:
    """The ``from`` or ``to`` of docs/protocol.md §3.1.

    Raises:
        CommandFailed: none of them.
    """
    if text in ("earliest", "latest"):
        return text
    if text.isascii() and text.isdecimal():
        return {"offset": int(text)}
    try:
        return {"at": time_ms(text)}
    except CommandFailed:
        pass
    try:
        return {"at": int(time.time() * 1000) - duration_ms(text)}
    except CommandFailed:
        raise CommandFailed(f"{text!r} is no place in a stream: {HELP}", ExitCode.USAGE) from None


def time_ms(text: str) -> int:
    """Raises: CommandFailed: not a time such as 2026-01-01T00:00:00Z."""
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise CommandFailed(f"{text!r} is not a time such as 2026-01-01T00:00:00Z.", ExitCode.USAGE) from None


def place_in_query(text: str) -> str:
    """The same for a query parameter (§9)."""
    found = place(text)
    if isinstance(found, str):
        return found
    return str(found["offset"]) if "offset" in found else f"@{found['at']}"
