"""What is compared: systems by name, with what each has on disk at the confirm, and how to install what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from _servers import BIN, Nats, Postroad, Rabbit, Redis, Server, program_path

SYNCED = "synced"
WRITTEN = "written, not synced"
PEERS = Path(__file__).parent / "peers"
NATS_MODULE = "github.com/nats-io/nats-server/v2@latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One contestant.

    Args:
        program: The module of ``bench/node`` or ``bench/peers`` that speaks to it.
        server: Key of ``SERVERS``; systems with the same one share a process.
        rate: Messages a second that it about reaches here; sizes its share of the work, nothing else.
        variant: Handed to the module.
    """

    name: str
    durability: str
    program: str
    server: str
    rate: int
    variant: str = ""


SERVERS: dict[str, Callable[[], Server]] = {
    "postroad": Postroad,
    "rabbitmq": Rabbit,
    "redis always": lambda: Redis("always"),
    "redis everysec": lambda: Redis("everysec"),
    "nats always": lambda: Nats(sync_always=True),
    "nats default": lambda: Nats(sync_always=False),
}

POSTROAD = System(name="Postroad", durability=SYNCED, program="postroad", server="postroad", rate=800_000)
SYSTEMS = (
    POSTROAD,
    System(
        name="RabbitMQ quorum queue", durability=SYNCED, program="rabbitmq", server="rabbitmq", rate=20_000,
        variant="quorum",
    ),
    System(name="Redis Streams, fsync always", durability=SYNCED, program="redis", server="redis always", rate=50_000),
    System(name="NATS JetStream, sync always", durability=SYNCED, program="nats", server="nats always", rate=10_000),
    System(name="BullMQ, fsync always", durability=SYNCED, program="bullmq", server="redis always", rate=5_000),
    System(
        name="RabbitMQ classic queue", durability=WRITTEN, program="rabbitmq", server="rabbitmq", rate=25_000,
        variant="classic",
    ),
    System(name="Redis Streams, everysec", durability=WRITTEN, program="redis", server="redis everysec", rate=80_000),
    System(name="NATS JetStream, default", durability=WRITTEN, program="nats", server="nats default", rate=50_000),
    System(name="BullMQ, everysec", durability=WRITTEN, program="bullmq", server="redis everysec", rate=6_000),
)  # fmt: skip


def install(needed: set[str]) -> dict[str, str]:
    """Install what the programs named in ``needed`` lack.

    Returns:
        The reason for each program that cannot be had.
    """
    missing: dict[str, str] = {}
    peers = needed - {"postroad"}
    if peers and (reason := _install_clients()):
        return dict.fromkeys(peers, reason)
    for program in sorted(peers):
        if reason := _INSTALLERS[program]():
            missing[program] = reason
    return missing


def _install_clients() -> str:
    lock = PEERS / "package-lock.json"
    mark = PEERS / "node_modules/.package-lock.json"
    if mark.exists() and mark.stat().st_mtime >= lock.stat().st_mtime:
        return ""
    return _run("npm", "ci", "--ignore-scripts", folder=PEERS)


def _debian(package: str, *programs: str) -> str:
    if all(_is_there(program) for program in programs):
        return ""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"{package} is not installed (apt-get install {package})"
    _run("apt-get", "update")
    return _run("apt-get", "install", "-y", "--no-install-recommends", package)


def _redis() -> str:
    return "" if _is_there("valkey-server") else _debian("redis-server", "redis-server")


def _nats() -> str:
    if _is_there("nats-server"):
        return ""
    if shutil.which("go") is None:
        return f"there is no Go to build {NATS_MODULE} with"
    BIN.mkdir(parents=True, exist_ok=True)
    return _run("go", "install", NATS_MODULE, GOBIN=str(BIN))


_INSTALLERS: dict[str, Callable[[], str]] = {
    "rabbitmq": lambda: _debian("rabbitmq-server", "rabbitmq-server", "erl"),
    "redis": _redis,
    "bullmq": _redis,
    "nats": _nats,
    "broadcast": lambda: "",
}


def _is_there(program: str) -> bool:
    try:
        program_path(program)
    except LookupError:
        return False
    return True


def _run(*command: str, folder: Path | None = None, **environment: str) -> str:
    """Returns: Nothing, or why it failed."""
    print(f"installing: {' '.join(command)}", flush=True)
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=600,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"} | environment,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"{command[0]}: {problem}"
    if done.returncode == 0:
        return ""
    words = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return f"{' '.join(command)} failed: {words[-1] if words else done.returncode}"
