"""A suite of tests: its command, and what came out of it as numbers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

REPORTS = Path(".build") / "reports"


@dataclass(slots=True)
class Result:
    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    skips: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        text = f"{self.passed} passed"
        if self.failed:
            text += f", {self.failed} failed"
        if self.skipped:
            text += f", {self.skipped} skipped"
        return text


@dataclass(frozen=True, slots=True)
class Suite:
    """Args:
    name: Shown above its output and in the summary.
    command: With ``{report}`` where the runner takes the path of a JUnit file.
    folder: Where it runs.
    empty_codes: Exit codes that only say that there was nothing to run.
    """

    name: str
    command: tuple[str, ...]
    folder: str = "."
    empty_codes: tuple[int, ...] = ()

    def run(self) -> Result:
        report = (REPORTS / f"{self.name.replace(' ', '-')}.xml").resolve()
        report.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
        command = [part.replace("{report}", str(report)) for part in self.command]
        began = time.monotonic()
        code = subprocess.run(command, cwd=self.folder, env=plain_environment(), check=False).returncode
        result = read_report(self.name, report)
        result.seconds = time.monotonic() - began
        # A runner that died, or that failed for another reason than a test, must not look like a success.
        if code not in (0, *self.empty_codes) and result.failed == 0:
            result.failed = 1
            result.failures.append(f"the runner ended with {code}")
        return result


def plain_environment() -> dict[str, str]:
    """No colours where nobody looks: logs are read by people and by other programs."""
    if sys.stdout.isatty():
        return dict(os.environ)
    return {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"} | {"NO_COLOR": "1"}


def read_report(name: str, report: Path) -> Result:
    """Count a JUnit file; an absent one counts nothing."""
    result = Result(name)
    try:
        for case in _cases(report):
            _count(case, result)
    except ElementTree.ParseError as error:
        result.failed, result.failures = 1, [f"the report of the runner is damaged: {error}"]
    return result


def read_groups(report: Path, group: Callable[[str], str]) -> dict[str, Result]:
    """Count a JUnit file by what ``group`` makes of the class name of each test; a damaged one counts nothing."""
    results: dict[str, Result] = {}
    with suppress(ElementTree.ParseError):
        for case in _cases(report):
            name = group(case.get("classname", ""))
            _count(case, results.setdefault(name, Result(name)))
    return results


def read_said(report: Path, start: str) -> list[str]:
    """The lines that begin with ``start`` among what tests printed."""
    said: list[str] = []
    with suppress(ElementTree.ParseError):
        for case in _cases(report):
            said += [line for line in case.findtext("system-out", "").splitlines() if line.startswith(start)]
    return said


def _cases(report: Path) -> list[ElementTree.Element]:
    return list(ElementTree.parse(report).getroot().iter("testcase")) if report.is_file() else []


def _count(case: ElementTree.Element, result: Result) -> None:
    title = f"{case.get('classname', '')} › {case.get('name', '')}"
    skipped = case.find("skipped")
    if case.find("failure") is not None or case.find("error") is not None:
        result.failed += 1
        result.failures.append(title)
    elif skipped is not None:
        result.skipped += 1
        reason = skipped.get("message") or "no reason given"
        result.skips.append(f"{title}: {reason}")
    else:
        result.passed += 1
