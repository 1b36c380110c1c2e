"""Whom a record concerns."""

from __future__ import annotations

from collections.abc import Mapping

from ....core.format.record import (
    Define,
    DefineGroup,
    DefineSchedule,
    Move,
    Publish,
    Record,
    RefuseSchedule,
    Return,
    Settle,
    Undefine,
)  # fmt: skip


def logs_of(record: Record) -> list[int]:
    """The logs whose numbers this record changes."""
    match record:
        case Publish():
            return [log for log, *_ in record.targets]
        case Move():
            return [record.log, record.origin]
        case Settle() | Return() | Define():
            return [record.log]
        case _:
            return [record.log] if hasattr(record, "log") else []


OFTEN = frozenset((Publish, Settle, Return, Move))
"""Kinds of records that name nobody beside their logs."""


def names_beside(record: Record, names: Mapping[int, str]) -> list[str]:
    """Names whose event this record is beside those of ``logs_of``."""
    match record:
        case DefineSchedule() | RefuseSchedule():
            return [record.target]
        case DefineGroup():
            return [names[record.group]]
        case Undefine():
            return [record.name]
        case _:
            return []
