"""Streams that keep the newest message of each key."""

from __future__ import annotations

from typing import Any

import pytest
from core_rig import Core
from postroad.broker.core.durable import snapshot, stream_log
from postroad.broker.core.durable.ordering import key_hash
from postroad.broker.core.durable.stream import Stream
from postroad.broker.core.format import command as c
from postroad.broker.core.format.codec import encode
from postroad.broker.core.format.event import event_of
from postroad.broker.core.format.record import Compact
from postroad.broker.core.rules import compact
from postroad.broker.errors import InvalidRequest, InvalidState

HOUR = 3_600_000
TOMB = {"postroad-tombstone": "true"}


def compacted(**settings: Any) -> Core:
    core = Core()
    core.stream(compaction=True, **settings)
    return core


def stream(core: Core) -> Stream:
    return core.machine.state.streams["s"]


def kept(core: Core) -> list[int]:
    log = stream(core).log
    return [offset for a, b in log.kept(0, log.next - 1) for offset in range(a, b + 1)]


def put(core: Core, *keys: str | None, **more: Any) -> None:
    core.append(len(keys), keys=list(keys), **more)


def test_the_newest_of_each_key_is_kept_and_older_ones_go_in_the_background() -> None:
    core = compacted()
    put(core, "a", "b", "a")
    put(core, "a", "c")
    assert kept(core) == [0, 1, 2, 3, 4]

    core.wait(1000)

    assert kept(core) == [1, 3, 4]
    assert stream(core).compacted_total == 2
    (record,) = [record for record in core.records if isinstance(record, Compact)]
    assert (record.how, record.runs) == ("compacted", [(0, 0), (2, 2)])


def test_compaction_happens_once_for_what_came_meanwhile() -> None:
    core = compacted()
    for _ in range(500):
        put(core, "a")

    core.wait(1000)

    assert kept(core) == [499]
    assert core.kinds().count("Compact") == 1


def test_what_has_a_key_stays_whatever_the_other_limits_say() -> None:
    core = compacted(retention_ms=HOUR, retention_count=2, retention_bytes=25)
    put(core, "a", "b", "c", "d")

    core.wait(30 * 24 * HOUR)

    assert kept(core) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"retention_ms": HOUR}, [0]),
        ({"retention_ms": None, "retention_count": 2}, [0, 3, 4]),
        ({"retention_ms": None, "retention_bytes": 30}, [0, 4]),
    ],
    ids=["age", "count", "bytes"],
)
def test_what_has_no_key_follows_the_other_limits(settings: dict[str, Any], left: list[int]) -> None:
    core = compacted(**settings)
    put(core, "a")
    put(core, None, None)
    put(core, None, size=11)
    put(core, None, size=20)

    core.wait(2 * HOUR)

    assert kept(core) == left
    assert (stream(core).trimmed_total, stream(core).compacted_total) == (5 - len(left), 0)


def test_a_tombstone_takes_its_key_away_after_the_grace_time() -> None:
    core = compacted(tombstone_ms=HOUR)
    put(core, "a", "b")
    put(core, "a", headers=[TOMB], size=0)

    core.wait(1000)
    assert kept(core) == [1, 2], "until then it is the newest value of its key"

    core.wait(HOUR)
    assert kept(core) == [1]
    index = stream(core).compaction
    assert index is not None and (index.newest, index.tombstones) == ({"b": 1}, {})


@pytest.mark.parametrize(
    ("headers", "size"), [([TOMB], 1), ([{"other": "true"}], 0), ([None], 0)], ids=["body", "other header", "no header"]
)
def test_only_an_empty_body_with_the_header_is_a_tombstone(headers: Any, size: int) -> None:
    core = compacted(tombstone_ms=0)
    put(core, "a", headers=headers, size=size)

    core.wait(HOUR)

    assert kept(core) == [0]


