"""Attributes of published messages, turned into what logs and groups store. Done once for each record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .ordering import key_hash
from .runs import Runs


@dataclass(slots=True)
class Arrivals:
    """Messages of one record on their way into a log, by offset from the first.

    Attributes:
        pieces: ``(index in the record, count, bytes)`` of consecutive messages.
        waits: ``(first, last, due, priority)``; due 0: ready at once.
        expiries: ``(expires_at, first, last)``.
        keys: Hashes of ordering keys, if any is used.
    """

    count: int
    at: int
    pieces: list[tuple[int, int, int]]
    waits: list[tuple[int, int, int, int]]
    expiries: list[tuple[int, int, int]] = field(default_factory=list)
    keys: list[int] | None = None


def arrivals(sizes: list[int], attributes: dict[str, Any], at: int, only: list[int] | None = None) -> Arrivals:
    """All messages of a record, or those with the indexes ``only``."""
    pieces = [(0, len(sizes), sum(sizes))]
    if only is not None:
        pieces = [(first, last - first + 1, sum(sizes[first : last + 1])) for first, last in Runs((i, i) for i in only)]
        attributes = {
            name: [value[i] for i in only] if isinstance(value, list) else value for name, value in attributes.items()
        }
    count = len(sizes) if only is None else len(only)
    found = Arrivals(count, at, pieces, [(0, count - 1, 0, 0)])
    if attributes:
        found.waits = _waits(count, attributes, at)
        found.expiries = _expiries(count, attributes, at)
        found.keys = _keys(count, attributes)
    return found


def _waits(count: int, attributes: dict[str, Any], at: int) -> list[tuple[int, int, int, int]]:
    dues, priorities = attributes.get("delays_ms"), attributes.get("priorities")
    due = at + delay if (delay := attributes.get("delay_ms")) else 0
    priority: int = attributes.get("priority") or 0
    if dues is None and priorities is None:
        return [(0, count - 1, due, priority)]
    waits: list[tuple[int, int, int, int]] = []
    for offset in range(count):
        if dues is not None:
            due = at + delay if (delay := dues[offset]) else 0
        if priorities is not None:
            priority = priorities[offset] or 0
        if waits and waits[-1][2:] == (due, priority):
            waits[-1] = (waits[-1][0], offset, due, priority)
        else:
            waits.append((offset, offset, due, priority))
    return waits


def _expiries(count: int, attributes: dict[str, Any], at: int) -> list[tuple[int, int, int]]:
    column = attributes.get("expires_ms")
    if column is not None:
        return [(at + expire, offset, offset) for offset, expire in enumerate(column) if expire]
    expire = attributes.get("expire_ms")
    return [(at + expire, 0, count - 1)] if expire else []


def _keys(count: int, attributes: dict[str, Any]) -> list[int] | None:
    if (column := attributes.get("keys")) is not None:
        return [key_hash(key) for key in column]
    if (key := attributes.get("key")) is not None:
        return [key_hash(key)] * count
    return None
