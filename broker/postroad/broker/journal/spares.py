"""Segment files made ahead, so that appending never waits for, nor runs out of, disk space.

A thread reserves the blocks of each file at once (a full disk fails here), then writes zeros over them and syncs, so
that later syncs write data only. Files of deleted segments are taken over as they are: their blocks are
written already, and the salt of the next segment makes their old content meaningless.

On a full disk the last spare is not used, so that the next start has a file for its segment, and publishes leave the last
quarter of the segment before it to settles.
"""

from __future__ import annotations

import errno
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .files import NO_SPACE, Files, zero_fill

TARGET = 2
"""Number of spares to keep: one for the next segment, one for the next start."""

START_RESERVE = 1
"""Number of spares that appending never uses."""

SETTLE_SHARE = 4
"""On a full disk publishes leave one part in so many of a segment to settles."""

_STEP_BYTES = 1 << 20
_RECYCLED, _ZEROED, _MAKING = ".recycled", ".zeroed", ".making"


def is_recycled(name: str) -> bool:
    """Whether a spare holds the old content of a deleted segment."""
    return name.endswith(_RECYCLED)


class Spares:
    """The stock of spare files.

    Args:
        files: Where.
        size: Bytes of each.
        retry_s: Pause before trying again on a full disk, seconds.
        on_error: Told when making a file fails for another reason than space; nothing is made after that.
    """

    def __init__(self, files: Files, size: int, retry_s: float, on_error: Callable[[BaseException], None]) -> None:
        self._files, self._size, self._retry_s, self._on_error = files, size, retry_s, on_error
        self._changed = threading.Condition()
        self._ready: deque[str] = deque()
        self._raw: deque[tuple[str, int]] = deque()
        self._claimed = 0
        self._number = 0
        self._stopping = False
        self._kicked = False
        self._lent = False
        self._thread: threading.Thread | None = None
        self.full = False
        """The last attempt to reserve a file found no space."""

    @property
    def free(self) -> int:
        """Files whose blocks are reserved and that no segment has claimed."""
        return len(self._ready) + len(self._raw) - self._claimed

    def load(self) -> None:
        """Find the spares on disk; delete unfinished ones."""
        for name in self._files.list():
            if not name.startswith("spare-"):
                continue
            self._number = max(self._number, int(name[6:14], 16))
            handle = self._files.open(name)
            size = self._files.size(handle)
            self._files.close(handle)
            if size == self._size and not name.endswith(_MAKING) and len(self._ready) < 2 * TARGET:
                self._ready.append(name)
            else:
                self._files.unlink(name)

    def reserve(self) -> None:
        """Reserve the blocks of missing spares in this thread. A full disk is remembered, not raised."""
        while self.free < TARGET and self._allocate():
            pass

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="postroad-spares", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        for _, handle in self._raw:
            if handle >= 0:
                self._files.close(handle)
        self._raw.clear()

    def kick(self) -> None:
        """Try again now, since space may have become free."""
        with self._changed:
            self._kicked = True
            self._changed.notify_all()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Delete one spare to make room for a write that will free more; no spare is made meanwhile."""
        self._lent = True
        try:
            with self._changed:
                name = self._ready.popleft() if self._ready else None
            if name is not None:
                self._files.unlink(name)
            yield
        finally:
            self._lent = False
            self.kick()

    def claim(self) -> None:
        """Claim one for a segment that will be begun."""
        with self._changed:
            self._claimed += 1
            self._changed.notify_all()

    def take(self) -> str:
        """The name of a file for the claimed segment; waits while one is being zeroed.

        Raises:
            OSError: no space (the caller has not asked for room), or the stock is closed.
        """
        with self._changed:
            while not self._ready:
                if self._stopping or (self.full and not self._raw):
                    raise OSError(errno.ENOSPC, "no segment file is left")
                self._changed.wait()
            self._claimed -= 1
            name = self._ready.popleft()
            self._changed.notify_all()
            return name

    def wants(self) -> bool:
        """Whether one more recycled file can be used."""
        return self.free < 2 * TARGET

    def new_name(self, *, recycled: bool = False, making: bool = False) -> str:
        with self._changed:
            self._number += 1
            return f"spare-{self._number:08x}{_RECYCLED if recycled else _MAKING if making else _ZEROED}"

    def give(self, name: str) -> None:
        """Take over a file that was renamed, durably, to a ``new_name``."""
        with self._changed:
            self._ready.append(name)
            self._changed.notify_all()

    def take_or_make(self) -> str:
        """As ``take``, before the thread runs: makes one if there is none."""
        if not self._ready:
            if not self._raw and not self._allocate():
                raise OSError(errno.ENOSPC, "no space for a segment file")
            while not self._ready:
                self._fill()
        return self._ready.popleft()

    def _run(self) -> None:
        try:
            while not self._stopping:
                short = self.free < TARGET
                if short and self._allocate():
                    continue
                if self._raw:
                    self._fill()
                    continue
                with self._changed:
                    if not self._kicked and not self._stopping and (short or self.free >= TARGET):
                        self._changed.wait(self._retry_s if short else None)
                    self._kicked = False
        except BaseException as error:  # noqa: BLE001 - root of the thread: report it and end
            with self._changed:
                self._stopping = True
                self._changed.notify_all()
            self._on_error(error)

    def _allocate(self) -> bool:
        if self._lent:
            return False
        name = self.new_name(making=True)
        handle = -1
        try:
            handle = self._files.open(name, create=True)
            self._files.allocate(handle, self._size)
        except OSError as error:
            if handle >= 0:
                self._files.close(handle)
                self._files.unlink(name)
            if error.errno not in NO_SPACE:
                raise
            with self._changed:
                self.full = True
                self._changed.notify_all()
            return False
        with self._changed:
            self.full = False
            self._raw.append((name, handle))
            self._changed.notify_all()
        return True

    def _fill(self) -> None:
        name, handle = self._raw[0]
        for start in range(0, self._size, _STEP_BYTES):
            zero_fill(self._files, handle, start, min(start + _STEP_BYTES, self._size))
            if self._stopping:
                return
            if self.free < TARGET and not self.full:
                self._allocate()
        self._files.sync(handle)
        self._raw[0] = (name, -1)
        self._files.close(handle)
        ready = name.removesuffix(_MAKING) + _ZEROED
        self._files.rename(name, ready)
        with self._changed:
            self._raw.popleft()
            self._ready.append(ready)
            self._changed.notify_all()
