"""Topics and bindings: who gets what, all or none, dedup over the topic."""

from __future__ import annotations

from typing import Any

import pytest
from core_rig import Core
from postroad.broker.core.format import command as c
from postroad.broker.errors import (
    Conflict,
    InvalidName,
    InvalidRequest,
    LimitExceeded,
    QueueFull,
    QueueNotFound,
    Unroutable,
)
from postroad.broker.limits import LIMITS, Limits


@pytest.fixture
def core() -> Core:
    core = Core()
    core.declare("a")
    core.declare("b")
    core.stream("log")
    return core


def send(core: Core, topic: str = "t.x", count: int = 1, **more: Any) -> c.Published:
    return core.publish(count, topic, kind="topic", **more)


def held(core: Core, *names: str) -> list[int]:
    """How many messages each queue or stream was given."""
    state = core.machine.state
    return [state.streams[n].log.next if n in state.streams else state.queues[n].log.next for n in names]


def test_a_publish_reaches_every_target_that_matches_as_one_record(core: Core) -> None:
    core.bind("t.*", "a")
    core.bind("t.#", "b")
    core.bind("#", "log")
    core.bind("u", "a")
    before = core.kinds().count("Publish")

    reply = send(core, count=3)

    assert reply.routed == 3
    assert held(core, "a", "b", "log") == [3, 3, 3]
    assert core.kinds().count("Publish") - before == 1


def test_two_bindings_to_one_target_are_one_copy(core: Core) -> None:
    core.bind("t.*", "a")
    core.bind("t.x", "a")

    assert send(core).routed == 1
    assert held(core, "a") == [1]


def test_nothing_that_matches_is_confirmed_or_refused_as_wished(core: Core) -> None:
    core.bind("u", "a")

    assert send(core).routed == 0
    with pytest.raises(Unroutable):
        send(core, mandatory=True)
    assert send(core, "u", mandatory=True).routed == 1


def test_a_confirmed_topic_publish_of_nowhere_is_not_sent_later(core: Core) -> None:
    send(core)

    core.bind("t.x", "a")

    assert held(core, "a") == [0]


def test_binding_is_idempotent_and_unbinding_takes_the_same_fields(core: Core) -> None:
    filtered = {"match": "any", "values": {"x": "1"}}

    assert [core.bind("t.*", "a"), core.bind("t.*", "a")] == [True, False]
    assert core.bind("t.*", "a", filtered) is True
    assert core.bind("t.*", "a", {"values": {"x": "1"}}, on=False) is False, "that one asks for all"
    assert core.bind("t.*", "a", filtered, on=False) is True
    assert core.bind("t.*", "a", on=False) is True
    assert send(core).routed == 0


@pytest.mark.parametrize("target", ["none", "log/g"])
def test_a_binding_needs_a_queue_or_stream_that_exists(core: Core, target: str) -> None:
    core.group(stream="log")

    with pytest.raises(QueueNotFound):
        core.bind("t.*", target)
    with pytest.raises(InvalidName):
        core.bind("t..", "a")


@pytest.mark.parametrize(
    "headers",
    [
        {}, [], "x", {"values": {}}, {"match": "some", "values": {"a": "b"}}, {"values": {"a": 1}}, {"values": ["a"]},
        {"match": "all"}, {"values": {str(n): "" for n in range(LIMITS.filter_headers_max + 1)}},
    ],
)  # fmt: skip
def test_a_filter_of_another_shape_is_refused(core: Core, headers: object) -> None:
    with pytest.raises(InvalidRequest):
        core.bind("t.*", "a", headers)


def test_the_largest_filter_is_taken(core: Core) -> None:
    assert core.bind("t.*", "a", {"values": {str(n): "" for n in range(LIMITS.filter_headers_max)}})


# Header filters


@pytest.mark.parametrize(
    ("match", "headers", "fits"),
    [
        ("all", {"region": "eu", "kind": "new", "more": "x"}, True),
        ("all", {"region": "eu"}, False),
        ("any", {"region": "eu"}, True),
        ("any", {"region": "us", "kind": "old"}, False),
        ("all", None, False),
        ("any", None, False),
    ],
)
def test_a_filter_looks_at_all_or_any_of_its_values(core: Core, match: str, headers: Any, fits: bool) -> None:
    core.bind("t.*", "a", {"match": match, "values": {"region": "eu", "kind": "new"}})

    reply = send(core, **({"headers": headers} if headers else {}))

    assert (reply.routed, held(core, "a")) == ((1, [1]) if fits else (0, [0]))


def test_a_filter_splits_a_batch_and_each_target_has_its_own_dense_sequence(core: Core) -> None:
    core.bind("t.*", "a", {"values": {"region": "eu"}})
    core.bind("t.*", "b", {"values": {"region": "us"}})
    core.bind("t.*", "log")
    regions = ["eu", "us", "eu", None, "us", "eu"]

    reply = send(core, count=6, sizes=[1, 2, 4, 8, 16, 32], headers=[r and {"region": r} for r in regions],
                 keys=[f"k{n}" for n in range(6)])  # fmt: skip

    assert reply.routed == 3
    assert held(core, "a", "b", "log") == [3, 2, 6]
    assert [core.queue("a").log.locate(n)[1] for n in range(3)] == [0, 2, 5]
    assert [core.queue("b").log.locate(n)[1] for n in range(2)] == [1, 4]
    assert (core.queue("a").log.bytes, core.queue("b").log.bytes) == (37, 18)
    log = core.machine.state.streams["log"].log
    assert core.queue("b").log.key_of(1) == log.key_of(4) != log.key_of(1)
    assert core.sequences(core.consume("a")) == [0, 1, 2]


