"""What handlers say reaches who watches, stays readable after the message is done, and takes no more memory than was promised."""

from __future__ import annotations

import pytest
from engine_rig import Rig
from postroad.broker.engine import message_logs
from postroad.broker.engine.engine import LogLine, Nack
from postroad.broker.engine.message_logs import BYTES_MAX, LINE_BYTES, LINES_MAX, MessageLogs
from postroad.broker.errors import MessageNotFound


def said(number: int, *texts: str, level: str = "info") -> list[LogLine]:
    return [LogLine(number=number, text=text, level=level) for text in texts]


async def logs_of(rig: Rig, id: str) -> list[tuple[int, str, str, int]]:
    lines = (await rig.engine.query("logs", {"message": id}))["logs"]
    return [(line["n"], line["level"], line["text"], line["attempt"]) for line in lines]


async def test_lines_are_kept_through_attempts_and_after_the_ack(rig: Rig) -> None:
    worker = await rig.consume()
    id = f"{(await rig.publish([b'1'])).id_prefix}0"
    await rig.got(worker, 1)
    await rig.settle(worker, log=said(1, "begin"), begun=1, nacks=[Nack(first=1, last=1, delay_ms=0)])
    await rig.got(worker, 2)
    await rig.settle(worker, log=[*said(2, "again"), *said(2, "nearly", level="warn")], acks=[(2, 2)])

    assert await logs_of(rig, id) == [(1, "info", "begin", 1), (2, "info", "again", 2), (3, "warn", "nearly", 2)]
    (first, *_) = (await rig.engine.query("logs", {"message": id}))["logs"]
    assert (first["consumer"], first["queue"], first["at"]) == ("worker", "q", rig.clock.now_ms())


async def test_who_watches_the_message_gets_what_was_said_before_and_then_each_line_once(rig: Rig) -> None:
    worker = await rig.consume()
    confirm = await rig.publish([b"1", b"2"])
    await rig.got(worker, 2)
    await rig.settle(worker, log=said(1, "before"))

    watcher = await rig.watch(message=f"{confirm.id_prefix}0")
    await rig.settle(worker, log=[*said(1, "after"), *said(2, "of another")])
    await rig.settle(worker, log=said(1, "at last"), acks=[(1, 1)])
    await rig.changed.until(lambda: watcher.states and watcher.states[-1].get("message", {}).get("state") == "done")

    assert [line["text"] for line in watcher.snapshot["logs"]] == ["before"]
    assert [line["text"] for state in watcher.states for line in state.get("logs", ())] == ["after", "at last"]


async def test_a_delivery_that_was_lost_says_nothing_any_more(rig: Rig) -> None:
    worker = await rig.consume()
    id = f"{(await rig.publish([b'1'])).id_prefix}0"
    await rig.got(worker, 1)
    await rig.settle(worker, acks=[(1, 1)])

    await rig.settle(worker, log=said(1, "too late"))

    assert await logs_of(rig, id) == []


async def test_a_message_that_never_was_has_no_lines(rig: Rig) -> None:
    with pytest.raises(MessageNotFound):
        await rig.engine.query("logs", {"message": "1-zz-0"})


async def test_lines_go_with_the_message_when_it_leaves_the_history_window(rig: Rig) -> None:
    worker = await rig.consume()
    await rig.publish([b"1"])
    await rig.got(worker, 1)
    await rig.settle(worker, log=said(1, "x"))
    logs = rig.engine._watching.logs

    rig.engine._logbook.trim(rig.engine.position + 1)

    assert logs._rings == {}
    assert logs._cost == 0


def line(text: str) -> dict[str, object]:
    return {"at": 0, "level": "info", "text": text}


def test_of_a_message_the_last_lines_are_kept_and_their_numbers_tell_how_many_went() -> None:
    logs = MessageLogs()

    logs.add("a", [line(str(n)) for n in range(LINES_MAX)])
    logs.add("a", [line("one more")])

    kept = logs.of("a")
    assert len(kept) == LINES_MAX
    assert (kept[0]["n"], kept[-1]["n"], kept[-1]["text"]) == (2, LINES_MAX + 1, "one more")


def test_long_lines_are_bounded_by_bytes() -> None:
    logs = MessageLogs()

    logs.add("a", [line("é" * (BYTES_MAX // 16)) for _ in range(20)])

    assert [line["n"] for line in logs.of("a")] == list(range(13, 21))


def test_all_messages_together_are_bounded_and_the_longest_silent_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_logs, "TOTAL_BYTES_MAX", 4 * (LINE_BYTES + 1))
    logs = MessageLogs()

    for id, text in (("first", "x"), ("second", "x"), ("first", "y"), ("third", "x"), ("fourth", "x")):
        logs.add(id, [line(text)])

    assert {id: [line["text"] for line in logs.of(id)] for id in ("first", "second", "third", "fourth")} == {
        "first": ["x", "y"], "second": [], "third": ["x"], "fourth": ["x"],
    }  # fmt: skip
