"""``make`` does again what is out of date, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from step import Failed, Step, build_all

COPY = [sys.executable, "-c", "import shutil; shutil.copy('in', 'out'); open('runs', 'a').write('x')"]


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").write_text("1")
    return tmp_path


def copy(salt: str = "", after: Step | None = None) -> Step:
    return Step("copy", [COPY], inputs=["in"], made=["out"], salt=salt, after=after)


def test_a_step_whose_inputs_are_unchanged_is_skipped(checkout: Path) -> None:
    assert build_all([copy()]) == 1
    assert build_all([copy()]) == 0
    assert (checkout / "runs").read_text() == "x"


def test_a_step_runs_again_when_an_input_a_tool_or_what_it_rests_on_changed(checkout: Path) -> None:
    build_all([copy()])
    (checkout / "in").write_text("2")
    assert build_all([copy()]) == 1
    assert build_all([copy(salt="v22")]) == 1

    before = Step("before", [[sys.executable, "-c", ""]], inputs=["runs"], made=[])
    assert build_all([before, copy(salt="v22", after=before)]) == 2
    assert (checkout / "out").read_text() == "2"


def test_a_step_runs_again_when_what_it_made_is_gone(checkout: Path) -> None:
    build_all([copy()])
    (checkout / "out").unlink()

    assert build_all([copy()]) == 1
    assert (checkout / "out").exists()


def test_a_failure_is_a_sentence_with_the_end_of_the_log_and_advice(checkout: Path) -> None:
    command = [sys.executable, "-c", "print('the index is away'); raise SystemExit(4)"]
    step = Step("packages", [command], inputs=[], made=[], advice="Is there a network?")

    with pytest.raises(Failed) as failure:
        build_all([step])

    assert "packages failed" in str(failure.value)
    assert "ended with 4" in str(failure.value)
    assert "    the index is away" in str(failure.value)
    assert str(failure.value).endswith("Is there a network?")


def test_a_failed_step_is_tried_again_even_if_it_was_done_before(checkout: Path) -> None:
    build_all([copy()])
    (checkout / "in").unlink()
    with pytest.raises(Failed):
        build_all([copy()])
    (checkout / "in").write_text("1")

    assert build_all([copy()]) == 1
