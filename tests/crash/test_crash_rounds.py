"""A killed broker keeps its promises, and the rounds that show it would show the opposite."""

from __future__ import annotations

from pathlib import Path

import pytest
from rounds import run


def test_no_confirmed_message_is_lost_and_no_confirmed_ack_is_undone_when_the_broker_is_killed(tmp_path: Path) -> None:
    verdict = run(5, seed=5, folder=tmp_path, within_s=1.0)

    assert verdict.holds, verdict.summary()
    assert verdict.counts["confirmed"] > 0 and verdict.counts["dead"] > 0, verdict.summary()


@pytest.mark.parametrize("sabotage", ["early-reply", "no-sync"])
def test_a_broker_that_answers_before_it_has_written_is_caught(tmp_path: Path, sabotage: str) -> None:
    verdict = run(2, seed=5, folder=tmp_path, sabotage=sabotage, within_s=0.6)

    assert verdict.broken["lost"] or verdict.broken["redelivered_after_ack"], verdict.summary()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_fifty_kills_in_a_row(tmp_path: Path) -> None:
    verdict = run(50, seed=50, folder=tmp_path)

    assert verdict.holds, verdict.summary()
