"""A broker process for each test, and node programs that end with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

from live_broker import LiveBroker, NodeProgram, StartNode, check_client_is_built


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LiveBroker]:
    """Started; a test may stop and start it again."""
    broker = LiveBroker(tmp_path / "data", tmp_path / "broker.log")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def node(broker: LiveBroker, tmp_path: Path) -> Iterator[StartNode]:
    """Starts a program of this folder: ``node("produce.mjs", *arguments)``; its first argument is the broker's URL."""
    check_client_is_built()
    programs: list[NodeProgram] = []

    def start(script: str, *arguments: object) -> NodeProgram:
        program = NodeProgram(Path(__file__).with_name(script), broker.url, *arguments, log=tmp_path / "clients.log")
        programs.append(program)
        return program

    yield start
    for program in programs:
        program.kill()
