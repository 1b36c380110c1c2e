"""A real broker process for tests that kill it, and node processes that talk to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
SERVE = [sys.executable, "-c", "from postroad.gateway.main import main; main()"]
SABOTAGED = [sys.executable, str(Path(__file__).with_name("sabotaged_serve.py"))]
READY_S = 30.0


def free_port() -> int:
    """A port that nobody listens on; the broker may take it again after each restart."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_client_is_built() -> None:
    """Raises: RuntimeError: the node client has no build, or there is no node."""
    if shutil.which("node") is None:
        raise RuntimeError("node is not installed")
    if not (ROOT / "node-client/dist/index.js").exists():
        raise RuntimeError("the node client is not built: npm run build -w node-client")


class LiveBroker:
    """``postroad serve`` on one data folder and one port, started as often as wanted.

    Args:
        log: Its standard error is appended here.
        sabotage: A name that ``sabotaged_serve.py`` knows; none: the true broker.
    """

    def __init__(self, data: Path, log: Path, *, port: int | None = None, sabotage: str | None = None) -> None:
        self.data, self.log, self.port = data, log, port or free_port()
        self.command = SERVE if sabotage is None else [*SABOTAGED, sabotage]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def spawn(self, *options: str) -> subprocess.Popen[bytes]:
        """Start it, whether or not it will come up."""
        with self.log.open("ab") as errors:
            return subprocess.Popen(
                [*self.command, "serve", "--port", str(self.port), "--data", str(self.data), "--log-format", "json", *options],
                stdout=subprocess.DEVNULL, stderr=errors, stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def start(self, *options: str) -> float:
        """Start it and wait until it is ready; returns how long that took, seconds.

        Raises:
            RuntimeError: it ended instead, or is not ready in time.
        """
        started = time.monotonic()
        self.process = self.spawn(*options)
        while not self.is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
            if time.monotonic() > started + READY_S:
                raise RuntimeError("the broker did not become ready")
            time.sleep(0.01)
        return time.monotonic() - started

    def is_ready(self) -> bool:
        try:
            return self._get("/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def queues(self) -> dict[str, dict[str, Any]]:
        """Stats by queue name."""
        return {row["name"]: row for row in json.loads(self._get("/v1/queues")[1])["queues"]}

    def unsettled(self) -> dict[str, int]:
        """How many messages each queue and each group still has, those with none left out."""
        kinds = ("ready", "delayed", "retrying", "leased")
        counts = {name: sum(row[kind] for kind in kinds) for name, row in self.queues().items()}
        for stream in json.loads(self._get("/v1/streams")[1])["streams"]:
            counts |= {f"{stream['name']}/{group['name']}": group["lag"] for group in stream["groups"]}
        return {name: count for name, count in counts.items() if count}

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def terminate(self, timeout: float = 15.0) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        self.process = None
        return code

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class NodeProgram:
    """A node program that speaks one JSON object a line on standard output, and takes words on standard input.

    Args:
        arguments: The script's.
        log: Its standard error is appended here.
        options: Node's own.
    """

    def __init__(self, script: Path, *arguments: object, log: Path, options: Sequence[str] = ()) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                ["node", *options, str(script), *map(str, arguments)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=os.environ | {"NODE_NO_WARNINGS": "1"},
            )  # fmt: skip
        self._log = log
        self._said: queue.Queue[dict[str, Any]] = queue.Queue()
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def tell(self, word: str) -> None:
        """Raises: RuntimeError: it has ended."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(word.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(f"the node program has ended: {self._log.read_text()[-2000:]}") from None

    def wait_for(self, event: str, timeout: float = 30.0) -> dict[str, Any]:
        """The next line whose ``event`` is this one; others before it are passed over.

        Raises:
            RuntimeError: it ended without, or it took too long.
        """
        until = time.monotonic() + timeout
        while True:
            try:
                said = self._said.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise RuntimeError(f"no {event!r} within {timeout} s: {self._log.read_text()[-2000:]}") from None
            if said["event"] == "exit":
                raise RuntimeError(f"the node program ended before {event!r}: {self._log.read_text()[-2000:]}")
            if said["event"] == event:
                return said

    def said(self, event: str) -> list[dict[str, Any]]:
        """All it said of this kind and nobody waited for."""
        return [line for line in list(self._said.queue) if line["event"] == event]

    def forget(self) -> None:
        """Drop what it said up to now."""
        while not self._said.empty():
            self._said.get_nowait()

    def wait(self, timeout: float = 60.0) -> int:
        code = self.process.wait(timeout)
        self._close()
        return code

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _read(self, out: IO[bytes]) -> None:
        for line in out:
            self._said.put(json.loads(line))
        self._said.put({"event": "exit"})


StartNode = Callable[..., NodeProgram]
"""What the ``node`` fixture of the flow tests is: a script's name and its arguments in, the running program out."""


def eventually(is_so: Callable[[], bool], timeout: float, what: str) -> None:
    """Poll until it is so.

    Raises:
        RuntimeError: it did not become so in time.
    """
    until = time.monotonic() + timeout
    while not is_so():
        if time.monotonic() > until:
            raise RuntimeError(f"not within {timeout} s: {what}")
        time.sleep(0.02)
