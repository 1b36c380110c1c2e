"""Faults that were found, each at a public seam: the rigs of the engine's and the gateway's tests drive them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

for folder in ("engine", "gateway"):
    sys.path.insert(0, str(TESTS / folder))

from engine_rig import Rig


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = await Rig().start()
    yield rig
    await rig.engine.close()
