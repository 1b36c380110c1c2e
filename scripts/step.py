"""Steps that are skipped while their inputs are unchanged.

A step's stamp is the hash of its inputs, of its commands and of the step before it in the chain; it is kept in
``.build/`` and written after the step succeeded. A step runs when the stamp differs or when what it makes is gone.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

BUILD = Path(".build")
TAIL_LINES = 25


class Failed(Exception):
    """A sentence for the person at the terminal."""


class Step:
    """Args:
    name: Shown while it runs.
    commands: Run in order, from the root of the checkout.
    inputs: Files and folders whose content decides whether it runs.
    made: Paths that exist once it has run.
    after: The step whose result it uses.
    salt: What else decides, such as the version of a tool.
    advice: What to do when it fails.
    """

    def __init__(
        self,
        name: str,
        commands: list[list[str]],
        inputs: list[str],
        made: list[str],
        after: Step | None = None,
        salt: str = "",
        advice: str = "",
        key: str = "",
    ) -> None:
        self.name = name
        self.commands = commands
        self.inputs = inputs
        self.made = made
        self.after = after
        self.salt = salt
        self.advice = advice
        self.key = key
        self.file_name = "".join(char if char.isalnum() else "-" for char in name.lower())
        self._hash: str | None = None

    @property
    def hash(self) -> str:
        if self._hash is None:
            digest = hashlib.sha256()
            digest.update((self.after.hash if self.after else "").encode())
            digest.update(repr((self.key or self.commands, self.salt)).encode())
            for path in files_of(self.inputs):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.as_posix()}\0{content}\n".encode())
            self._hash = digest.hexdigest()
        return self._hash

    @property
    def stamp(self) -> Path:
        return BUILD / (self.file_name + ".stamp")

    @property
    def is_done(self) -> bool:
        if not all(Path(path).exists() for path in self.made):
            return False
        return self.stamp.is_file() and self.stamp.read_text() == self.hash

    def run(self) -> None:
        """Run the commands, their output into a log.

        Raises:
            Failed: with the end of the log.
        """
        self.stamp.unlink(missing_ok=True)
        log = BUILD / (self.file_name + ".log")
        with Progress(self.name), log.open("wb") as out:
            for command in self.commands:
                out.write(("$ " + " ".join(command) + "\n").encode())
                out.flush()
                try:
                    code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
                except OSError as error:
                    raise Failed(f"{self.name}: {command[0]} could not be started: {error.strerror}.") from None
                if code != 0:
                    raise Failed(explain(self, command, code, log))
        self.stamp.write_text(self.hash)


def files_of(inputs: list[str]) -> list[Path]:
    found: list[Path] = []
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            found += [Path(folder) / file for folder, _, files in os.walk(path) for file in files]
        elif path.is_file():
            found.append(path)
    return sorted(found)


def explain(step: Step, command: list[str], code: int, log: Path) -> str:
    tail = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
    lines = [f"{step.name} failed: `{' '.join(command)}` ended with {code}. The end of {log}:", ""]
    lines += ["    " + line for line in tail]
    if step.advice:
        lines += ["", step.advice]
    return "\n".join(lines)


def build_all(steps: list[Step]) -> int:
    """Run the steps that are not done; returns how many ran."""
    BUILD.mkdir(exist_ok=True)
    with Lock(BUILD / "lock"):
        todo = [step for step in steps if not step.is_done]
        ran = 0
        for step in steps:
            # Asked again: a step may have removed what a later one had made.
            if step in todo or not step.is_done:
                step.run()
                ran += 1
    return ran


class Lock:
    """Keeps two ``make`` calls from building into each other."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        import fcntl

        self._file = self._path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another `make` that is building here …", flush=True)
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Progress:
    """One line a step: its name, then the seconds it took; they count up on a terminal."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._done = threading.Event()

    def __enter__(self) -> None:
        self._began = time.monotonic()
        self._is_terminal = sys.stdout.isatty()
        if not self._is_terminal:
            print(f"  {self._name} …", flush=True)
            return
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()

    def __exit__(self, kind: object, *_: object) -> None:
        self._done.set()
        if self._is_terminal:
            self._ticker.join()
        mark = "✓" if kind is None else "✗"
        start = "\r" if self._is_terminal else ""
        print(f"{start}{mark} {self._name:<28} {time.monotonic() - self._began:6.1f} s", flush=True)

    def _tick(self) -> None:
        while not self._done.wait(0.2):
            print(f"\r  {self._name:<28} {time.monotonic() - self._began:6.1f} s", end="", flush=True)
