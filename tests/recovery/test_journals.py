"""Data folders of earlier releases open whole, and this release answers about them what that one did.

``journals/`` holds the folders and the answers; ``write_journals.py`` wrote them. Answers may have new fields, no other differences.
"""

from __future__ import annotations

import asyncio
import json
import lzma
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

if __name__ == "__main__":  # a process that opens a folder and is killed
    sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("engine", "unit")]

from engine_rig import Rig
from journal_answers import Desk, answers, everything
from postroad.broker.journal import RealFiles
from postroad.broker.testing import FakeClock

KILLED = 9
JOURNALS = Path(__file__).parent / "journals"
NAMES = sorted(path.name.removesuffix(".tar.xz") for path in JOURNALS.glob("*.tar.xz"))


class Folder:
    """A data folder, unpacked, and what the release that wrote it answered."""

    def __init__(self, name: str, path: Path) -> None:
        with tarfile.open(JOURNALS / f"{name}.tar.xz") as archive:
            archive.extractall(path, filter="data")
        content = json.loads(lzma.decompress((JOURNALS / f"{name}.expected.json.xz").read_bytes()))
        self.path = path
        self.ids: list[str] = content["ids"]
        self.told: dict[str, Any] = content["told"]
        self.opens_at: int = content["opens_at"]

    async def opened(self) -> tuple[Rig, Desk]:
        return await opened(self.path, self.opens_at)


async def opened(path: Path, at: int) -> tuple[Rig, Desk]:
    rig = await Rig(RealFiles(path), FakeClock(at), segment_bytes=128 * 1024).start()
    return rig, Desk(rig.engine, rig.clock, lambda: rig.pass_time(0))


@pytest.fixture(params=NAMES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(request.param, tmp_path)


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where ``found`` differs from ``expected``; fields that only ``found`` has are no difference."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            difference
            for name, value in expected.items()
            for difference in (
                differences(value, found[name], f"{path}/{name}") if name in found else [f"{path}/{name} is missing"]
            )
        ]
    if isinstance(expected, list) and isinstance(found, (list, tuple)) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [difference for at, (a, b) in pairs for difference in differences(a, b, f"{path}/{at}")]
    return [] if expected == found else [f"{path}: {expected!r} was answered, now it is {found!r}"]


def test_all_four_endings_of_the_first_release_are_kept() -> None:
    endings = {"killed", "stopped", "snapshot-and-killed", "torn"}
    assert {f"15cafc3-{ending}" for ending in endings} <= set(NAMES)


async def test_a_folder_of_an_earlier_release_opens_whole_and_answers_the_same(folder: Folder) -> None:
    rig, desk = await folder.opened()

    told = await everything(desk, folder.ids)
    await rig.engine.close()

    assert differences(folder.told, told) == []


async def test_it_still_answers_the_same_after_this_release_closed_and_opened_it(folder: Folder) -> None:
    rig, _ = await folder.opened()
    await rig.engine.close()

    rig, desk = await folder.opened()
    told = await everything(desk, folder.ids)
    await rig.engine.close()

    assert differences(folder.told, told) == []


async def test_it_still_answers_the_same_after_it_was_opened_and_killed(folder: Folder) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, str(folder.path), str(folder.opens_at))
    assert await process.wait() == KILLED

    rig, desk = await folder.opened()
    await desk.pass_time(1000)
    told = await answers(desk, folder.ids)
    await rig.engine.close()

    assert differences({name: folder.told[name] for name in told}, told) == []


async def open_and_die(path: str, opens_at: int) -> None:
    await opened(Path(path), opens_at)
    os._exit(KILLED)


if __name__ == "__main__":
    asyncio.run(open_and_die(sys.argv[1], int(sys.argv[2])))
