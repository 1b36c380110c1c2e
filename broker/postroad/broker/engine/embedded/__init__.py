"""The embedded engine: the core, the journal and the clock, joined on one event loop."""

from .engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
