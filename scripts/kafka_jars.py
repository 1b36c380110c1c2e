"""Copy Apache Kafka and what it needs from Maven's repository to .build/kafka, where the tests of that engine start it from."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POM = ROOT / "tests" / "engines" / "kafka" / "pom.xml"
JARS = ROOT / ".build" / "kafka"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"


def main() -> int:
    mark, wanted = JARS / "complete", hashlib.sha256(POM.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == wanted:
        return 0
    maven = shutil.which("mvn")
    if maven is None:
        print("There is no mvn: the tests on Kafka are skipped (and fail when CI=true). Install Maven and a JDK 17.")
        return 0
    shutil.rmtree(JARS, ignore_errors=True)
    command = [maven, "-B", "-q", "-f", str(POM), PLUGIN, "-DincludeScope=runtime", f"-DoutputDirectory={JARS}"]
    if subprocess.run(command, check=False).returncode:
        print("Maven could not bring Kafka: its tests are skipped (and fail when CI=true).")
        return 0
    mark.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
