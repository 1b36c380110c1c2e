"""``make test`` counts what the runners report, and never takes a broken run for a good one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from run_tests import summary
from suite import Result, Suite, read_report

REPORT = """<testsuites><testsuite>
  <testcase classname="a" name="good"/>
  <testcase classname="a" name="bad"><failure message="no"/></testcase>
  <testcase classname="a" name="broken"><error message="no"/></testcase>
  <testcase classname="a" name="left out"><skipped message="no server here"/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_counted_with_names_of_failures_and_reasons_of_skips(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)

    result = read_report("a", report)

    assert (result.passed, result.failed, result.skipped) == (1, 2, 1)
    assert result.failures == ["a › bad", "a › broken"]
    assert result.skips == ["a › left out: no server here"]


@pytest.mark.parametrize("text", [None, "<testsuites>"], ids=["no report", "damaged report"])
def test_a_runner_that_dies_counts_as_a_failure(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write = f"open(sys.argv[1], 'w').write({text!r});" if text else ""
    suite = Suite("s", (sys.executable, "-c", f"import sys; {write} sys.exit(3)", "{report}"))

    result = suite.run()

    assert (result.passed, result.failed) == (0, 1)


def test_a_runner_that_passes_its_tests_and_fails_otherwise_counts_as_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    good = '<testsuite><testcase name="good"/></testsuite>'
    suite = Suite(
        "s", (sys.executable, "-c", f"import sys; open(sys.argv[1], 'w').write({good!r}); sys.exit(1)", "{report}")
    )

    result = suite.run()

    assert (result.passed, result.failed) == (1, 1)


def test_nothing_to_run_is_no_failure_where_that_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    suite = Suite("s", (sys.executable, "-c", "import sys; sys.exit(5)"), empty_codes=(5,))

    assert suite.run().failed == 0


def test_the_last_line_is_the_sum_of_all_suites(capsys: pytest.CaptureFixture[str]) -> None:
    results = [Result("a", passed=3, skipped=1, skips=["x: no server here"]), Result("b", passed=2)]

    code = summary(results)

    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == "5 passed, 0 failed, 1 skipped"
    assert "skipped  a: x: no server here" in printed
    assert code == 0


@pytest.mark.parametrize("results", [[Result("a", passed=3, failed=1)], []], ids=["a failure", "nothing ran"])
def test_the_exit_code_tells_of_failures(results: list[Result]) -> None:
    assert summary(results) == 1
