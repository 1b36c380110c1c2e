"""Apache Kafka: one node in KRaft mode, from the jars that ``scripts/jars.py`` copies. Standard library only, as ``servers.py``."""

from __future__ import annotations

import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from servers import Missing, Server, free_port, need

HERE = Path(__file__).parent / "kafka"
JARS = Path(__file__).parents[2] / ".build" / "kafka"


class Kafka(Server):
    """Args:
    flush: Topics of Postroad sync every record.
    """

    def __init__(self, folder: Path, *, flush: bool = False) -> None:
        super().__init__(folder)
        self._controller_port = free_port()
        self.url = f"kafka://127.0.0.1:{self.port}" + ("?flush=1" if flush else "")
        if not (JARS / "complete").exists():
            raise Missing("Kafka is not there (Maven brings it)")
        self._java = [
            need("java"), "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}", "-cp", f"{JARS}/*",
        ]  # fmt: skip

    def command(self) -> list[str]:
        return [*self._java, "kafka.Kafka", str(self.folder / "server.properties")]

    def start(self) -> None:
        properties = self.folder / "server.properties"
        self.folder.mkdir(parents=True, exist_ok=True)
        # Written at each start: whoever comes back to the data of another run has other ports.
        properties.write_text(self._properties())
        if not (self.folder / "data" / "meta.properties").exists():
            # Its first letter is ours: an id that begins with a hyphen would be taken for an option.
            cluster = "P" + urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
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

    def greets(self, probe: socket.socket) -> bool:
        """It takes part: a node that was only just started knows of no brokers, not even itself."""
        # Metadata, version 0: who is there, and what is known of one topic.
        request = struct.pack(">hhihih5s", 3, 0, 1, -1, 1, 5, b"probe")
        probe.sendall(struct.pack(">i", len(request)) + request)
        answer = probe.recv(4096)
        return len(answer) >= 12 and struct.unpack_from(">i", answer, 8)[0] > 0
