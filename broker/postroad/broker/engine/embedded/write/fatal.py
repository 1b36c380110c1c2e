"""Commands that ended the process: the same one sent again is refused, and never fatal twice.

When a command cannot be carried out whole, the process ends (``pipeline.py``), and whoever sent it does not know: they send it again.
So a digest of it is written to the data folder before the end, as well as can be. The next start reads it; as long as there is any,
each command is compared, and one that is alike is ``internal``. A timer's work, such as a schedule's firing, is named by the timer
instead, and set aside by the core. After a day they are forgotten: the program may be a mended one by then.

What makes two commands alike: what they say, with their bodies. The names that a restart gives anew (subscriptions, secrets) and
the delivery numbers of a settle that carries something else do not count; a numbered frame is also known by its number.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import orjson

from ....core.format import command as c
from ....journal import Files
from ....settings import DAY_MS
from ...engine import Buffer

log = logging.getLogger("postroad.engine")

NAME = "fatal-commands.json"
KEPT_MAX = 16
FILE_BYTES_MAX = 1024 * 1024

MESSAGE = "This ended the broker before, so it is not tried again: the log of that moment says what was raised."

Timer = tuple[str, int | str]

_ANEW = frozenset(("subscription", "secret", "producer", "resume"))
_NEVER = (c.Start, c.Tick, c.Detach, c.SessionOpened, c.SessionClosed, c.SetPrefetch, c.Stall, c.CancelConsumer)
"""Nobody sends these; a tick is known by its timer."""

_GONE = frozenset(("leases", "detached"))
"""Timers of what is gone with the process."""


class FatalCommands:
    """The list of one data folder.

    Args:
        files: The data folder.

    Attributes:
        rows: One for each command; mostly there is none.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.rows: list[dict[str, Any]] = []

    def load(self, at_ms: int) -> None:
        """Read what the folder has. A file that is not ours, or damaged, is left alone, and said in the log."""
        if NAME not in self._files.list():
            return
        try:
            handle = self._files.open(NAME)
            try:
                data = self._files.pread(handle, FILE_BYTES_MAX + 1, 0)
            finally:
                self._files.close(handle)
            rows = orjson.loads(data) if len(data) <= FILE_BYTES_MAX else None
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read, and is passed over: %s", NAME, error)
            return
        ours = [row for row in rows if _is_row(row)] if isinstance(rows, list) else []
        if rows != ours:
            log.warning("%s has what this program does not write: that is passed over", NAME)
        self.rows = [row for row in ours if abs(at_ms - row["at"]) < DAY_MS][-KEPT_MAX:]

    def timers(self) -> Iterator[Timer]:
        """Those whose work ended the process."""
        for row in self.rows:
            if row.get("timer"):
                kind, key = row["timer"]
                yield kind, key

    def names(self, command: object, scope: str, bodies: Sequence[Buffer], at_ms: int) -> bool:
        """Whether this, or one like it, ended the process before.

        Args:
            scope: The queue, where the command itself does not name it.
        """
        if isinstance(command, _NEVER):
            return False
        self.rows = [row for row in self.rows if abs(at_ms - row["at"]) < DAY_MS]
        frame, digest = _frame(command), None
        for row in self.rows:
            if row["kind"] != type(command).__name__:
                continue
            if frame is not None and row.get("frame") == frame:
                return True
            digest = digest or _digest(command, scope, bodies)
            if row["digest"] == digest:
                return True
        return False

    def note(
        self,
        command: object,
        scope: str,
        bodies: Sequence[Buffer],
        timer: Timer | None,
        error: BaseException,
        at_ms: int,
    ) -> None:
        """Write that this ended the process, before it does. Never raises."""
        if isinstance(command, c.ChangeSchedule) and command.do == "run":
            timer = ("schedule", command.name)
        try:
            sent = not isinstance(command, _NEVER)
            if not sent and (timer is None or timer[0] in _GONE):
                return
            digest = _digest(command, scope, bodies) if sent else ""
            row = {"kind": type(command).__name__, "at": at_ms, "error": repr(error)[:500], "frame": _frame(command)}
            self.rows = [*self.rows, {**row, "timer": timer, "digest": digest}][-KEPT_MAX:]
            self._write(orjson.dumps(self.rows))
        except Exception as failed:  # noqa: BLE001 - the process ends; what is missing here is known to nobody else
            log.error("it was not noted, and may end the broker again: %r", failed)

    def _write(self, data: bytes) -> None:
        making = f"{NAME}.tmp"
        handle = self._files.open(making, create=True)
        try:
            self._files.pwritev(handle, [data], 0, sync=True)
            self._files.sync(handle)
        finally:
            self._files.close(handle)
        self._files.rename(making, NAME)
        self._files.dirsync()


def _is_row(row: Any) -> bool:
    """Whether it has the shape of what ``note`` writes."""
    if type(row) is not dict or type(row.get("at")) is not int:
        return False
    if type(row.get("kind")) is not str or type(row.get("digest")) is not str:
        return False
    timer = row.get("timer")
    return timer is None or (
        type(timer) is list and len(timer) == 2 and type(timer[0]) is str and type(timer[1]) in (int, str)
    )


def _frame(command: object) -> list[Any] | None:
    """Session and number of a numbered frame."""
    producer = getattr(command, "producer", None)
    return list(producer) if producer is not None else None


def _digest(command: object, scope: str, bodies: Sequence[Buffer]) -> str:
    said: object = command
    if isinstance(command, c.SettleDeliveries):
        nacks = [(nack.delay_ms, nack.reason, nack.dead) for nack in command.nacks if nack.reason]
        done = [(d.result, [result for _, result in d.others], d.publishes) for d in command.completions]
        said = (nacks, done) if nacks or done else command
    hashed = hashlib.blake2b(repr((scope, _plain(said))).encode("utf-8", "backslashreplace"), digest_size=16)
    for body in bodies:
        hashed.update(body)
    return hashed.hexdigest()


def _plain(said: Any) -> Any:
    """The same as lists, mappings in one order, without what a restart gives anew."""
    if is_dataclass(said) and not isinstance(said, type):
        return [(field.name, _plain(getattr(said, field.name))) for field in fields(said) if field.name not in _ANEW]
    if isinstance(said, Mapping):
        return [(name, _plain(value)) for name, value in sorted(said.items(), key=repr)]
    return [_plain(value) for value in said] if isinstance(said, list | tuple) else said
