"""How a command says that it failed: one sentence and an exit code."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Part of the interface: supervisors and scripts may branch on it."""

    CLEAN = 0
    FAILED = 1
    USAGE = 2
    CORRUPT = 3
    """The journal is damaged; nothing was changed."""
    LOCKED = 4
    """Another broker holds the data."""
    SYNC_FAILED = 5
    """The disk failed while running, or a command could not be carried out whole: what was confirmed is not lost."""


class CommandFailed(Exception):
    """Args:
    message: One or more sentences for the person at the terminal.
    """

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
