"""``make dev``: a server that starts again when its Python changes, and the console with hot reload in front of it.

The console is on http://127.0.0.1:5173, the server on http://127.0.0.1:7070 with its data in ``data/dev``.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

SERVER = [".venv/bin/postroad", "serve", "--data", "data/dev", "--log-level", "info"]
CLIENT = ["node_modules/.bin/tsc", "-p", "node-client/tsconfig.json", "--watch", "--preserveWatchOutput"]
CONSOLE = ["../node_modules/.bin/vite"]
POLL_SECONDS = 0.5
STOP_SECONDS = 8


def changed_at() -> float:
    """When the newest Python file of the server was written."""
    return max(path.stat().st_mtime for folder in ("broker", "gateway") for path in Path(folder).rglob("*.py"))


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(args: list[str]) -> int:
    Path("data/dev").mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    around = [subprocess.Popen(CLIENT), subprocess.Popen(CONSOLE, cwd="web")]
    server = subprocess.Popen([*SERVER, *args])
    seen = changed_at()
    with contextlib.suppress(KeyboardInterrupt):
        while all(process.poll() is None for process in around):
            time.sleep(POLL_SECONDS)
            newest = changed_at()
            if newest != seen:
                seen = newest
                print("── the server's sources changed: starting it again", flush=True)
                stop(server)
                server = subprocess.Popen([*SERVER, *args])
    for process in (server, *around):
        stop(process)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
