"""A server for what the documents print, on a free port and with a data folder of its own."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

START_SECONDS = 20
STOP_SECONDS = 15


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, ``127.0.0.1:port``."""
    folder = tmp_path_factory.mktemp("server")
    command = [str(Path(sys.executable).parent / "postroad"), "serve", "--port", "0", "--data", str(folder / "data")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)
    try:
        assert process.stdout is not None
        line = first_line(process.stdout)
        found = re.search(r"http://(127\.0\.0\.1:\d+)", line)
        assert found, f"the server said {line!r}\n{(folder / 'log').read_text()}"
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)
        assert process.stdout is not None
        process.stdout.close()


def first_line(stream: object) -> str:
    """The next line, or nothing if none comes in time."""
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: lines.put(stream.readline()), daemon=True).start()  # type: ignore[attr-defined]
    try:
        return lines.get(timeout=START_SECONDS)
    except queue.Empty:
        return ""
