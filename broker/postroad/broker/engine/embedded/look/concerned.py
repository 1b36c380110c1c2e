"""Whom a record concerns."""

from __future__ import annotations

from collections.abc import Mapping

from ....core.durable.stream import GROUP_SEPARATOR
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


def names_of(record: Record, names: Mapping[int, str]) -> list[str]:
    """Names of queues, streams and groups whose event this record may be; a group's is its stream's as well."""
    if isinstance(record, DefineSchedule | RefuseSchedule):
        return [record.target]
    found = []
    for log in (record.log, record.group) if isinstance(record, DefineGroup) else logs_of(record):
        if (name := names.get(log)) is not None:
            found.append(name)
            if GROUP_SEPARATOR in name:
                found.append(name.partition(GROUP_SEPARATOR)[0])
    return found
