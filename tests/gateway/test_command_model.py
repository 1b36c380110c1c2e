"""The commands for topics, streams, groups, schedules and messages, run as users run them, against the real engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from gateway_under_test import running_gateway
from postroad.broker.engine.open import open_engine
from postroad.gateway.cli.durations import duration_ms
from postroad.gateway.cli.failure import CommandFailed
from postroad.gateway.cli.places import place, place_in_query
from postroad.gateway.cli.show import duration, moment
from postroad.gateway.serving import Running
from test_command import NOBODY_THERE, command
from test_streams import connected


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[Running]:
    engine: Any = open_engine("embedded:", data=str(tmp_path / "data"), durability="memory")
    await engine.start()
    async with running_gateway(engine) as running:
        yield running


async def told(real: Running, *arguments: str, code: int = 0) -> str:
    """What a command prints."""
    result = await command(*arguments, POSTROAD_URL=real.url)
    assert result[0] == code, result[2]
    return result[1] if code == 0 else result[2]


async def answered(real: Running, *arguments: str) -> Any:
    return json.loads(await told(real, *arguments, "--json"))


async def test_a_topic_reaches_what_is_bound_and_no_longer_what_is_unbound(real: Running) -> None:
    async with connected(real) as client:
        await client.ask(1, op="declare", queue="billing")
        await client.ask(2, op="declare", stream="audit")
    none = await told(real, "bindings", "list")
    added = await told(real, "bindings", "add", "orders.*", "--queue", "billing")
    again = await told(real, "bindings", "add", "orders.*", "--queue", "billing")
    filtered = await answered(real, "bindings", "add", "#", "--stream", "audit", "--header", "region=eu")
    routed = await answered(real, "publish", "orders.created", "1", "--topic", "--header", "region=eu", "--mandatory")
    listed = await told(real, "bindings", "list")
    deleted = await told(real, "bindings", "delete", "orders.*", "--queue", "billing")
    unroutable = await told(real, "publish", "orders.created", "1", "--topic", "--mandatory", code=1)
    two = await told(real, "bindings", "add", "a", "--queue", "billing", "--stream", "audit", code=2)
    missing = await told(real, "bindings", "add", "a", "--queue", "nope", code=1)

    assert "no bindings" in none
    assert (added, again, deleted) == ("bound\n", "was bound before\n", "unbound\n")
    assert filtered["changed"] is True
    assert routed["routed"] == 2
    assert [line.split() for line in listed.splitlines()[1:]] == [["orders.*", "billing"], ["#", "audit", "region=eu"]]
    assert "orders.created" in unroutable
    assert "--queue or --stream" in two
    assert "nope" in missing


async def test_a_stream_is_listed_shown_read_and_replayed_after_a_dry_run(real: Running) -> None:
    none = await told(real, "streams", "list")
    await told(real, "publish", "clicks", "--stream", "--lines", '"a"', '"b"', '"c"')
    listed = await told(real, "streams", "list")
    shown = await told(real, "streams", "show", "clicks")
    read = await told(real, "streams", "read", "clicks", "--from", "1")
    first = await answered(real, "streams", "read", "clicks", "--max", "1")
    dry = await told(real, "streams", "replay", "clicks", "--queue", "again", "--first", "1", "--dry-run")
    untouched = await answered(real, "queues")
    copied = await told(real, "streams", "replay", "clicks", "--queue", "again", "--first", "1")
    bodies = await told(real, "consume", "again", "--max", "2")
    wrong = await told(real, "streams", "read", "clicks", "--from", "soon", code=2)
    missing = await told(real, "streams", "show", "a/../queues", code=1)

    assert "no streams" in none
    assert listed.splitlines()[1].split()[:4] == ["clicks", "0", "3", "3"]
    assert "retention_ms     604800000" in shown
    assert read == "1  b\n2  c\n"
    assert (first["offset"], first["body"]) == (0, "a")
    assert dry == "2 would be copied to again, offsets 1 to 2\n"
    assert untouched["queues"] == []
    assert copied == "2 copied to again\n"
    assert bodies == "b\nc\n"
    assert "no place in a stream" in wrong
    assert "Traceback" not in missing


async def test_a_groups_lag_is_told_and_it_is_reset(real: Running) -> None:
    async with connected(real) as client:
        await client.ask(1, op="publish", stream="clicks", messages=[{"body": n} for n in range(3)])
        await client.ask(2, op="consume", sub=1, stream="clicks", group="g", **{"from": "earliest"})
        await client.until(op="deliver")
        await client.ask(3, op="settle", sub=1, ack=[[1, 3]])
    caught_up = await told(real, "groups", "lag", "clicks", "g")
    reset = await told(real, "groups", "reset", "clicks", "g", "--to", "1")
    lag = await answered(real, "groups", "lag", "clicks", "g")
    alarm = await told(real, "groups", "lag", "clicks", "g", "--above", "1", code=1)
    listed = await told(real, "groups", "list")
    of_one = await answered(real, "groups", "list", "clicks")
    missing = await told(real, "groups", "lag", "clicks", "nope", code=1)
    back = await answered(real, "groups", "reset", "clicks", "g", "--to", "1h")

    assert caught_up == "0\n"
    assert reset == "clicks/g goes on from offset 1\n"
    assert lag == {"lag": 2, "committed": 1}
    assert "above 1" in alarm
    assert listed.splitlines()[1].split()[:3] == ["clicks/g", "1", "2"]
    assert of_one["groups"][0]["lag"] == 2
    assert 'no group named "nope"' in missing
    assert back["offset"] == 0


async def test_a_schedule_is_made_paused_resumed_run_and_deleted(real: Running) -> None:
    add = ("schedules", "add", "nightly", '{"kind":"daily"}', "--cron", "0 3 * * *", "--zone", "Europe/Berlin")
    made = await told(real, *add, "--queue", "reports", "--header", "by=cron")
    paused = await told(real, "schedules", "pause", "nightly")
    listed = await told(real, "schedules", "list")
    resumed = await told(real, "schedules", "resume", "nightly")
    await told(real, "schedules", "add", "pulse", "tick", "--every", "1h", "--topic", "clock.hour")
    ran = await told(real, "schedules", "run", "nightly")
    body = await answered(real, "consume", "reports", "--max", "1")
    deleted = await told(real, "schedules", "delete", "nightly")
    left = (await answered(real, "schedules", "list"))["schedules"]
    both = await told(real, *add, "--every", "1h", "--queue", "q", code=2)
    nowhere = await told(real, *add, code=2)
    zone = await told(
        real, "schedules", "add", "a", "1", "--cron", "* * * * *", "--zone", "Mars", "--queue", "q", code=1
    )
    gone = await told(real, "schedules", "run", "nightly", code=1)

    assert made.startswith("nightly fires next at 20")
    assert (paused, resumed) == ("nightly is paused\n", "nightly goes on\n")
    assert listed.splitlines()[1].split() == ["nightly", "0", "3", "*", "*", "*", "Europe/Berlin", "queue", "reports",
                                              "0", "yes"]  # fmt: skip
    assert (ran, deleted) == ("nightly has fired\n", "nightly is deleted\n")
    assert (body["body"], body["headers"]) == ({"kind": "daily"}, {"by": "cron"})
    assert [(row["name"], row["every_ms"], row["topic"], row["body"]) for row in left] == [
        ("pulse", 3_600_000, "clock.hour", "tick")
    ]
    assert "--cron or --every" in both
    assert "--queue or --stream or --topic" in nowhere
    assert "Mars" in zone
    assert "nightly" in gone


async def test_a_refused_firing_is_listed_with_its_reason(real: Running) -> None:
    async with connected(real) as client:
        await client.ask(1, op="declare", queue="reports", settings={"length_max": 1})
    await told(real, "publish", "reports", "1")
    await told(real, "schedules", "add", "pulse", "tick", "--every", "1s", "--queue", "reports")
    async with asyncio.timeout(60):
        while "may hold 1" not in (listed := await told(real, "schedules", "list")):
            pass

    [row] = (await answered(real, "schedules", "list"))["schedules"]
    assert row["last_error"]["code"] == "queue-full"
    assert row["last_error"]["message"] in listed


async def test_what_waits_for_its_key_is_counted_and_listed(real: Running) -> None:
    await told(real, "publish", "orders", "1", "2", "3", "--key", "ada")
    async with connected(real) as client:
        await client.ask(1, op="consume", sub=1, queue="orders", consumer="c")
        await client.until(op="deliver")
        queues = await told(real, "queues")
        parked = await answered(real, "messages", "list", "orders", "--state", "parked")

    head, row = (line.split() for line in queues.splitlines())
    assert dict(zip(head[:6], row, strict=False)) == {
        "name": "orders", "ready": "0", "parked": "2", "delayed": "0", "retrying": "0", "leased": "1",
    }  # fmt: skip
    assert [message["body"] for message in parked["messages"]] == [2, 3]


async def test_a_message_is_found_shown_followed_and_cancelled(real: Running) -> None:
    id = (await told(real, "publish", "emails", '{"to":"ada"}', "--header", "trace=1", "--key", "ada")).strip()
    later = (await told(real, "publish", "emails", "x", "--delay", "1h")).strip()
    dated = (await told(real, "publish", "emails", "x", "--at", "2035-01-01T09:00:00Z")).strip()
    undated = await told(real, "publish", "emails", "x", "--at", "tomorrow", code=2)
    due = (await answered(real, "messages", "show", dated))["message"]["due"]
    async with connected(real) as client:
        await client.ask(1, op="consume", sub=1, queue="emails", consumer="mailer")
        await client.until(op="deliver")
        line = {"number": 1, "text": "550 no such user", "level": "warn"}
        await client.ask(
            2, op="settle", sub=1, begun=1, log=[line], nack=[{"number": 1, "dead": True, "reason": "550"}]
        )
    listed = await told(real, "messages", "list", "emails.dead", "--state", "dead")
    none = await told(real, "messages", "list", "emails.dead", "--text", "grace")
    shown = await told(real, "messages", "show", id)
    raw = await answered(real, "messages", "show", id)
    logs = await told(real, "messages", "logs", id)
    followed = await answered(real, "messages", "logs", id, "--follow")
    cancelled = await told(real, "messages", "cancel", later)
    again = await told(real, "messages", "cancel", later, code=1)
    missing = await told(real, "messages", "show", "nope", code=1)

    assert abs(due - 2_051_254_800_000) < 60_000
    assert "not a time" in undated
    assert listed.splitlines()[1].split()[0] == id
    assert '{"to":"ada"}' in listed
    assert none == "There are none.\n"
    assert {"state      dead", "reason     550", "key        ada", "header     trace=1"} <= set(shown.splitlines())
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("  20")] == [
        "published", "delivered", "dead",
    ]  # fmt: skip
    assert raw["message"]["body"] == {"to": "ada"}
    assert logs.split(maxsplit=2)[1:] == ["warn", "550 no such user\n"]
    assert (followed["text"], followed["consumer"]) == ("550 no such user", "mailer")
    assert cancelled == f"{later} is cancelled\n"
    assert "settled already" in again
    assert "nope" in missing


@pytest.mark.parametrize(
    "arguments",
    [
        ("bindings", "list"), ("streams", "list"), ("groups", "list"), ("schedules", "list"),
        ("messages", "show", "1-1-0"), ("messages", "logs", "1-1-0", "-f"),
    ],
    ids=" ".join,
)  # fmt: skip
async def test_without_a_server_one_sentence_says_so(arguments: tuple[str, ...]) -> None:
    assert await command(*arguments, "--url", NOBODY_THERE) == (
        1, "", f"No Postroad server answers at {NOBODY_THERE}; start one with: postroad serve\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected", "in_query"),
    [
        ("earliest", "earliest", "earliest"),
        ("42", {"offset": 42}, "42"),
        ("2026-01-01T00:00:00Z", {"at": 1_767_225_600_000}, "@1767225600000"),
        ("2026-01-01T01:00:00+01:00", {"at": 1_767_225_600_000}, "@1767225600000"),
    ],
)
def test_a_place_is_an_offset_or_a_time(text: str, expected: object, in_query: str) -> None:
    assert (place(text), place_in_query(text)) == (expected, in_query)


@pytest.mark.parametrize("text", ["", "soon", "-1", "1x", "२"])
def test_no_other_text_is_a_place(text: str) -> None:
    with pytest.raises(CommandFailed):
        place(text)


@pytest.mark.parametrize(
    ("text", "ms"), [("7", 7), ("7ms", 7), ("5s", 5000), ("2m", 120_000), ("1h", 3_600_000), ("1d", 86_400_000)]
)
def test_durations_have_units(text: str, ms: int) -> None:
    assert duration_ms(text) == ms


def test_times_and_ages_are_told_for_people() -> None:
    assert moment(1_767_225_600_123) == "2026-01-01T00:00:00.123Z"
    assert [duration(ms) for ms in (7, 1500, 120_000, 5_400_000, 172_800_000)] == [
        "7 ms",
        "1.5 s",
        "2 m",
        "1.5 h",
        "2 d",
    ]
