"""The whole demo, started for tests: broker, gateway, Express API, mail catcher, workers and console, on free ports."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "web" / "demo" / "dist" / "stage.js"
START_SECONDS = 90
STOP_SECONDS = 40
TAIL_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where everything is; each an origin such as ``http://127.0.0.1:7070``.

    Attributes:
        gateway: Console, HTTP API and, at ``/ws``, WebSocket.
        api: The demo's Express API.
        control: Faults: mail server down, workers killed, broker restarted.
        catcher: The mail catcher's pages.
        smtp: Where workers send mail to.
        engine: What stores and delivers: ``embedded``, ``redis``, …
        logs: One file a process.
    """

    gateway: str
    api: str
    control: str
    catcher: str
    smtp: str
    engine: str
    logs: Path

    @property
    def ws(self) -> str:
        return self.gateway.replace("http:", "ws:") + "/ws"


@contextmanager
def running_stage(folder: Path, *, is_fast: bool = True, engine: str = "embedded") -> Iterator[Stage]:
    """Start it with its data in ``folder``, and stop it in order.

    Args:
        engine: One whose server is started as well, or ``embedded``.
        is_fast: Letters and retries take no longer than needed; otherwise they go at the pace of a visitor.

    Raises:
        RuntimeError: it did not start, or did not stop by itself; with the ends of the logs.
    """
    ready = folder / "ready.json"
    logs = folder / "logs"
    logs.mkdir(parents=True)
    command = ["node", str(SCRIPT), "--no-open", "--data", str(folder / "data"), "--ready-file", str(ready)]
    command += ["--engine", engine, *(["--fast"] if is_fast else [])]
    with (logs / "stage.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    try:
        told = _until_ready(process, ready, logs)
        yield Stage(
            gateway=told["gateway"],
            api=told["api"],
            control=told["stage"],
            catcher=told["catcher"],
            smtp=told["smtp"],
            engine=told["engine"],
            logs=logs,
        )
    finally:
        code = _stop(process)
    if code != 0:
        raise RuntimeError(f"the demo ended with {code}\n{tails(logs)}")


def _until_ready(process: subprocess.Popen[bytes], ready: Path, logs: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_SECONDS
    # Another process writes the file, so there is nothing to await: it is looked for.
    while not ready.exists():
        if process.poll() is not None:
            raise RuntimeError(f"the demo ended with {process.returncode} before it was ready\n{tails(logs)}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"the demo was not ready after {START_SECONDS} s\n{tails(logs)}")
        time.sleep(0.05)
    told: dict[str, Any] = json.loads(ready.read_text())
    return told


def _stop(process: subprocess.Popen[bytes]) -> int | None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def tails(logs: Path) -> str:
    """The last lines of each log, for a failure's report."""
    return "\n".join(
        f"── {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        for path in sorted(logs.rglob("*.log"))
    )
