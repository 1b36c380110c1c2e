"""``make check``: format, lint, types and import contracts; every check runs, whatever the others say."""

from __future__ import annotations

import subprocess
import sys
import time

from suite import Result

BIN = ".venv/bin/"
NPM_BIN = "node_modules/.bin/"
PYTHON_FOLDERS = ("broker", "gateway", "tests", "e2e", "scripts", "bench")
CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ruff check", (BIN + "ruff", "check", *PYTHON_FOLDERS)),
    ("ruff format", (BIN + "ruff", "format", "--check", *PYTHON_FOLDERS)),
    ("mypy", (BIN + "mypy",)),
    ("import contracts", (BIN + "lint-imports", "--no-cache")),
    ("biome lint", (NPM_BIN + "biome", "lint", "--diagnostic-level=error")),
    ("tsc node-client", (NPM_BIN + "tsc", "--noEmit", "-p", "node-client/tsconfig.json")),
    ("tsc web", (NPM_BIN + "tsc", "--noEmit", "-p", "web/tsconfig.json")),
    ("tsc web/demo", (NPM_BIN + "tsc", "--noEmit", "-p", "web/demo/tsconfig.json")),
)


def run_checks() -> Result:
    """Run them all; the output of those that fail is shown."""
    result = Result("check")
    for name, command in CHECKS:
        began = time.monotonic()
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        seconds = time.monotonic() - began
        is_good = done.returncode == 0
        print(f"{'✓' if is_good else '✗'} {name:<20} {seconds:5.1f} s", flush=True)
        if is_good:
            result.passed += 1
            continue
        result.failed += 1
        result.failures.append(name)
        sys.stdout.write(done.stdout.decode(errors="replace"))
        print(f"  ↑ {' '.join(command)}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(1 if run_checks().failed else 0)
