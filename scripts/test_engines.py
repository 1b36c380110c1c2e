"""``make test-engines``: the contract and the crashes of every engine, and one line for each of them."""

from __future__ import annotations

import sys
from pathlib import Path

from run_tests import PYTHON, announced
from suite import REPORTS, Result, Suite, read_groups, read_said

FOLDER = Path("tests") / "engines"
ENGINES = ("embedded", "redis", "rabbitmq", "kafka", "sqs")
OTHER = "all"
"""Tests that are of no single engine."""


def main(args: list[str]) -> int:
    command = (PYTHON, "-m", "pytest", str(FOLDER), "--junitxml={report}", "-o", "junit_logging=system-out", *args)
    whole = announced("engines", Suite("engines", command).run)
    report = REPORTS / "engines.xml"
    present = [engine for engine in ENGINES if (FOLDER / f"test_{engine}.py").is_file()]
    return summary(whole, read_groups(report, engine_of), present, read_said(report, "figures"))


def engine_of(class_name: str) -> str:
    """The engine that a test of this name is of: they are in ``test_<engine>.py``."""
    modules = {part.removeprefix("test_") for part in class_name.split(".")}
    return next((engine for engine in ENGINES if engine in modules), OTHER)


def summary(whole: Result, by_engine: dict[str, Result], present: list[str], figures: list[str]) -> int:
    """Print what failed, what was skipped and why, the figures of crashes, and each engine; returns the exit code."""
    print()
    for failure in whole.failures:
        print(f"failed   {failure}")
    for skip in whole.skips:
        print(f"skipped  {skip}")
    for line in figures:
        print(line)
    print()
    for name in [*([OTHER] if OTHER in by_engine else []), *present]:
        result = by_engine.get(name, Result(name))
        print(f"{name}: {result.passed} passed, {result.skipped} skipped, {result.failed} failed", flush=True)
    return 1 if whole.failed or not whole.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
