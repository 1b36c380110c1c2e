"""Records ↔ the JSON headers of journal records.

A header is an object whose first members are always ``"k"`` (the kind) and, where the record has one, ``"log"``: a scan can
pass over what it does not want by the first bytes, without parsing (``prefix``).
Format procedure: fields are only added, with a default that means what their absence meant; a change of meaning is a new kind.
``tests/recovery/journals/`` keeps a journal of each released version, and the tests read them all.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson

from .record import (
    Bind,
    Boot,
    Define,
    DefineGroup,
    DefineSchedule,
    DefineStream,
    Forget,
    Pause,
    Place,
    Publish,
    Record,
    Reset,
    Return,
    Settle,
    Trim,
    Undefine,
    UndefineSchedule,
)  # fmt: skip

_SCHEDULE = tuple(field.name for field in fields(DefineSchedule))


def encode(record: Record) -> bytes:
    """The header of a record, without the bodies of a publish."""
    return orjson.dumps(_fields(record))


def _fields(record: Record) -> dict[str, Any]:
    match record:
        case Publish():
            row: dict[str, Any] = {"k": "publish", "at": record.at, "to": record.targets, "z": record.sizes}
            if record.attributes:
                row["a"] = record.attributes
            if record.producer:
                row["p"] = record.producer
            if record.digests:
                row["d"] = record.digests
            if record.duplicates:
                row["dup"] = list(record.duplicates.items())
            if record.topic is not None:
                row["t"] = record.topic
            if record.schedule is not None:
                row["s"] = record.schedule
            return row
        case Settle():
            row = {"k": "settle", "log": record.log, "at": record.at, "how": record.how, "runs": record.runs}
            if record.consumer is not None:
                row["by"] = record.consumer
            if record.reason is not None:
                row["why"] = record.reason
            if record.places:
                row["pl"] = record.places
            if record.results:
                row["res"] = list(record.results.items())
            return row
        case Return():
            return {"k": "return", "log": record.log, "at": record.at, "e": record.entries, "why": record.reason,
                    "by": record.consumer}  # fmt: skip
        case Place():
            row = {"k": "place", "log": record.log, "at": record.at, "how": record.why, "from": record.origin,
                   "e": record.entries, "why": record.reason, "by": record.consumer}  # fmt: skip
            if record.priorities:
                row["pr"] = record.priorities
            return row
        case Define():
            return {"k": "define", "log": record.log, "at": record.at, "name": record.name, "set": record.settings,
                    "dlo": record.dead_letter_of}  # fmt: skip
        case DefineStream():
            return {"k": "stream", "log": record.log, "at": record.at, "name": record.name, "set": record.settings}
        case DefineGroup():
            return {"k": "group", "log": record.log, "at": record.at, "n": record.group, "name": record.name,
                    "set": record.settings, "start": record.start}  # fmt: skip
        case Reset():
            return {"k": "reset", "log": record.log, "at": record.at, "start": record.start}
        case Trim():
            return {"k": "trim", "log": record.log, "at": record.at, "first": record.first}
        case Bind():
            return {"k": "bind", "log": record.log, "at": record.at, "pattern": record.pattern, "on": record.on,
                    "h": record.headers, "any": record.any_header}  # fmt: skip
        case Undefine():
            return {"k": "undefine", "log": record.log, "at": record.at, "name": record.name}
        case Pause():
            return {"k": "pause", "log": record.log, "at": record.at, "on": record.paused, "why": record.reason}
        case DefineSchedule():
            return {"k": "schedule", **{name: getattr(record, name) for name in _SCHEDULE}}
        case UndefineSchedule():
            return {"k": "unschedule", "at": record.at, "name": record.name}
        case Forget():
            return {"k": "forget", "at": record.at, "ids": record.sessions}
        case Boot():
            return {"k": "boot", "at": record.at, "epoch": record.epoch}


def decode(header: bytes | memoryview) -> Record:
    """The record of a header that the journal has proven whole.

    Raises:
        ValueError: not a header of ours; ``KeyError`` likewise. Both mean a journal of a newer version.
    """
    f: dict[str, Any] = orjson.loads(header)
    kind = f["k"]
    if kind == "publish":
        producer, duplicates = f.get("p"), f.get("dup")
        return Publish(
            f["at"],
            [(log, first, indexes) for log, first, indexes in f["to"]],
            f["z"],
            f.get("a") or {},
            (producer[0], producer[1]) if producer else None,
            f.get("d"),
            {index: (place[0], place[1]) for index, place in duplicates} if duplicates else None,
            f.get("t"),
            (f["s"][0], f["s"][1]) if "s" in f else None,
        )
    if kind == "settle":
        results = f.get("res")
        return Settle(f["at"], f["log"], f["how"], [tuple(run) for run in f["runs"]], f.get("by"), f.get("why"),
                      [tuple(place) for place in f.get("pl", ())], dict(results) if results else None)  # fmt: skip
    if kind == "return":
        return Return(f["at"], f["log"], [tuple(entry) for entry in f["e"]], f["why"], f["by"])
    if kind == "place":
        entries = [tuple(entry) for entry in f["e"]]
        return Place(f["at"], f["log"], f["how"], f["from"], entries, f["why"], f["by"], f.get("pr"))
    if kind == "define":
        return Define(f["at"], f["name"], f["log"], f["set"], f["dlo"])
    if kind == "stream":
        return DefineStream(f["at"], f["name"], f["log"], f["set"])
    if kind == "group":
        return DefineGroup(f["at"], f["log"], f["n"], f["name"], f["set"], f["start"])
    if kind == "reset":
        return Reset(f["at"], f["log"], f["start"])
    if kind == "trim":
        return Trim(f["at"], f["log"], f["first"])
    if kind == "bind":
        headers = [(name, value) for name, value in f["h"]]
        return Bind(f["at"], f["log"], f["pattern"], f["on"], headers, f["any"])
    if kind == "undefine":
        return Undefine(f["at"], f["name"], f["log"])
    if kind == "pause":
        return Pause(f["at"], f["log"], f["on"], f["why"])
    if kind == "schedule":
        return DefineSchedule(**{name: f[name] for name in _SCHEDULE})
    if kind == "unschedule":
        return UndefineSchedule(f["at"], f["name"])
    if kind == "forget":
        return Forget(f["at"], f["ids"])
    if kind == "boot":
        return Boot(f["at"], f["epoch"])
    raise ValueError(f"unknown record kind {kind!r}")


def prefix(kind: str, log: int) -> bytes:
    """How every header of this kind and log begins."""
    return f'{{"k":"{kind}","log":{log},'.encode()
