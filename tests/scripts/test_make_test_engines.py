"""``make test-engines`` ends with a line for each engine, and is as strict as ``make test``."""

from __future__ import annotations

from pathlib import Path

import pytest
from suite import Result, read_groups, read_said
from test_engines import engine_of, summary

REPORT = """<testsuites><testsuite>
  <testcase classname="tests.engines.test_embedded.TestEmbedded" name="good"/>
  <testcase classname="tests.engines.test_redis.TestRedis" name="good"/>
  <testcase classname="tests.engines.test_redis.TestSurvival" name="killed"><system-out>noise
figures  redis: killed 3 times
</system-out></testcase>
  <testcase classname="tests.engines.test_redis.TestRedis" name="bad"><failure message="no"/></testcase>
  <testcase classname="tests.engines.test_rabbitmq.TestRabbitMQ" name="left out"><skipped message="says no"/></testcase>
  <testcase classname="tests.engines.test_open" name="good"/>
</testsuite></testsuites>"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.xml"
    path.write_text(REPORT)
    return path


def test_the_last_lines_are_the_engines(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Result("engines", passed=4, failed=1, skipped=1, failures=["a › bad"], skips=["b › left out: says no"])

    code = summary(
        whole, read_groups(report, engine_of), ["embedded", "redis", "rabbitmq", "kafka"], read_said(report, "figures")
    )

    printed = capsys.readouterr().out.splitlines()
    assert printed[-5:] == [
        "all: 1 passed, 0 skipped, 0 failed",
        "embedded: 1 passed, 0 skipped, 0 failed",
        "redis: 2 passed, 0 skipped, 1 failed",
        "rabbitmq: 0 passed, 1 skipped, 0 failed",
        "kafka: 0 passed, 0 skipped, 0 failed",
    ]
    assert {"failed   a › bad", "skipped  b › left out: says no", "figures  redis: killed 3 times"} <= set(printed)
    assert code == 1


@pytest.mark.parametrize(
    ("whole", "code"),
    [(Result("engines", passed=3), 0), (Result("engines", passed=3, failed=1), 1), (Result("engines"), 1)],
    ids=["good", "the runner died", "nothing ran"],
)
def test_the_exit_code_tells_of_failures(whole: Result, code: int) -> None:
    assert summary(whole, {}, [], []) == code


def test_a_damaged_report_counts_for_no_engine(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text("<testsuites>")

    assert read_groups(report, engine_of) == {}
    assert read_said(report, "figures") == []
