"""Records and snapshots, there and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import orjson
import pytest
from core_rig import Core
from postroad.broker.core.durable import snapshot
from postroad.broker.core.format import command as c
from postroad.broker.core.format import record as r
from postroad.broker.core.format.codec import decode, encode, prefix

SAMPLES: list[Any] = [
    r.Boot(1, 7),
    r.Define(1, "q", 3, {"lease_ms": 5, "dead_letter": None}),
    r.Define(1, "q.dead", 4, {}, "q"),
    r.Undefine(1, "q", 3),
    r.Pause(1, 3, True, "night"),
    r.Pause(1, 3, False),
    r.Publish(1, [(3, 9, None)], [5, 0]),
    r.Publish(1, [(3, 9, [1]), (4, 0, None)], [0, 6], {"priority": 3, "headers": [{"a": "b"}, None]}, ("p", 2**53), [1, 2], {0: (4, 1)}),
    r.Settle(1, 3, "acked", [(0, 4, 17), (6, 6, 0)]),
    r.Settle(1, 3, "dropped", [(0, 0, 1)], "w", "why", [(3, 0, 1)], {0: b'{"n":[1,null]}'}),
    r.Return(1, 3, [(0, 1, 99, 4, 17, 5, 0)], "nack", "w"),
    r.Move(1, 4, "dead", 3, [(0, 5, 1, 10, 7, 5, 17)], "why", "w"),
    r.Move(1, 4, "redriven", 3, [(0, 5, 1, 10, 7, 0, 0)]),
    r.Move(1, 4, "redriven", 3, [(0, 5, 1, 10, 7, 0, 0)], priorities=[7]),
    r.Compact(1, 5, "compacted", [(0, 3), (9, 9)], ["a"]),
    r.Compact(1, 5, "trimmed", [(4, 4)]),
    r.RefuseSchedule(1, "s", "q", 99, "queue-full", "it is full"),
    r.Forget(1, ["p", "q"]),
]  # fmt: skip


@pytest.mark.parametrize("record", SAMPLES, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was(record: Any) -> None:
    again = decode(encode(record))

    assert again == record
    assert encode(again) == encode(record)


@pytest.mark.parametrize(
    "result",
    [
        b"1e400",
        b"123456789012345678901234567890",
        b"1.0",
        b'{ "a" : 1, "a":2 }',
        b"[" * 512 + b"]" * 512,
        b"null",
        b'"\\"res\\":[]"',
    ],
    ids=lambda result: result[:12].decode(),
)
def test_a_result_is_kept_byte_for_byte(result: bytes) -> None:
    record = r.Settle(1, 3, "acked", [(0, 1, 17)], "w", '"res":[', [(3, 0, 2)], {0: result, 1: b"2"})

    assert decode(encode(record)) == record
    assert decode(memoryview(encode(record))) == record
    assert b'"res":[[0,%s],[1,2]]' % result in encode(record)


def test_a_result_of_before_is_read_as_what_was_written_then() -> None:
    header = b'{"k":"settle","log":3,"at":1,"how":"acked","runs":[[0,0,17]],"by":"w","pl":[[3,0,1]],"res":[[0,{"n":[1,null]}]]}'

    assert decode(header) == r.Settle(1, 3, "acked", [(0, 0, 17)], "w", None, [(3, 0, 1)], {0: b'{"n":[1,null]}'})
    assert encode(decode(header)) == header


@pytest.mark.parametrize("record", [r for r in SAMPLES if hasattr(r, "log")], ids=lambda record: type(record).__name__)
def test_kind_and_log_can_be_told_from_the_first_bytes(record: Any) -> None:
    header = encode(record)

    assert header.startswith(prefix(orjson.loads(header)["k"], record.log))


def test_every_kind_of_record_can_be_encoded() -> None:
    for kind in get_args(r.Record):
        blank = kind(**{field.name: _blank(field.type, field.name) for field in fields(kind)})
        assert decode(encode(blank)) == blank, kind


def _blank(type_: Any, name: str) -> Any:
    text = str(type_)
    for start, value in (("int", 1), ("str", "x"), ("bool", True), ("list", []), ("dict", {}), ("tuple", None)):
        if text.startswith(start):
            if text.endswith("| None") and start in ("list", "dict", "tuple"):
                return None
            return value
    return None


def test_records_of_before_compaction_and_refused_firings_still_open() -> None:
    core = Core()
    headers = [
        (
            b'{"k":"stream","log":1,"at":5,"name":"s","set":{"retention_ms":1000,"retention_bytes":null,"retention_count":null,'
            b'"keep_until_acked":false}}'
        ),
        (
            b'{"k":"schedule","at":5,"name":"n","cron":null,"every_ms":1000,"zone":"UTC","kind":"queue","target":"q","attributes":{},'
            b'"body":"61","paused":false,"next_at":9,"last_at":0,"fired":0}'
        ),
    ]

    for header in headers:
        record = decode(header)
        core.machine.state.apply(record, core.machine.state.position + 1)
        assert decode(encode(record)) == record

    assert core.machine.state.streams["s"].compaction is None
    assert core.machine.state.schedules["n"].last_error is None


def test_a_record_of_a_newer_version_is_refused() -> None:
    with pytest.raises(ValueError, match="marvel"):
        decode(b'{"k":"marvel","at":1}')


def test_a_snapshot_restores_everything() -> None:
    core = Core()
    core.declare(attempts_max=2, length_max=50)
    core.publish(5, priorities=[0, 3, 0, 3, 0], producer=("p", 1))
    core.publish(2, delay_ms=7777)
    core.publish(1, dedup_key="k", digests=[5])
    core.publish(2, keys=["a", "a"])
    worker = core.consume(prefetch=4)
    core.nack(worker, 1, dead=True)
    core.nack(worker, 2, delay_ms=100)
    core.ack(worker, 3)
    core.publish(1, "other")
    core.run(c.SetPaused(queue="other", paused=True, reason="r"))
    core.run(c.Delete(queue="other"))

    position, data = snapshot.take(core.machine.state, core.machine.leased_runs())
    core.restart(from_snapshot=True)

    assert position == len(core.journal) - 1  # and then the new start
    assert core.machine.state.epoch == 2
    assert core.counts() == {"ready": 5, "delayed": 2, "retrying": 1, "acked": 1, "dead": 1, "retried": 1}
    assert core.machine.state.names[core.queue().number] == "q" and "other" in core.machine.state.names.values()
    assert snapshot.take(core.machine.state, core.machine.leased_runs())[0] == position + 1
    assert data[4:].startswith(b"{")


def test_a_snapshot_of_another_version_is_refused() -> None:
    _, data = snapshot.take(Core().machine.state, Core().machine.leased_runs())

    with pytest.raises(ValueError, match="version"):
        snapshot.restore(data.replace(b'"version":2', b'"version":9'))
