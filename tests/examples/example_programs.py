"""The example programs, compiled and run as a reader of their pages would: by environment, HTTP and signals only."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

from live_broker import ROOT, LiveBroker, eventually, free_port

__all__ = ["EXAMPLES", "ROOT", "Example", "LiveBroker", "Program", "build", "eventually", "get", "request"]

EXAMPLES = ROOT / "node-client" / "examples"


def build() -> None:
    """Raises: RuntimeError: the examples do not compile."""
    run = subprocess.run(
        [ROOT / "node_modules/.bin/tsc", "-p", EXAMPLES], capture_output=True, text=True, check=False
    )  # fmt: skip
    if run.returncode != 0:
        raise RuntimeError(f"the examples do not compile:\n{run.stdout}{run.stderr}")


class Program:
    """One running program of an example."""

    def __init__(self, script: str, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                ["node", EXAMPLES / "dist" / script],
                env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def clear(self) -> None:
        """SIGKILL, also to processes that it had started and left behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def terminate(self, timeout: float = 15.0) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def said(self) -> str:
        return self.log.read_text()


class Example:
    """The programs of one test, which know one broker, one port and one data folder."""

    def __init__(self, broker: LiveBroker, folder: Path) -> None:
        self.broker, self.data, self.port = broker, folder / "files", free_port()
        self._folder = folder
        self._programs: list[Program] = []
        self._environment = os.environ | {
            "POSTROAD_URL": broker.url, "DATA": str(self.data), "PORT": str(self.port), "NODE_NO_WARNINGS": "1",
        }  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, script: str, **environment: object) -> Program:
        """``start("orders/api.js")``; what it says goes to a log of its own."""
        log = self._folder / f"{len(self._programs)}-{script.replace('/', '-')}.log"
        given = {name: str(value) for name, value in environment.items()}
        program = Program(script, self._environment | given, log)
        self._programs.append(program)
        return program

    def run(self, script: str, timeout: float = 30.0, **environment: object) -> str:
        """Run it to its end; returns what it said.

        Raises:
            RuntimeError: it failed.
        """
        program = self.start(script, **environment)
        if program.process.wait(timeout) != 0:
            raise RuntimeError(f"{script} ended with {program.process.returncode}: {program.said()}")
        return program.said()

    def serve(self, script: str) -> Program:
        """Start a program that listens, and wait until it is connected to the broker."""
        program = self.start(script)
        eventually(lambda: get(self.url + "/health")[0] == 200, 20, f"{script} is healthy")
        return program

    def close(self) -> None:
        for program in self._programs:
            program.clear()

    def logs(self) -> Iterator[tuple[str, str]]:
        for program in self._programs:
            yield program.log.name, program.said()[-3000:]


def request(
    method: str, url: str, body: object = None, headers: dict[str, str] | None = None, timeout: float = 20.0
) -> tuple[int, Any]:
    """Status and parsed JSON.

    Raises:
        OSError, http.client.HTTPException: there was no answer.
    """
    address, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, "/" + path, sent, {"content-type": "application/json"} | (headers or {}))
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None
    finally:
        connection.close()


def get(url: str) -> tuple[int, Any]:
    """As ``request``; status 0 if nobody answers."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        return request("GET", url, timeout=5)
    return 0, None
