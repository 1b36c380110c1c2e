"""The checker of the crash rounds finds each broken promise, and only that one, in a small history."""

from __future__ import annotations

from typing import Any

import pytest
from checker import check

Row = dict[str, Any]


def row(event: str, t: float, key: str = "p0-0", **more: Any) -> Row:
    return {"e": event, "t": t, "k": key, "q": "crash.plain", "id": f"id-{key}", "n": 1, "a": 1, "d": 0} | more


GOOD = [row("invoke", 0), row("confirm", 1), row("arrive", 2), row("begin", 3), row("ack", 4), row("ack_ok", 5)]
UNACKED = GOOD[:4]


def ordered(*keys: str) -> list[Row]:
    """A history of ``crash.order`` in which handlers begin in this order."""
    return [row(e, t, k, q="crash.order") for t, k in enumerate(keys) for e in ("invoke", "arrive", "begin", "ack")]


def keyed(*steps: tuple[str, str]) -> list[Row]:
    """A history of ``crash.keys`` where all messages have one key: published first, then these (event, message)."""
    keys = sorted({key for _, key in steps})
    rows = [row("invoke", at / 10, key, q="crash.keys") for at, key in enumerate(keys)]
    return rows + [row(event, at + 1, key, q="crash.keys", o="k") for at, (event, key) in enumerate(steps)]


def fanned(*places: str, arrive: tuple[str, ...] = ()) -> list[Row]:
    """A message published to a topic, acked in these places, and arrived in ``arrive`` too."""
    rows = [row("invoke", 0, q="crash.topic"), row("confirm", 1)]
    rows += [row("arrive", 2, q=place) for place in (*places, *arrive)]
    return rows + [row(event, t, q=place) for place in places for t, event in ((3, "ack"), (4, "ack_ok"))]


ALL = ("crash.fan-a", "crash.fan-b", "crash.log/members")


@pytest.mark.parametrize(
    ("promise", "rows"),
    [
        pytest.param("lost", UNACKED, id="confirmed, never acked"),
        pytest.param("never_published", [*GOOD, row("arrive", 6, "p9-9")], id="nobody published it"),
        pytest.param("redelivered_after_ack", [*GOOD, row("arrive", 6)], id="comes again after its ack"),
        pytest.param("stored_twice", [*GOOD, row("arrive", 4.5, id="other")], id="two ids for one publish"),
        pytest.param("out_of_order", ordered("p0-1", "p0-0"), id="overtaken"),
        pytest.param("too_early", [row("invoke", 0, d=100), *GOOD[1:]], id="before its delay"),
        pytest.param("nack_forgotten", [row("nack_ok", 1.5), *GOOD], id="the attempt after a nack has its number"),
        pytest.param("attempts_over_max", [*GOOD[:4], row("arrive", 3.5, a=6), *GOOD[4:]], id="a sixth attempt"),
        pytest.param(
            "not_dead_lettered_once",
            [*UNACKED, row("ack", 3.5, q="crash.plain.dead"), row("nack_ok", 4, a=5)],
            id="exhausted, in no dead-letter queue",
        ),
        pytest.param(
            "not_dead_lettered_once",
            [*GOOD, row("ack_ok", 6, q="crash.plain.dead")],
            id="acked here and out of the dead-letter queue",
        ),
        pytest.param("lost", fanned(*ALL[:2], arrive=ALL[2:]), id="a group never acked it"),
        pytest.param("redelivered_after_ack", [*fanned(*ALL), row("arrive", 6, q=ALL[2])], id="again, in a group"),
        pytest.param(
            "key_out_of_order",
            keyed(("arrive", "p0-1"), ("ack", "p0-1"), ("arrive", "p0-0"), ("ack", "p0-0")),
            id="a later one of its key came first",
        ),
        pytest.param(
            "key_twice_at_once",
            keyed(("arrive", "p0-0"), ("arrive", "p0-1"), ("ack", "p0-0"), ("ack", "p0-1")),
            id="the next of a key too early",
        ),
        pytest.param(
            "key_twice_at_once",
            keyed(("arrive", "p0-0"), ("nack", "p0-0"), ("arrive", "p0-1"), ("ack", "p0-1"), ("ack", "p0-0")),
            id="a refused one does not hold its key",
        ),
        pytest.param("publish_failed", [*GOOD, row("invoke", 6, "p0-1"), row("failed", 7, "p0-1")], id="given up"),
    ],
)
def test_a_broken_promise_is_found(promise: str, rows: list[Row]) -> None:
    verdict = check(rows)

    assert [name for name, found in verdict.broken.items() if found] == [promise]
    assert not verdict.holds


def test_a_target_that_got_nothing_is_found_and_the_message_is_lost_there() -> None:
    broken = check(fanned("crash.fan-a", "crash.log/members")).broken

    assert broken["fan_out_incomplete"] == ["p0-0 crash.fan-b"]
    assert broken["lost"] == ["p0-0"]


def test_a_message_that_stays_behind_is_found() -> None:
    assert not check(GOOD, remaining=1).holds


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(GOOD, id="once"),
        pytest.param([*GOOD[:4], *[r | {"t": r["t"] + 2} for r in GOOD[2:]]], id="twice before its ack"),
        pytest.param(ordered("p0-0", "p1-0", "p0-1"), id="in order for each producer"),
        pytest.param(fanned(*ALL), id="everywhere"),
        pytest.param(
            [*fanned(*ALL[:2]), *(row(e, t, q="crash.log.members.dead") for t, e in enumerate(("arrive", "ack")))],
            id="dead in the group, and acked there",
        ),
        pytest.param(
            keyed(
                ("arrive", "p0-0"),
                ("nack", "p0-0"),
                ("arrive", "p0-0"),
                ("ack", "p0-0"),
                ("arrive", "p0-1"),
                ("ack", "p0-1"),
            ),
            id="a key in order through a retry",
        ),
        pytest.param([*GOOD[:5], row("ack_no", 6, code="lease-lost")], id="ack with unknown outcome"),
    ],
)
def test_what_is_allowed_is_not_complained_of(rows: list[Row]) -> None:
    assert check(rows).holds
