"""Apache Kafka for a test: one node in KRaft mode, from the jars of ``scripts/kafka_jars.py``."""

from __future__ import annotations

import os
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from servers import Server, free_port, need

HERE = Path(__file__).parent / "kafka"
JARS = Path(__file__).parents[2] / ".build" / "kafka"


def jars() -> Path:
    if not (JARS / "complete").exists():
        said = "the jars of Kafka are not there: python scripts/kafka_jars.py"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    return JARS


class Kafka(Server):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._controller_port = free_port()
        self.url = f"kafka://127.0.0.1:{self.port}"
        self._java = [
            need("java"), "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}", "-cp", f"{jars()}/*",
        ]  # fmt: skip

    def command(self) -> list[str]:
        return [*self._java, "kafka.Kafka", str(self.folder / "server.properties")]

    def start(self) -> None:
        properties = self.folder / "server.properties"
        if not properties.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            properties.write_text(self._properties())
            cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            formatting = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)]
            done = subprocess.run([*self._java, *formatting], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-2000:]
        super().start()

    def _properties(self) -> str:
        # A node that was killed may register again only after its session has ended: short, as nobody else is there.
        return f"""
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{self._controller_port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={self.folder / "data"}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
auto.create.topics.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=200
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
"""

    def answers(self) -> bool:
        """It takes part: a node that was only just started knows of no brokers, not even itself."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        if not super().answers():
            return False
        admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{self.port}", "log_level": 0})
        try:
            return bool(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return False
