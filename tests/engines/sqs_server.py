"""Servers that speak SQS: moto's, and ElasticMQ, which keeps to more of SQS's rules."""

from __future__ import annotations

import http.client
import importlib.util
import sys
from pathlib import Path

from servers import Missing, Server, need

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}  # fmt: skip
"""What a client needs in its environment: neither server looks at it, but requests are signed all the same."""

ELASTICMQ = Path(__file__).parents[2] / ".build" / "elasticmq"
"""Where ``scripts/jars.py`` puts its jars."""


class SqsServer(Server):
    """Attributes:
    many: As many messages as it can be expected to pass on within seconds.
    """

    many = 10_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = f"sqs://127.0.0.1:{self.port}/?region=eu-central-1&scheme=http"

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True


class Moto(SqsServer):
    many = 400  # it looks through all of a queue for each thing that it does

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # A poll that is waiting does not see that a group is free again, so polls are short.
        self.url += "&wait_ms=1000"

    def command(self) -> list[str]:
        if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask") is None:
            raise Missing("moto[server] is not installed")
        return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]


class ElasticMq(SqsServer):
    def command(self) -> list[str]:
        java = need("java")
        if not any(ELASTICMQ.glob("elasticmq-server*.jar")):
            raise Missing("ElasticMQ is not installed")
        options = {
            "node-address.host": "127.0.0.1", "node-address.port": self.port, "rest-sqs.bind-hostname": "127.0.0.1",
            "rest-sqs.bind-port": self.port, "rest-stats.enabled": "false",
        }  # fmt: skip
        flags = [f"-D{name}={value}" for name, value in options.items()]
        return [java, "-Xmx256m", *flags, "-cp", f"{ELASTICMQ}/*", "org.elasticmq.server.Main"]
