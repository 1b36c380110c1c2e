"""What Redis answers, as the rest of this backend wants it."""

from __future__ import annotations

from typing import Any

import orjson

from ..external import Received
from .link import text

BASE_MS = 1_600_000_000_000


def position(id: str) -> int:
    ms, _, number = id.partition("-")
    return (int(ms) - BASE_MS) * 4096 + min(int(number), 4095)


def server_info(raw: Any) -> dict[str, str]:
    if isinstance(raw, dict):
        return {str(name): str(value) for name, value in raw.items()}
    lines = [line.split(":", 1) for line in text(raw).splitlines() if ":" in line]
    return {line[0]: line[1] for line in lines}


def received(id: str, fields: dict[bytes, bytes]) -> Received:
    number = int(id.partition("-")[0])
    return Received(f"0:{number}", number - 1, orjson.loads(fields[b"h"]), fields[b"b"])


def raw_entries(rows: Any) -> list[tuple[str, dict[bytes, bytes]]]:
    """redis-py has parsed them, or not, depending on how they were asked for: one shape here."""
    found = []
    for id, fields in rows or ():
        if not isinstance(fields, dict):
            fields = {fields[at]: fields[at + 1] for at in range(0, len(fields), 2)}
        found.append((text(id), fields))
    return found


def raw_rows(found: Any) -> list[tuple[str, dict[bytes, bytes]]]:
    return raw_entries(found[0][1] if isinstance(found, list) else next(iter(found.values()))[0])
