"""Records ↔ the JSON headers of journal records.

A header is an object whose first members are always ``"k"`` (the kind) and, where the record has one, ``"log"``: a scan can
skip records of other kinds and logs by the first bytes, without parsing (``prefix``).
The results of a settle are users' data, embedded as they were sent and cut out again as they are: nothing of them is parsed here.
Format procedure: fields are only added, with a default that means what their absence meant; a change of meaning is a new kind.
``tests/recovery/journals/`` keeps a journal of each released version, and the tests read them all.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgspec
import orjson

from .record import RECORDS, DefineSchedule, Publish, Record, Settle

_NAMES: dict[str, str] = {
    "return": "log at e=entries why=reason by=consumer",
    "place": "log at how=why from=origin e=entries why=reason by=consumer pr=priorities",
    "define": "log at name set=settings dlo=dead_letter_of",
    "stream": "log at name set=settings",
    "group": "log at n=group name set=settings start",
    "reset": "log at start",
    "trim": "log at first",
    "compact": "log at how runs keys",
    "bind": "log at pattern on h=headers any=any_header",
    "undefine": "log at name",
    "pause": "log at on=paused why=reason",
    "schedule": " ".join(field.name for field in fields(DefineSchedule)),
    "refuse": "at name target next_at code message",
    "unschedule": "at name",
    "forget": "at ids=sessions",
    "boot": "at epoch ahead=ahead_ms until=held_until",
    "trust": "at",
}
"""Kind → its fields in order, as ``name in the header=attribute``, or one word if that is the same.

The two kinds that are written all the time, publish and settle, are coded by hand below.
"""

_FIELDS: dict[str, list[tuple[str, str]]] = {
    kind: [(word.partition("=")[0], word.rpartition("=")[2]) for word in names.split()]
    for kind, names in _NAMES.items()
}
_TYPES: dict[str, type] = {type.tag: type for type in RECORDS}


class _Results(msgspec.Struct):
    """The one field of a settle whose values are not ours."""

    res: list[tuple[int, msgspec.Raw]]


_RESULTS = msgspec.json.Decoder(_Results)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])

_ROWS = frozenset(("entries", "runs", "headers"))
"""Attributes that are lists of tuples."""

_ADDED = frozenset(("priorities", "keys", "last_error", "ahead_ms", "held_until"))
"""Fields that older journals do not have; left out while they say nothing."""


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
                row["res"] = [(sequence, orjson.Fragment(result)) for sequence, result in record.results.items()]
            return row
        case _:
            row = {"k": record.tag}
            for name, attribute in _FIELDS[record.tag]:
                value = getattr(record, attribute)
                if value or attribute not in _ADDED:
                    row[name] = value
            return row


def decode(header: bytes | memoryview) -> Record:
    """The record of a header that the journal has proven whole.

    Raises:
        ValueError: not a header of ours; ``KeyError`` likewise. Both mean a journal of a newer version.
    """
    f = _parsed(header)
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
        results = None
        if f.get("res"):
            results = {sequence: bytes(result) for sequence, result in _RESULTS.decode(header).res}
        return Settle(f["at"], f["log"], f["how"], [tuple(run) for run in f["runs"]], f.get("by"), f.get("why"),
                      [tuple(place) for place in f.get("pl", ())], results)  # fmt: skip
    if kind not in _FIELDS:
        raise ValueError(f"unknown record kind {kind!r}")
    values = {attribute: f[name] for name, attribute in _FIELDS[kind] if name in f or attribute not in _ADDED}
    for attribute in _ROWS.intersection(values):
        values[attribute] = [tuple(row) for row in values[attribute]]
    found: Record = _TYPES[kind](**values)
    return found


def _parsed(header: bytes | memoryview) -> dict[str, Any]:
    """The members of a header; what is in ``res`` does not count."""
    try:
        f: dict[str, Any] = orjson.loads(header)
    except orjson.JSONDecodeError:  # a result may be what orjson does not read, such as 1e400
        members = _MEMBERS.decode(header)
        f = {name: orjson.loads(memoryview(value)) for name, value in members.items() if name != "res"}
        f["res"] = "res" in members
    return f


def prefix(kind: str, log: int) -> bytes:
    """How every header of this kind and log begins."""
    return f'{{"k":"{kind}","log":{log},'.encode()
