"""The contract, on the embedded engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from contract import Contract
from postroad.broker.engine.engine import Engine
from postroad.broker.engine.open import open_engine


class TestEmbedded(Contract):
    @pytest.fixture
    async def engine(self, tmp_path: Path) -> AsyncIterator[Engine]:
        engine = open_engine(data=str(tmp_path / "data"), durability="os")
        await engine.start()
        yield engine
        await engine.close()
