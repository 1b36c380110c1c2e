"""``make test``: the checks and every suite, to the end, and one line with the sum of all."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from check import run_checks
from suite import Result, Suite

PYTHON = ".venv/bin/python"
VITEST = "../node_modules/.bin/vitest"
TWO_AT_A_TIME = ("-n", "2", "--dist", "loadfile")
"""Much of their time tests of engines wait for a server; each file stays with one process, as its server does."""
SUITES = (
    Suite("tests", (PYTHON, "-m", "pytest", "tests", *TWO_AT_A_TIME, "--durations=5", "--durations-min=5", "--junitxml={report}")),
    Suite("node-client", (VITEST, "run", "--reporter=default", "--reporter=junit", "--outputFile.junit={report}"),
          "node-client"),
    Suite("web", (VITEST, "run", "--reporter=default", "--reporter=junit", "--outputFile.junit={report}"), "web"),
    Suite("e2e", (PYTHON, "-m", "pytest", "-c", "e2e/pytest.ini", "e2e", "--junitxml={report}")),
)  # fmt: skip
NOTHING_COLLECTED = 5
LONG_SUITES = (
    Suite("tests", (PYTHON, "-m", "pytest", "tests", "-m", "long", "--junitxml={report}"),
          empty_codes=(NOTHING_COLLECTED,)),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test", description=__doc__)
    parser.add_argument("suites", nargs="*", help=f"only these: check, {', '.join(suite.name for suite in SUITES)}")
    parser.add_argument("--long", action="store_true", help="the tests marked `long` instead")
    options = parser.parse_args()
    suites = LONG_SUITES if options.long else SUITES
    unknown = set(options.suites) - {"check", *(suite.name for suite in suites)}
    if unknown:
        parser.error(f"there is no suite {', '.join(sorted(unknown))}")

    results: list[Result] = []
    if not options.long and (not options.suites or "check" in options.suites):
        results.append(announced("check", run_checks))
    wanted = [suite for suite in suites if not options.suites or suite.name in options.suites]
    results += [announced(suite.name, suite.run) for suite in wanted]
    return summary(results)


def announced(name: str, run: Callable[[], Result]) -> Result:
    """Run a suite between two lines that say which it is and how it went."""
    print(f"\n── {name} {'─' * (76 - len(name))}", flush=True)
    began = time.monotonic()
    result = run()
    result.seconds = time.monotonic() - began
    print(f"── {name}: {result}, {result.seconds:.1f} s", flush=True)
    return result


def summary(results: list[Result]) -> int:
    """Print what failed, what was skipped and why, each suite, and the sum; returns the exit code."""
    print()
    for result in results:
        for failure in result.failures:
            print(f"failed   {result.name}: {failure}")
    for result in results:
        for skip in result.skips:
            print(f"skipped  {result.name}: {skip}")
    print()
    for result in results:
        print(f"  {result.name:<12} {result.seconds:7.1f} s   {result}")
    passed, failed, skipped = (
        sum(getattr(result, what) for result in results) for what in ("passed", "failed", "skipped")
    )
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
