"""Helpers of one folder are importable in all: ``core_rig`` drives the core, wherever a test stands."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "unit"))
