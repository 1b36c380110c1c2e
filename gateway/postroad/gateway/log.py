"""Logs: one JSON object a line, or short lines on a terminal. Event names are the messages; facts are fields.

Nothing here ever gets a body, a token or a message's headers. Control characters are escaped and fields are cut, so
that a peer cannot forge a line.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, TextIO

import orjson

FIELD_LENGTH_MAX = 256
TRACE_LENGTH_MAX = 8192
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def set_up(level: str, form: str, stream: TextIO | None = None) -> None:
    """Send everything to ``stream`` (standard error), as ``json``, ``console`` or, with ``auto``, by where it goes."""
    out = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(out)
    is_console = form == "console" or (form == "auto" and out.isatty())
    handler.setFormatter(ConsoleFormatter() if is_console else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What the call gave as ``extra``, made safe."""
    return {name: _safe(value) for name, value in vars(record).items() if name not in _STANDARD}


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": int(record.created * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _safe(record.getMessage()),
            **fields_of(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-TRACE_LENGTH_MAX:]
        return orjson.dumps(line, default=str).decode()


class ConsoleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        facts = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        line = f"{moment} {record.levelname.lower():<7} {_safe(record.getMessage())}{facts}"
        return line + "\n" + self.formatException(record.exc_info) if record.exc_info else line


def _safe(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    if len(text) > FIELD_LENGTH_MAX:
        text = text[: FIELD_LENGTH_MAX - 1] + "…"
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
