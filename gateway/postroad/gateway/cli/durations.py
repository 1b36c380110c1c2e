"""Durations, as they are given on the command line."""

from __future__ import annotations

from .failure import CommandFailed, ExitCode

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(text: str) -> int:
    """``500ms``, ``5s``, ``2m``, ``1h``, ``1d``; a bare number is milliseconds.

    Raises:
        CommandFailed: something else.
    """
    digits = text.rstrip("mshd")
    unit = text[len(digits) :] or "ms"
    if not (digits.isascii() and digits.isdecimal()) or unit not in _UNITS_MS:
        raise CommandFailed(f"{text!r} is not a duration such as 500ms, 5s or 2m.", ExitCode.USAGE)
    return int(digits) * _UNITS_MS[unit]