def test_a_key_that_is_written_again_within_the_grace_time_stays() -> None:
    core = compacted(tombstone_ms=HOUR)
    put(core, "a", headers=[TOMB], size=0)
    core.wait(HOUR // 2)
    put(core, "a")

    core.wait(HOUR)

    assert kept(core) == [1]


def test_a_group_sees_the_newest_value_of_every_key_that_it_has_not_passed() -> None:
    core = compacted()
    core.group("slow", start="earliest")
    put(core, "a", "b", "a", "c", "b")
    core.wait(1000)

    worker = core.consume("s/slow")

    assert core.sequences(worker) == [2, 3, 4]
    assert core.queue("s/slow").totals["compacted"] == 2
    core.ack(worker, 1, 2, 3)
    assert core.queue("s/slow").group.floor == 5


def test_a_group_that_begins_later_has_the_state_table_to_read() -> None:
    core = compacted()
    put(core, "a", "b", "a", "c", "b")
    core.wait(1000)

    core.group("late", start="earliest")

    assert core.sequences(core.consume("s/late")) == [2, 3, 4]


def test_what_a_consumer_holds_stays_until_it_is_settled() -> None:
    core = compacted()
    core.group("g")
    worker = core.consume("s/g", prefetch=1)
    put(core, "a", "a")
    core.wait(5000)
    assert kept(core) == [0, 1]

    core.ack(worker, 1)
    core.wait(1000)

    assert kept(core) == [1]
    assert core.sequences(worker) == [0, 1]


def test_compacting_a_message_that_waits_for_a_retry_frees_its_key() -> None:
    core = compacted()
    core.group("g", backoff_ms=60_000, backoff_max_ms=60_000)
    worker = core.consume("s/g")
    put(core, "a", "a")
    core.nack(worker, 1)

    core.wait(1000)

    assert core.sequences(worker) == [0, 1]


def test_with_keep_until_acked_compaction_waits_for_the_groups() -> None:
    core = compacted(keep_until_acked=True)
    core.group("g", start="earliest")
    put(core, "a", "a", "b", "b")
    core.wait(5000)
    assert kept(core) == [0, 1, 2, 3]

    core.ack(core.consume("s/g", prefetch=1), 1)
    core.wait(1000)

    assert kept(core) == [1, 2, 3]


def test_a_dead_letter_whose_message_was_compacted_away_stays_dead() -> None:
    core = compacted()
    core.group("g")
    worker = core.consume("s/g")
    put(core, "a")
    core.nack(worker, 1, dead=True)
    put(core, "a")
    core.wait(1000)
    assert kept(core) == [1]

    assert core.run(c.Redrive(queue="s.g.dead")).count == 0

    assert core.counts("s.g.dead") == {"ready": 1}


def test_gaps_are_no_loss_and_only_retention_is_told_as_trimmed() -> None:
    core = compacted(retention_ms=HOUR)
    put(core, "a", None, "a")
    core.wait(1000)
    assert (stream(core).earliest, stream(core).trimmed(0)) == (1, None)

    core.wait(HOUR)

    assert stream(core).earliest == 2
    assert (stream(core).trimmed(0), stream(core).trimmed(1), stream(core).trimmed(2)) == (2, 2, None)


def test_replaying_a_range_passes_over_gaps() -> None:
    core = compacted()
    put(core, "a", "b", "a")
    core.wait(1000)

    reply = core.run(c.Replay(stream="s", first=0, last=9, queue="copy"))

    assert (reply.count, reply.next) == (2, None)
    assert core.counts("copy") == {"ready": 2}


def test_the_journal_alone_gives_the_same_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_log, "PACK_MIN", 2)
    core = compacted(tombstone_ms=5000, retention_ms=8000)
    core.group("g", start="earliest")
    for step in range(12):
        put(core, "a", None, f"k{step % 3}", "b")
        put(core, "b", headers=[TOMB], size=0)
        core.wait(700)
    before = kept(core)
    live = snapshot.take(core.machine.state, core.machine.leased_runs())[1]

    core.machine.state = core.replayed()
    assert snapshot.take(core.machine.state, core.machine.leased_runs())[1] == live
    core.machine.state = snapshot.restore(live)
    assert snapshot.take(core.machine.state, core.machine.leased_runs())[1] == live
    assert kept(core) == before


def test_memory_follows_the_keys_not_the_offsets() -> None:
    core = compacted()
    put(core, "first")
    for _ in range(40):
        core.append(500, keys=[f"k{n % 50}" for n in range(500)])
        core.wait(1000)

    log = stream(core).log

    assert (log.next, log.count) == (20_001, 51)
    assert len(log.keys) <= 3 * stream_log.PACK_MIN and len(log.firsts) <= stream_log.PACK_MIN
    assert {log.key_of(offset) for offset in kept(core)} == {key_hash("first"), *(key_hash(f"k{n}") for n in range(50))}


def test_a_record_of_compaction_is_bounded_and_the_rest_follows_at_once() -> None:
    core = compacted()
    for _ in range(2):
        core.append(4000, keys=[key for n in range(2000) for key in (f"k{n}", None)])

    core.wait(1100)

    records = [record for record in core.records if isinstance(record, Compact)]
    assert len(records) > 1 and max(len(record.runs) for record in records) <= compact.RUNS_MAX
    assert max(len(encode(record)) for record in records) * 2 <= compact.COMPACT_BYTES
    assert stream(core).compacted_total == 2000


def test_many_tombstones_with_the_longest_keys_go_in_bounded_records() -> None:
    core = compacted(tombstone_ms=0)
    core.append(200, keys=["\x01" * 120 + f"{n:08}" for n in range(200)], headers=[TOMB] * 200, sizes=[0] * 200)

    core.wait(1200)

    records = [record for record in core.records if isinstance(record, Compact)]
    assert kept(core) == []
    assert max(len(encode(record)) for record in records) * 2 <= compact.COMPACT_BYTES


def test_compaction_begins_on_an_empty_stream_only() -> None:
    core = Core()
    core.stream()
    assert not core.run(c.DeclareStream(stream="s", settings={"compaction": True}, update=True))
    core.run(c.DeclareStream(stream="s", settings={"compaction": False}, update=True))
    put(core, "a")

    with pytest.raises(InvalidState) as refused:
        core.run(c.DeclareStream(stream="s", settings={"compaction": True}, update=True))

    assert refused.value.details["field"] == "settings.compaction"


def test_without_compaction_any_more_the_other_limits_hold_for_all() -> None:
    core = compacted(retention_ms=HOUR)
    put(core, "a", "b", "a")
    core.wait(1000)

    core.run(c.DeclareStream(stream="s", settings={"compaction": False}, update=True))
    core.wait(2 * HOUR)

    assert kept(core) == []
    assert (stream(core).trimmed_total, stream(core).compacted_total) == (2, 1)


@pytest.mark.parametrize(
    "settings", [{"compaction": "key"}, {"compaction": 1}, {"tombstone_ms": -1}, {"tombstone_ms": None}]
)
def test_settings_of_another_shape_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Core().stream(**settings)

    assert refused.value.details["field"] == f"settings.{next(iter(settings))}"


def test_compaction_is_told_as_an_event() -> None:
    core = compacted()
    put(core, "a", "b", "a", "b")
    core.wait(1000)

    event = event_of(core.records[-1], 9, core.machine.state.names, core.machine.state.id_prefix)

    assert event == {"position": 9, "at": core.at, "kind": "compacted", "queue": "s", "count": 2}
