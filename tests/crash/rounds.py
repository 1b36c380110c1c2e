"""Kill the broker again and again under load, on one data folder, and judge what its clients saw.

    python tests/crash/rounds.py --rounds 50 --seed 7 [--sabotage early-reply|no-sync] [--keep FOLDER]

Prints one JSON line; exit code 1 if a promise was broken. Each round: start the broker, wait for the first confirm, kill -9
after 0.05 to 2 s. The clients live through all rounds. Then everything is drained, and the history is judged.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from checker import Verdict, check, read
from live_broker import LiveBroker, NodeProgram, check_client_is_built, eventually

HERE = Path(__file__).parent
KILL_AFTER_S = 0.05
DRAIN_S = 60.0


def run(rounds: int, seed: int, folder: Path, sabotage: str | None = None, within_s: float = 2.0) -> Verdict:
    """Run the rounds in an empty ``folder``; in each the kill comes ``within_s`` of the first confirm.

    Raises:
        RuntimeError: the broker did not come up, or what should come to an end did not.
    """
    check_client_is_built()
    dice = random.Random(seed)
    history = folder / "history"
    history.mkdir()
    broker = LiveBroker(folder / "data", folder / "broker.log", sabotage=sabotage)
    programs: list[NodeProgram] = []
    starts: list[float] = []
    started_at = time.monotonic()
    try:
        starts.append(broker.start())
        for script in ("consumers.mjs", "producers.mjs"):
            program = NodeProgram(HERE / script, broker.url, history, seed, log=folder / "clients.log")
            programs.append(program)
            program.wait_for("started")
        consumers, producers = programs
        for number in range(rounds):
            if number > 0:
                producers.forget()
                starts.append(broker.start())
            producers.wait_for("confirm")
            time.sleep(dice.uniform(KILL_AFTER_S, within_s))
            broker.kill()
        starts.append(broker.start())
        remaining = _drain(broker, consumers, producers)
    finally:
        for program in programs:
            program.kill()
        broker.kill()
    verdict = check(read(history), remaining)
    verdict.counts |= {
        "rounds": rounds, "seed": seed, "seconds": round(time.monotonic() - started_at),
        "ready_ms_max": round(max(starts) * 1000),
    }  # fmt: skip
    return verdict


def _drain(broker: LiveBroker, consumers: NodeProgram, producers: NodeProgram) -> int:
    """Let everything be published, handled and buried; returns how many messages are left all the same."""
    producers.tell("stop")
    producers.wait_for("stopped", DRAIN_S)
    try:
        eventually(lambda: all(name.endswith(".dead") for name in broker.unsettled()), DRAIN_S, "queues are empty")
        consumers.tell("dead")
        consumers.wait_for("dead")
        eventually(lambda: not broker.unsettled(), DRAIN_S, "dead-letter queues are empty")
    except RuntimeError:
        pass  # told by the count
    remaining: int = sum(broker.unsettled().values())
    consumers.tell("stop")
    consumers.wait_for("stopped")
    return remaining


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the broker under load and judge what its clients saw.")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--sabotage", choices=("early-reply", "no-sync"))
    parser.add_argument("--keep", type=Path, help="Folder, made anew, for data, logs and history.")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="postroad-crash-"))
    folder.mkdir(exist_ok=True)
    try:
        verdict = run(options.rounds, options.seed, folder, options.sabotage)
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    result: dict[str, Any] = verdict.summary() | {"sabotage": options.sabotage, "holds": verdict.holds}
    print(json.dumps(result))
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
