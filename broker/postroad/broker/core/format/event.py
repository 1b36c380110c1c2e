"""Events: an event is the summary of one durable record, and is identified by its position (docs/protocol.md §7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .record import (
    Bind,
    Boot,
    Compact,
    Define,
    DefineGroup,
    DefineSchedule,
    DefineStream,
    Move,
    Pause,
    Publish,
    Record,
    RefuseSchedule,
    Reset,
    Return,
    Settle,
    Trim,
    Undefine,
    UndefineSchedule,
)  # fmt: skip

IDS_MAX = 20

IdPrefix = Callable[[int], str]


def event_of(record: Record, position: int, names: Mapping[int, str], id_prefix: IdPrefix) -> dict[str, Any] | None:
    """The event of a record, as a JSON-ready object; None if watchers are not told of such records.

    Derived from the record alone, so that it is the same live and read later.

    Args:
        names: Of queues, streams and groups, by number.
        id_prefix: What the ids of the messages of the record at a position share.
    """
    event: dict[str, Any] = {"position": position, "at": record.at}
    match record:
        case Publish():
            targets = [names[log] for log, *_ in record.targets]
            stored = record.stored()
            event |= {"kind": "published", "queue": targets[0] if targets else None, "count": len(stored)}
            if record.topic is not None:
                event |= {"topic": record.topic, "queues": targets}
            if record.schedule is not None:
                event["schedule"] = record.schedule[0]
            event["ids"] = _ids(id_prefix, ((position, index, 1) for index in stored))
            return event if stored else None
        case Settle():
            if record.how in ("dead", "redriven"):
                return None  # the Move beside it makes the event
            kind = "dead" if record.how == "dropped" else record.how
            count = sum(last - first + 1 for first, last, _ in record.runs)
            event |= {"kind": kind, "queue": names[record.log], "count": count, "ids": _ids(id_prefix, record.places)}
        case Return():
            _, attempts, due, *_ = record.entries[0]
            event |= {
                "kind": "retrying",
                "queue": names[record.log],
                "count": len(record.entries),
                "attempt": attempts,
            }
            event["ids"] = _ids(id_prefix, ((at, index, 1) for *_, at, index in record.entries))
            if due:
                event["due"] = due
        case Move():
            target, origin = names[record.log], names.get(record.origin)
            event |= {"kind": record.why, "count": len(record.entries)}
            event |= {"queue": origin, "to": target} if record.why == "dead" else {"queue": target, "from": origin}
            event["ids"] = _ids(id_prefix, ((at, index, 1) for _, at, index, *_ in record.entries))
            if record.why == "dead":
                event["attempt"] = record.entries[0][5]
        case Trim():
            return event | {"kind": "trimmed", "queue": names[record.log], "earliest": record.first}
        case Compact():
            count = sum(last - first + 1 for first, last in record.runs)
            return event | {"kind": record.how, "queue": names[record.log], "count": count}
        case Reset():
            return event | {"kind": "reset", "queue": names[record.log], "offset": record.start}
        case Bind():
            kind = "bound" if record.on else "unbound"
            return event | {"kind": kind, "queue": names[record.log], "pattern": record.pattern}
        case DefineStream():
            return event | {"kind": "declared", "queue": record.name}
        case DefineGroup():
            return event | {"kind": "declared", "queue": names[record.group]}
        case Define():
            return event | {"kind": "declared", "queue": record.name}
        case Undefine():
            return event | {"kind": "deleted", "queue": record.name}
        case Pause():
            event |= {"kind": "paused" if record.paused else "resumed", "queue": names[record.log]}
            return event | ({"reason": record.reason} if record.reason else {})
        case DefineSchedule():
            return event | {"kind": "scheduled", "queue": record.target, "schedule": record.name, "due": record.next_at}
        case RefuseSchedule():
            return event | {"kind": "refused", "queue": record.target, "schedule": record.name, "due": record.next_at,
                            "reason": f"{record.code}: {record.message}"}  # fmt: skip
        case UndefineSchedule():
            return event | {"kind": "unscheduled", "queue": None, "schedule": record.name}
        case Boot():
            return event | {"kind": "started", "queue": None, "epoch": record.epoch}
        case _:
            return None
    if record.reason:
        event["reason"] = record.reason
    if record.consumer:
        event["consumer"] = record.consumer
    return event


def concerns(event: dict[str, Any], queue: str | None) -> bool:
    """Whether a watcher of ``queue`` (None: of all) wants this event. A stream's watchers want those of its groups too."""
    if queue is None or event["kind"] == "started":
        return True
    names = (event["queue"], event.get("to"), event.get("from"), *event.get("queues", ()))
    return queue in names or any(name and name.startswith(f"{queue}/") for name in names)


def _ids(id_prefix: IdPrefix, pieces: Iterable[tuple[int, int, int]]) -> list[str]:
    ids: list[str] = []
    for position, index, count in pieces:
        prefix = id_prefix(position)
        ids.extend(f"{prefix}{index + offset}" for offset in range(min(count, IDS_MAX - len(ids))))
        if len(ids) == IDS_MAX:
            break
    return ids
