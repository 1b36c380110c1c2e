"""What the machine must bring: Python, Node, a browser. Each is found, installed where that is allowed, or asked for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import engines
import jars
from step import Failed, Progress

ROOT = Path(__file__).resolve().parent.parent
PYTHON_MIN = (3, 11)
NODE_MIN = (20, 19)
PYTHON_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")
BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def can_install() -> bool:
    """Whether packages of the system may be installed: root, and apt is there."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(what: str, packages: list[str]) -> bool:
    """Install packages of the system; returns whether that worked. The log is in ``.build``."""
    Path(".build").mkdir(exist_ok=True)
    log = Path(".build") / f"apt-{packages[0]}.log"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
    with Progress(what), log.open("wb") as out:
        for command in ([*apt, "update"], [*apt, "install", "-y", "--no-install-recommends", *packages]):
            done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=environment, check=False)
    return done.returncode == 0


def python() -> str:
    """The interpreter that makes the environment.

    Raises:
        Failed: none is new enough, or it cannot make environments.
    """
    found = sys.executable
    if sys.version_info < PYTHON_MIN:
        newer = next((path for path in map(shutil.which, PYTHON_NAMES) if path), None)
        if newer is None:
            have = ".".join(map(str, sys.version_info[:3]))
            raise Failed(
                f"Postroad needs Python 3.11 or newer; this is {have}. Install one, or: make PYTHON=python3.12"
            )
        found = newer
    is_made = (ROOT / ".venv" / "bin" / "python").exists()
    if not is_made and not _has_venv(found):
        version = subprocess.run([found, "-c", "import sys; print('python3.%d' % sys.version_info[1])"],
                                 capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
        if can_install():
            install("python3-venv (apt)", [f"{version}-venv"])
        if not _has_venv(found):
            raise Failed(
                f"{found} cannot make virtual environments: the package {version}-venv is missing.\n"
                f"Install it: sudo apt-get install {version}-venv"
            )
    return found


def _has_venv(python: str) -> bool:
    return subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0


def node() -> str:
    found = shutil.which("node")
    if found is None:
        raise Failed(
            f"Postroad needs Node {_text(NODE_MIN)} or newer, and there is no `node` on the PATH. {NODE_ADVICE}"
        )
    return found


def check_node() -> str:
    """The version of Node.

    Raises:
        Failed: Node or npm is missing, or too old.
    """
    found = node()
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if numbers < NODE_MIN:
        raise Failed(f"Postroad needs Node {_text(NODE_MIN)} or newer; {found} is {version or 'broken'}. {NODE_ADVICE}")
    if shutil.which("npm") is None:
        raise Failed(f"There is {found} but no `npm` on the PATH. {NODE_ADVICE}")
    return version


NODE_ADVICE = "Get one from nodejs.org, or with a version manager such as nvm or fnm."


def chromium() -> str | None:
    """A browser for the tests: CHROMIUM_PATH, or one on the PATH."""
    named = os.environ.get("CHROMIUM_PATH")
    if named is not None:
        return named if os.access(named, os.X_OK) else None
    return next((path for path in map(shutil.which, BROWSER_NAMES) if path), None)


def provide_chromium() -> None:
    """Install a browser where that is allowed; else say what to do. The browser tests decide what its absence means."""
    if chromium() is not None:
        return
    if "CHROMIUM_PATH" in os.environ:
        raise Failed(f"CHROMIUM_PATH is {os.environ['CHROMIUM_PATH']}, which cannot be run.")
    if can_install() and install("Chromium (apt)", ["chromium"]) and chromium() is not None:
        return
    print(
        "! There is no Chromium, so the browser tests are skipped (and fail when CI=true).\n"
        "  Install one: sudo apt-get install chromium, or .venv/bin/playwright install chromium, or set CHROMIUM_PATH.",
        flush=True,
    )


TEST_PROGRAMS = {
    **{program: package for entry in engines.ENGINES.values() for program, package in entry.programs.items()},
    "ffmpeg": "ffmpeg",
    "java": "default-jre-headless",
    "mvn": "maven",
}
"""Program → package: servers of the engines, and what an example drives. Tests start their own, on free ports."""

TEST_JARS = ("elasticmq", "kafka")
"""Servers that come by Maven: folders in ``tests/engines/``."""


def provide_test_programs() -> None:
    """Install what some tests drive where that is allowed. They decide themselves what its absence means."""
    missing = list(engines.missing_programs(TEST_PROGRAMS).values())
    if missing and not (can_install() and install(f"{', '.join(missing)} (apt)", missing)):
        print(f"! Without {', '.join(missing)} some tests are skipped (and fail when CI=true).", flush=True)
    for name in TEST_JARS:
        if not jars.is_there(name):
            with Progress(f"{name} (Maven)"):
                jars.copy(name)
        if not jars.is_there(name):
            print(f"! Maven could not bring {name}: its tests are skipped (and fail when CI=true).", flush=True)


def provide_engine(engine: str) -> None:
    """Install what the server of an engine needs; ``embedded`` and URLs of servers that run already need nothing.

    Raises:
        Failed: there is no such engine, or its server is missing and must not be installed from here.
    """
    if not engines.is_known(engine):
        raise Failed(f"There is no engine {engine!r}; there are: {engines.names()}, and URLs of servers that run.")
    entry = engines.ENGINES.get(engine)
    programs = entry.programs if entry is not None else {}
    missing = list(engines.missing_programs(programs).values())
    if missing and can_install():
        install(f"{', '.join(missing)} (apt)", missing)
        missing = list(engines.missing_programs(programs).values())
    if missing:
        raise Failed(
            f"ENGINE={engine} starts a server of its own, and {', '.join(missing)} is not installed.\n"
            f"Install it: sudo apt-get install {' '.join(missing)}\n"
            f"Or use a server that runs already, by its URL: make demo ENGINE={engines.url_like(engine)}"
        )
    if entry is not None and entry.jars and not jars.is_there(entry.jars):
        with Progress(f"{entry.jars} (Maven)"):
            done = jars.copy(entry.jars)
        if not done:
            raise Failed(f"Maven could not bring {entry.jars}; its log is .build/maven-{entry.jars}.log.")


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