def test_two_filters_to_one_target_add_up(core: Core) -> None:
    core.bind("t.*", "a", {"values": {"region": "eu"}})
    core.bind("t.x", "a", {"values": {"region": "us"}})

    send(core, count=4, headers=[{"region": r} for r in ("us", "eu", "xx", "us")])

    assert [core.queue("a").log.locate(n)[1] for n in range(3)] == [0, 1, 3]


# All or none


def test_one_full_target_refuses_all(core: Core) -> None:
    core.declare("small", length_max=2)
    for target in ("a", "small", "log"):
        core.bind("t.#", target)
    send(core)
    position = core.machine.state.position

    with pytest.raises(QueueFull):
        send(core, count=2)

    assert held(core, "a", "small", "log") == [1, 1, 1]
    assert core.machine.state.position == position
    assert send(core).routed == 3


def test_only_what_a_full_target_would_get_counts(core: Core) -> None:
    core.declare("small", length_max=1, bytes_max=10)
    core.bind("t.#", "small", {"values": {"big": "1"}})
    core.bind("t.#", "a")

    reply = send(core, count=3, headers=[{}, {"big": "1"}, {}])

    assert reply.routed == 2
    assert held(core, "a", "small") == [3, 1]


def test_what_a_stream_cannot_take_refuses_all(core: Core) -> None:
    core.bind("t.#", "a")
    core.bind("t.#", "log")

    with pytest.raises(InvalidRequest):
        send(core, delay_ms=100)

    assert held(core, "a", "log") == [0, 0]


def test_a_target_with_another_overflow_makes_room_on_its_own(core: Core) -> None:
    core.declare("short", length_max=2, overflow="drop_oldest")
    core.bind("t.#", "short")
    core.bind("t.#", "a")

    for _ in range(4):
        send(core)

    assert core.counts("short") == {"ready": 2, "dropped": 2}
    assert core.counts("a") == {"ready": 4}


def test_each_target_applies_its_own_expiry(core: Core) -> None:
    core.declare("short", expire_ms=1000)
    core.declare("long", expire_ms=5000)
    for target in ("short", "long", "a"):
        core.bind("t.#", target)

    send(core)
    core.wait(2000)

    assert core.counts("short") == {"expired": 1}
    assert core.counts("long") == core.counts("a") == {"ready": 1}
    core.wait(4000)
    assert core.counts("long") == {"expired": 1}


# Dedup


def test_a_dedup_key_belongs_to_the_topic_it_was_published_to(core: Core) -> None:
    core.bind("t.#", "a")
    first = send(core, dedup_key="k", digests=[7])

    again = send(core, dedup_key="k", digests=[7])
    elsewhere = send(core, "t.y", dedup_key="k", digests=[7])
    directly = core.publish(1, "a", dedup_key="k", digests=[7])

    assert again.duplicates == {0: (first.position, 0)}
    assert (elsewhere.duplicates, directly.duplicates) == (None, None)
    assert held(core, "a") == [3]


def test_a_dedup_key_is_remembered_though_the_bindings_change(core: Core) -> None:
    core.bind("t.x", "a")
    send(core, dedup_key="k", digests=[7])
    core.bind("t.x", "b")

    assert send(core, dedup_key="k", digests=[7]).duplicates
    assert held(core, "b") == [0]
    with pytest.raises(Conflict):
        send(core, dedup_key="k", digests=[8])


def test_a_dedup_key_and_a_filter_split_a_batch_together(core: Core) -> None:
    core.bind("t.#", "a", {"values": {"r": "1"}})
    core.bind("t.#", "b")
    send(core, dedup_keys=["x"], digests=[1], headers={"r": "1"})

    reply = send(core, count=3, dedup_keys=["x", "y", "z"], digests=[1, 2, 3], headers=[{"r": "1"}, {"r": "1"}, {}])

    assert reply.keep == [1, 2]
    assert held(core, "a", "b") == [2, 3]


@pytest.mark.parametrize("from_snapshot", [False, True])
def test_bindings_and_dedup_keys_are_there_after_a_restart(core: Core, from_snapshot: bool) -> None:
    core.bind("t.#", "a", {"match": "any", "values": {"r": "1"}})
    send(core, dedup_key="k", digests=[7], headers={"r": "1"})

    core.restart(from_snapshot=from_snapshot)

    assert send(core, dedup_key="k", digests=[7], headers={"r": "1"}).duplicates
    assert send(core, headers={"r": "2"}).routed == 0
    assert send(core, headers={"r": "1"}).routed == 1
    assert core.bind("t.#", "a", {"match": "any", "values": {"r": "1"}}) is False
    assert core.bind("t.#", "a", {"match": "any", "values": {"r": "1"}}, on=False) is True


def test_a_deleted_target_is_bound_no_more_and_its_name_starts_anew(core: Core) -> None:
    core.bind("t.#", "a")

    core.run(c.Delete(queue="a"))
    core.declare("a")

    assert send(core).routed == 0


def test_there_are_at_most_so_many_bindings_and_one_that_goes_makes_room() -> None:
    core = Core(Limits(bindings_max=2))
    core.declare("q")
    assert core.bind("a.*", "q")
    assert core.bind("b.*", "q")

    assert not core.bind("b.*", "q")  # it is there
    with pytest.raises(LimitExceeded) as raised:
        core.bind("c.*", "q")

    assert raised.value.details == {"limit": "bindings_max", "value": 2}
    assert core.bind("a.*", "q", on=False)
    assert core.bind("c.*", "q")
