"""Servers of the tests that come as jars: ``tests/engines/<name>/pom.xml`` says which, Maven copies them to ``.build/<name>``.

Read by ``bootstrap.py``, so it keeps to the standard library and to what old Pythons read.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def is_there(name: str) -> bool:
    """Whether the jars are those that the pom asks for."""
    mark = ROOT / ".build" / name / "complete"
    return mark.exists() and mark.read_text() == _wanted(name)


def copy(name: str) -> bool:
    """Let Maven copy them, unless they are there; returns whether they are there now."""
    if is_there(name):
        return True
    maven = shutil.which("mvn")
    if maven is None:
        return False
    jars = ROOT / ".build" / name
    shutil.rmtree(jars, ignore_errors=True)
    jars.mkdir(parents=True)
    command = [maven, "-B", "-q", "-f", str(_pom(name)), PLUGIN, "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
    with (ROOT / ".build" / f"maven-{name}.log").open("wb") as log:
        if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
            return False
    (jars / "complete").write_text(_wanted(name))
    return True


def _pom(name: str) -> Path:
    return ROOT / "tests" / "engines" / name / "pom.xml"


def _wanted(name: str) -> str:
    return hashlib.sha256(_pom(name).read_bytes()).hexdigest()
