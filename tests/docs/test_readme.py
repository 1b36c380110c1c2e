"""What README.md prints runs as it is printed; only the server's address is another."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from readme import PRINTED_ADDRESS, ROOT, commands, matches, program

SECONDS = 30


@pytest.fixture
def built_client() -> Path:
    built = ROOT / "node-client" / "dist" / "index.js"
    if not built.exists() or shutil.which("node") is None:
        reason = "the Node client is not built; `make setup` builds it"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return built


@pytest.fixture
def workplace() -> Iterator[Path]:
    """A folder inside the checkout, where the client is found by its name."""
    folder = ROOT / ".build" / "readme"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder)


def test_first_example_publishes_consumes_and_stops_on_interrupt(
    server: str, built_client: Path, workplace: Path
) -> None:
    text = program("first.mjs")
    assert PRINTED_ADDRESS in text
    (workplace / "first.mjs").write_text(text.replace(PRINTED_ADDRESS, server))

    process = subprocess.Popen(
        ["node", "first.mjs"], cwd=workplace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    late = threading.Timer(SECONDS, process.kill)
    late.start()
    assert process.stdout is not None
    with process.stdout as output:
        lines = [output.readline(), output.readline()]
        process.send_signal(signal.SIGINT)
        rest = output.read()
    code = process.wait()
    late.cancel()

    assert code == 0, "".join(lines) + rest
    assert rest == ""
    assert min(lines) == "a letter to ada@example.org, attempt 1\n"
    assert re.fullmatch(r"confirmed \S+\n", max(lines))


def test_first_example_fits_in_fifteen_lines() -> None:
    lines = [line for line in program("first.mjs").splitlines()[1:] if line.strip()]

    assert len(lines) <= 15


def test_commands_print_what_is_shown_below_them(server: str) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "POSTROAD_URL": f"http://{server}",
    }
    for command in commands():
        if command.line.startswith("curl ") and shutil.which("curl") is None:
            continue
        line = command.line.replace(PRINTED_ADDRESS, server)

        done = subprocess.run(
            line, shell=True, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )

        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert matches(command.output, done.stdout), f"{line}\nprinted {command.output!r}, is {done.stdout!r}"
