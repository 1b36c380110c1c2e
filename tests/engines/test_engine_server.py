"""``scripts/engine_server.py`` and what ``make demo ENGINE=…`` says about an engine that cannot be had."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from servers import Redis, need

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.append(str(SCRIPTS))

import machine
from step import Failed


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    need("redis-server")
    command = [sys.executable, str(SCRIPTS / "engine_server.py"), "redis", "--data", str(tmp_path / "redis")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()
        process.wait(30)


def said(process: subprocess.Popen[str], beginning: str) -> str:
    assert process.stdout is not None
    out: IO[str] = process.stdout
    for line in out:
        if line.startswith(beginning):
            return line
    raise AssertionError(f"it ended without {beginning!r}")


def test_the_server_is_kept_running_at_one_address_and_gone_with_the_script(
    starter: subprocess.Popen[str], tmp_path: Path
) -> None:
    told = json.loads(said(starter, "ready {").removeprefix("ready "))
    probe = Redis(tmp_path)
    probe.port = int(told["url"].split(":")[2].split("/")[0])
    assert probe.answers()

    [child] = Path(f"/proc/{starter.pid}/task/{starter.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    said(starter, "redis ended with -9")
    until = time.monotonic() + 60
    while not probe.answers():
        assert time.monotonic() < until
        time.sleep(0.05)

    starter.terminate()
    assert starter.wait(30) == 0
    assert not probe.answers()


def test_an_engine_that_there_is_not_is_named_beside_those_that_there_are() -> None:
    with pytest.raises(Failed, match=r"no engine 'redi'; there are: embedded, redis, rabbitmq, kafka, sqs"):
        machine.provide_engine("redi")


def test_a_server_that_must_not_be_installed_is_named_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.engines, "missing_programs", lambda programs: programs)
    monkeypatch.setattr(machine, "can_install", lambda: False)

    with pytest.raises(Failed) as failure:
        machine.provide_engine("redis")

    assert "apt-get install redis-server" in str(failure.value)
    assert "make demo ENGINE=redis://127.0.0.1:6379/0" in str(failure.value)


@pytest.mark.parametrize("engine", ["embedded", "redis://somewhere:1/0", "amqp://u:p@host/"])
def test_what_needs_no_server_of_its_own_needs_nothing(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "install", lambda *_: pytest.fail("nothing is to be installed"))

    machine.provide_engine(engine)
