"""Servers of other brokers, started on free ports with folders of their own, killed and started again, stopped by pid.

Tests of engines, browser tests, the demo and the benchmarks all start them by this module; which there are by name is in
``scripts/engines.py``. Standard library only. In tests a missing program skips, and where ``CI`` is set it fails
(``conftest.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

START_S = 120
SHUT_DOWN_S = 6


class Missing(Exception):
    """Something that a server needs is not on this machine; says what."""


def need(program: str) -> str:
    """The path of a program.

    Raises:
        Missing: it is not installed.
    """
    found = shutil.which(program, path=f"/usr/lib/rabbitmq/bin:{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise Missing(f"{program} is not installed")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A process that listens on ``port``; ``url`` is for ``open_engine``."""

    url: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.folder, env=self.environment(), stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + START_S
        while not self.answers():
            if time.monotonic() > until or self.process.poll() is not None:
                self.kill()
                raise AssertionError(f"no answer; {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                return self.greets(probe)
        except OSError:
            return False

    def greets(self, probe: socket.socket) -> bool:
        return True

    def kill(self) -> None:
        """As a crash: the whole process group, at once."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """It answers nobody, but its connections stand."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """For good, with whatever was started beside it."""
        self.kill()

    def shut_down(self) -> None:
        """As an operator would, so that the next start finds everything in order; what takes too long is killed."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(SHUT_DOWN_S)
        self.stop()

    async def restart(self) -> None:
        await asyncio.to_thread(self.start)
        await self.serves()

    async def serves(self) -> None:
        """Wait until it stores what a client of its own asks it to."""


class Redis(Server):
    def __init__(self, folder: Path, *, appendfsync: str = "everysec") -> None:
        super().__init__(folder)
        self.appendfsync = appendfsync
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            need("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
            "--appendonly", "yes", "--appendfsync", self.appendfsync, "--daemonize", "no", "--loglevel", "warning",
        ]  # fmt: skip

    def greets(self, probe: socket.socket) -> bool:
        probe.sendall(b"SET probe 1\r\n")  # not taken while it loads its data
        return probe.recv(16).startswith(b"+OK")


class Rabbit(Server):
    """RabbitMQ with a port mapper of its own, so that it meets no other; its data is in the folder under its node name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._mapper_port, self._dist_port = free_port(), free_port()
        self._mapper: subprocess.Popen[bytes] | None = None
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def command(self) -> list[str]:
        return [need("rabbitmq-server")]

    def environment(self) -> dict[str, str]:
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        (self.folder / "rabbitmq.conf").write_text(
            "log.console = true\nlog.file = false\nlog.console.level = warning\n"
        )
        (self.folder / "plugins").write_text("[].\n")
        return {
            **os.environ, "HOME": str(self.folder), "RABBITMQ_NODENAME": "postroad@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_DIST_PORT": str(self._dist_port),
            "ERL_EPMD_PORT": str(self._mapper_port), "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"), "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"), "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
        }  # fmt: skip

    def start(self) -> None:
        if self._mapper is None:
            address = ["-port", str(self._mapper_port), "-address", "127.0.0.1"]
            self._mapper = subprocess.Popen([need("epmd"), *address], start_new_session=True)
        super().start()

    def greets(self, probe: socket.socket) -> bool:
        probe.sendall(b"AMQP\x00\x00\x09\x01")
        return bool(probe.recv(1))

    async def serves(self) -> None:
        import aiormq

        async with asyncio.timeout(START_S):
            connection = await aiormq.connect(self.url)
            channel = await connection.channel(publisher_confirms=True)
            await channel.queue_declare("probe", durable=True)
            await channel.basic_publish(b"1", routing_key="probe", mandatory=True)
            await connection.close()

    def stop(self) -> None:
        self.kill()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait()
            self._mapper = None
