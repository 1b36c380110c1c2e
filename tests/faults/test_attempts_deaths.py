"""A handler that takes its process with it, or hangs it: its message is tried again, is dead at last, and harms no neighbour."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

from live_broker import LiveBroker, NodeProgram, check_client_is_built, eventually

ATTEMPTS_MAX = 2
LEASE_MS = 1_000
BODIES = ["before", "poison", "after", "last"]
SMALL_HEAP = ["--max-old-space-size=24", "--max-semi-space-size=1"]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LiveBroker]:
    check_client_is_built()
    broker = LiveBroker(tmp_path / "data", tmp_path / "broker.log")
    broker.start()
    yield broker
    broker.kill()


def send(broker: LiveBroker, method: str, path: str, body: object) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=5)
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    assert connection.getresponse().status in (200, 201)
    connection.close()


def hangs(program: NodeProgram) -> bool:
    return any(begin["body"] == "poison" for begin in program.said("begin"))


def is_over(broker: LiveBroker, program: NodeProgram) -> bool:
    """All innocent messages are done, or their consumer has died as well."""
    return broker.queues()["q"]["acked_total"] == len(BODIES) - 1 or program.process.poll() is not None


def lives(broker: LiveBroker, tmp_path: Path, how: str, **options: object) -> list[list[tuple[str, int]]]:
    """The bodies and attempts that each of as many consumers as the message has attempts, and one more, began."""
    settings = {"attempts_max": ATTEMPTS_MAX, "backoff_ms": 0, "lease_ms": LEASE_MS}
    send(broker, "PUT", "/v1/queues/q", settings)
    send(broker, "POST", "/v1/queues/q/messages", {"messages": [{"body": body} for body in BODIES]})
    return [one_life(broker, tmp_path, how, options, is_last=life == ATTEMPTS_MAX) for life in range(ATTEMPTS_MAX + 1)]


def one_life(
    broker: LiveBroker, tmp_path: Path, how: str, options: dict[str, object], *, is_last: bool
) -> list[tuple[str, int]]:
    program = NodeProgram(
        Path(__file__).with_name("die.mjs"), broker.url, "q", how, json.dumps(options),
        log=tmp_path / "clients.log", options=SMALL_HEAP if how == "memory" else [],
    )  # fmt: skip
    try:
        if is_last:
            eventually(lambda: is_over(broker, program), 10, "the others are done")
        elif how.endswith("loop"):
            eventually(lambda: hangs(program), 5, "it hangs")
        else:
            assert program.wait(20) != 0
        if not is_last:
            eventually(lambda: broker.queues()["q"]["leased"] == 0, 10, "what it held is back")
    finally:
        program.kill()
    return [(begin["body"], begin["attempt"]) for begin in program.said("begin")]


@pytest.mark.parametrize("how", ["exit", "abort", "loop", "memory"])
def test_a_message_whose_handler_kills_its_process_is_dead_at_last(
    broker: LiveBroker, tmp_path: Path, how: str
) -> None:
    first, second, third = lives(broker, tmp_path, how, prefetch=10)

    assert [first[-1], second[-1]] == [("poison", 1), ("poison", 2)]
    assert third == [("after", 1), ("last", 1)]
    assert broker.queues()["q.dead"]["ready"] == 1


def test_handlers_that_run_in_one_tick_leave_nothing_behind_when_one_of_them_ends_the_process(
    broker: LiveBroker, tmp_path: Path
) -> None:
    """What was done before it is acked, and what was told ahead is set back, while the process ends."""
    first, second, third = lives(broker, tmp_path, "exit", prefetch=10, sync=True)

    assert first == [("before", 1), ("poison", 1)]
    assert [second[-1], third] == [("poison", 2), [("after", 1), ("last", 1)]]


def test_a_process_that_aborts_among_quick_handlers_costs_no_neighbour_its_life(
    broker: LiveBroker, tmp_path: Path
) -> None:
    """Those that were told with it may count once; the next time each is told alone."""
    lives(broker, tmp_path, "abort", prefetch=10, sync=True)

    assert broker.queues()["q"]["acked_total"] == len(BODIES) - 1
    assert broker.queues()["q.dead"]["ready"] == 1
