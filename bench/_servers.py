"""The brokers that are measured: each a process tree on a free loopback port with a folder of its own, stopped by pid.

A server whose turn it is not is paused (SIGSTOP), so that its timers take nothing from the one that is measured.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = ROOT / ".build/bench/bin"
"""Where servers are put that are built for the benchmark."""
START_S = 120.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program_path(program: str) -> str:
    """Raises: LookupError: it is not installed."""
    found = shutil.which(program, path=f"{BIN}:/usr/lib/rabbitmq/bin:{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise LookupError(f"{program} is not installed")
    return found


def said_by(*command: str) -> str:
    """What a command prints, or nothing."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


class Server:
    """A process that listens on ``port``, with what it started; ``scheme`` makes the URL that its client takes."""

    scheme = "tcp"
    log_tail = 2000

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postroad-bench-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.is_paused = False

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def is_ready(self) -> bool:
        raise NotImplementedError

    def version(self) -> str:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start it on the folder as it is; returns the seconds until it is ready.

        Raises:
            RuntimeError: it ended instead, or is not ready in time.
        """
        command, environment = self.command(), self.environment()
        started = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > started + START_S:
                self.kill()
                raise RuntimeError(f"{self.command()[0]} did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.01)
        return time.monotonic() - started

    def _answers(self) -> bool:
        try:
            return self.is_ready()
        except OSError:
            return False

    def _send(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
            probe.sendall(data)
            return probe.recv(1024)

    def pids(self) -> list[int]:
        """All processes of its session."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if self.process is not None and int(path.read_text().rpartition(")")[2].split()[3]) == self.process.pid:
                    found.append(int(path.parent.name))
        return found

    def _signal(self, number: int) -> None:
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def pause(self) -> None:
        if self.process is not None and not self.is_paused:
            self._signal(signal.SIGSTOP)
            self.is_paused = True

    def resume(self) -> None:
        if self.is_paused:
            self._signal(signal.SIGCONT)
            self.is_paused = False

    def terminate(self, timeout: float = 30.0) -> None:
        """SIGTERM to the first process, and wait for its end."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(timeout)
        self.process = None

    def kill(self) -> None:
        """As a crash: all of its processes, at once."""
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.process.kill()
            self.process.wait()
            self.process, self.is_paused = None, False

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return sum(cpu_seconds(pid) for pid in self.pids())

    def rss_mib(self) -> float:
        return sum(rss_mib(pid) for pid in self.pids())


class Postroad(Server):
    """What ``postroad serve`` starts, with its defaults."""

    def command(self) -> list[str]:
        serve = "from postroad.gateway.main import main; main()"
        return [sys.executable, "-c", serve, "serve", "--port", str(self.port), "--data", str(self.folder / "data")]

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def is_ready(self) -> bool:
        return b"200 OK" in self._send(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")

    def version(self) -> str:
        return importlib.metadata.version("postroad")


class Redis(Server):
    """Redis or Valkey with an append-only file.

    Args:
        appendfsync: ``always`` or ``everysec``.
    """

    scheme = "redis"

    def __init__(self, appendfsync: str) -> None:
        super().__init__()
        self.appendfsync = appendfsync

    def command(self) -> list[str]:
        return [
            self._program(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
            "--appendonly", "yes", "--appendfsync", self.appendfsync, "--auto-aof-rewrite-percentage", "0", "--loglevel", "warning",
        ]  # fmt: skip

    @staticmethod
    def _program() -> str:
        try:
            return program_path("valkey-server")
        except LookupError:
            return program_path("redis-server")

    def is_ready(self) -> bool:
        return self._send(b"PING\r\n").startswith(b"+PONG")  # while it loads: -LOADING

    def version(self) -> str:
        return " ".join(re.findall(r"^\w+|v=[\d.]+", said_by(self._program(), "--version"))).replace("v=", "")


class Nats(Server):
    """NATS with JetStream on files.

    Args:
        sync_always: Each message is synced before its confirm; else every two minutes, as is the default.
    """

    scheme = "nats"

    def __init__(self, *, sync_always: bool) -> None:
        super().__init__()
        self.monitor_port = free_port()
        sync = "sync_interval: always" if sync_always else ""
        (self.folder / "nats.conf").write_text(
            f'host: 127.0.0.1\nport: {self.port}\nhttp: "127.0.0.1:{self.monitor_port}"\n'
            f'jetstream {{ store_dir: "{self.folder}/data"\n max_file: 20GB\n {sync} }}\n'
        )

    def command(self) -> list[str]:
        return [program_path("nats-server"), "-c", str(self.folder / "nats.conf")]

    def is_ready(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor_port}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)

    def version(self) -> str:
        return said_by(program_path("nats-server"), "--version").replace("nats-server: ", "")


class Rabbit(Server):
    """RabbitMQ with a port mapper and a node name of its own, so that it meets no other; schedulers do not busy-wait."""

    def __init__(self) -> None:
        super().__init__()
        self._mapper_port, self._dist_port = free_port(), free_port()

    def command(self) -> list[str]:
        program_path("erl")
        return [program_path("rabbitmq-server")]

    def environment(self) -> dict[str, str]:
        (self.folder / "rabbitmq.conf").write_text(
            "log.console = true\nlog.file = false\nlog.console.level = warning\nvm_memory_high_watermark.relative = 0.8\n"
        )
        (self.folder / "plugins").write_text("[].\n")
        return {
            **os.environ, "HOME": str(self.folder), "RABBITMQ_NODENAME": f"postroad{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port), "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"), "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"), "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false +sbwt none +sbwtdcpu none +sbwtdio none"
            " -kernel inet_dist_use_interface {127,0,0,1}",
        }  # fmt: skip

    def start(self) -> float:
        # The port mapper would otherwise be started as a daemon in a session of its own, out of our reach.
        self._mapper = subprocess.Popen(
            [program_path("epmd"), "-port", str(self._mapper_port), "-address", "127.0.0.1"], start_new_session=True
        )
        return super().start()

    def kill(self) -> None:
        super().kill()
        if (mapper := getattr(self, "_mapper", None)) is not None:
            mapper.kill()
            mapper.wait()

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def is_ready(self) -> bool:
        return bool(self._send(b"AMQP\x00\x00\x09\x01"))

    def version(self) -> str:
        return said_by("dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server").partition("-")[0]


@contextlib.contextmanager
def started(server: Server) -> Iterator[Server]:
    """The server, ready; gone afterwards with all it stored."""
    try:
        server.start()
        yield server
    finally:
        server.remove()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def rss_mib(pid: int) -> float:
    """Resident set of a process; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
