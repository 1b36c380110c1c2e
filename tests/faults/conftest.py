"""Faults that were found, each at a public seam: the rigs of the engine's and the gateway's tests drive them."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]

for folder in ("engine", "gateway"):
    sys.path.insert(0, str(TESTS / folder))
