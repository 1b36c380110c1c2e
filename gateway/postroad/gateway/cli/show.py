"""Answers as people read them: tables, times, ages."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from msgspec import Raw

PIPE_WIDTH = 1000
Columns = Mapping[str, str]
"""Field → heading."""


def table(rows: Sequence[Mapping[str, Any]], columns: Columns) -> None:
    """Numbers to the right, everything else to the left."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for field, heading in columns.items():
        is_number = any(type(row.get(field)) is int and not field.endswith("_at") for row in rows)
        drawn.add_column(heading, justify="right" if is_number else "left", no_wrap=not is_number)
    for row in rows:
        drawn.add_row(*(cell(field, row.get(field)) for field in columns))
    # A pipe has no width: what reads it cuts lines by itself.
    console = Console(file=sys.stdout, highlight=False, markup=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(drawn)


def cell(field: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if field.endswith("_at"):
        return moment(value)
    if field.endswith("_ms"):
        return duration(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def moment(at_ms: int) -> str:
    """The time in UTC, to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(ms: int) -> str:
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms >= size:
            return f"{ms / size:.1f} {unit}".replace(".0 ", " ")
    return f"{ms} ms"


def shown(body: Any) -> str:
    """A body for people: a string as it is, other JSON as it was sent."""
    if isinstance(body, Raw):
        text = bytes(body)
        if not text.startswith(b'"'):
            return text.decode()
        body = json.loads(text)
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)


def dumped(value: Any) -> str:
    """An answer as JSON for programs; users' JSON in it is as it was sent."""
    return orjson.dumps(value, default=_raw).decode()


def _raw(value: object) -> object:
    if isinstance(value, Raw):
        return orjson.Fragment(bytes(value))
    raise TypeError
