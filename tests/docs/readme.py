"""The examples of README.md, as they are printed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
README = ROOT / "README.md"
PRINTED_ADDRESS = "127.0.0.1:7070"

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """A line after a ``$`` and what is printed below it, ``…`` standing for anything."""

    line: str
    output: str


def blocks(language: str) -> list[str]:
    return [text for name, text in _FENCE.findall(README.read_text()) if name == language]


def program(name: str) -> str:
    """The block that begins with a comment with its file name."""
    (found,) = [text for text in blocks("js") if text.startswith(f"// {name}\n")]
    return found


def commands() -> list[Command]:
    found: list[Command] = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append(Command(line, output.strip()))
    return found


def matches(printed: str, real: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in printed.split("…"))
    return re.fullmatch(pattern, real.strip(), re.DOTALL) is not None
