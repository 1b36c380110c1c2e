"""The engines whose servers the demo and the browser tests start by name. A new one is one entry here.

How each is started and stopped is in ``tests/engines/``, which the tests of the engines use as well.
Read by ``bootstrap.py``, so it keeps to the standard library and to what old Pythons read.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

SERVERS = Path(__file__).resolve().parent.parent / "tests" / "engines"
if TYPE_CHECKING:
    from servers import Server

EMBEDDED = "embedded"


class Entry(NamedTuple):
    """Attributes:
    module: In ``tests/engines/``.
    kind: The subclass of ``Server`` there.
    programs: What it needs on the PATH, each with the package of the system that brings it.
    url: What the URL of a server that runs already looks like.
    options: How the demo wants it: as durable as the embedded engine.
    jars: Folder in ``tests/engines/`` whose pom says what Maven has to bring.
    """

    module: str
    kind: str
    programs: dict[str, str]
    url: str
    options: dict[str, object]
    jars: str = ""


ENGINES = {
    "redis": Entry(
        "servers", "Redis", {"redis-server": "redis-server"}, "redis://127.0.0.1:6379/0", {"appendfsync": "always"}
    ),
    "rabbitmq": Entry(
        "servers", "Rabbit", {"rabbitmq-server": "rabbitmq-server"}, "amqp://guest:guest@127.0.0.1:5672/", {}
    ),
    "kafka": Entry(
        "kafka_server",
        "Kafka",
        {"java": "default-jre-headless", "mvn": "maven"},
        "kafka://127.0.0.1:9092",
        {"flush": True},
        "kafka",
    ),
    # ElasticMQ stands in for SQS; it keeps messages in memory.
    "sqs": Entry(
        "sqs_server",
        "ElasticMq",
        {"java": "default-jre-headless", "mvn": "maven"},
        "sqs://eu-central-1",
        {},
        "elasticmq",
    ),
}


def is_url(engine: str) -> bool:
    """Whether it names a server that runs already."""
    return "://" in engine


def is_known(engine: str) -> bool:
    return engine == EMBEDDED or engine in ENGINES or is_url(engine)


def url_like(engine: str) -> str:
    return ENGINES[engine].url


def names() -> str:
    return ", ".join([EMBEDDED, *ENGINES])


def missing_programs(programs: dict[str, str]) -> dict[str, str]:
    """Those that are not on this machine, with their packages."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/rabbitmq/bin"
    return {program: package for program, package in programs.items() if shutil.which(program, path=path) is None}


def server_of(engine: str, folder: Path) -> tuple[Server, dict[str, str]]:
    """The server of an engine with its data in ``folder``, not started yet, and what its clients need in their environment.

    Raises:
        servers.Missing: what it needs is not on this machine.
    """
    if str(SERVERS) not in sys.path:
        sys.path.insert(0, str(SERVERS))
    entry = ENGINES[engine]
    module = import_module(entry.module)
    made: Server = getattr(module, entry.kind)(folder, **entry.options)
    return made, getattr(module, "ENVIRONMENT", {})
