"""Stand-ins for tests, ours and those of users: a clock to wind, a disk in memory that can crash, a disk that fails.

``MemoryFiles`` keeps apart what was written and what was synced; ``crashed`` gives the directory as a power cut might
have left it. ``FaultyFiles`` wraps any files: it fails, stalls or shortens the calls that a test names.
"""

from __future__ import annotations

import errno
import json
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from .errors import Unavailable
from .journal.files import IOV_MAX, Buffer, Files

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""


def plain(answer: Any) -> Any:
    """An engine's answer as its receiver gets it: users' bodies and results, which the engine keeps as JSON that nobody has parsed, are values."""
    return json.loads(orjson.dumps(answer))


class FakeClock:
    """A ``clock.Clock`` that moves only when told.

    Args:
        now_ms: Where it starts, both engine time and the wall clock.

    Attributes:
        ahead_ms: How far the wall clock is ahead of engine time; less than 0: behind.
    """

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return self._now_ms

    def wall_ms(self) -> int:
        return self._now_ms + self.ahead_ms

    def advance(self, ms: int) -> int:
        """Time passes, on both clocks; returns the new engine time."""
        assert ms >= 0, "time never goes backwards"
        self._now_ms += ms
        return self._now_ms

    def jump_wall(self, ms: int) -> int:
        """Set the wall clock alone, forward or back; returns what it says. So is a machine that was suspended for ``ms``."""
        self.ahead_ms += ms
        return self.wall_ms()

    def not_before(self, at_ms: int) -> None:
        if at_ms > self._now_ms:
            self.ahead_ms -= at_ms - self._now_ms
            self._now_ms = at_ms

    def slew(self) -> None:
        """Does nothing: what a test sets stays."""


@dataclass(slots=True, eq=False)
class _File:
    live: bytearray = field(default_factory=bytearray)
    synced: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)
    allocated: int = 0

    def sync(self, sectors: set[int]) -> None:
        if len(self.synced) < len(self.live):
            self.synced.extend(bytes(len(self.live) - len(self.synced)))
        for sector in sectors:
            part = slice(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)
            self.synced[part] = self.live[part]
        self.dirty -= sectors


class MemoryFiles:
    """``journal.Files`` in memory.

    Args:
        capacity: Bytes the "disk" has; ``None``: no limit. May be changed at any time.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity
        self._mutex = threading.RLock()
        self._names: dict[str, _File] = {}
        self._synced_names: dict[str, _File] = {}
        # What happened to names since the last dirsync: (name, file) or (name, None) for gone, in groups.
        self._renames: list[list[tuple[str, _File | None]]] = []
        self._handles: dict[int, _File] = {}
        self._next_handle = 3
        self._locked = False

    def lock(self) -> None:
        with self._mutex:
            if self._locked:
                raise Unavailable("The store is in use by process 1.", pid="1")
            self._locked = True

    def unlock(self) -> None:
        self._locked = False

    def list(self) -> list[str]:
        with self._mutex:
            return sorted(self._names)

    def open(self, name: str, *, create: bool = False) -> int:
        with self._mutex:
            if create:
                self._names[name] = _File()
                self._renames.append([(name, self._names[name])])
            elif name not in self._names:
                raise FileNotFoundError(errno.ENOENT, "no such file", name)
            self._next_handle += 1
            self._handles[self._next_handle] = self._names[name]
            return self._next_handle

    def close(self, handle: int) -> None:
        with self._mutex:
            del self._handles[handle]

    def size(self, handle: int) -> int:
        with self._mutex:
            return len(self._handles[handle].live)

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        with self._mutex:
            return bytes(self._handles[handle].live[offset : offset + length])

    def pwritev(self, handle: int, buffers: Sequence[Buffer], offset: int, *, sync: bool = False) -> int:
        assert len(buffers) <= IOV_MAX
        data = b"".join(buffers)
        end = offset + len(data)
        with self._mutex:
            file = self._handles[handle]
            self._grow(file, end)
            if len(file.live) < end:
                file.live.extend(bytes(end - len(file.live)))
            file.live[offset:end] = data
            sectors = set(range(offset // SECTOR_BYTES, -(-end // SECTOR_BYTES)))
            file.dirty |= sectors
            if sync:
                file.sync(sectors)
        return len(data)

    def sync(self, handle: int) -> None:
        with self._mutex:
            file = self._handles[handle]
            file.sync(set(file.dirty))

    def allocate(self, handle: int, size: int) -> None:
        with self._mutex:
            file = self._handles[handle]
            self._grow(file, size)
            file.live.extend(bytes(max(0, size - len(file.live))))

    def rename(self, old: str, new: str) -> None:
        with self._mutex:
            file = self._names.pop(old)
            self._names[new] = file
            self._renames.append([(old, None), (new, file)])

    def unlink(self, name: str) -> None:
        with self._mutex:
            del self._names[name]
            self._renames.append([(name, None)])

    def dirsync(self) -> None:
        with self._mutex:
            self._synced_names = dict(self._names)
            self._renames.clear()

    def crashed(self, rng: random.Random) -> MemoryFiles:
        """What a power cut now may leave: of all that was not synced, each sector and each name change or not."""
        after = MemoryFiles(self.capacity)
        with self._mutex:
            keep = rng.choice((0.0, 1.0, rng.random()))
            names = dict(self._synced_names)
            for group in self._renames:
                if rng.random() < keep:
                    for name, file in group:
                        if file is None:
                            names.pop(name, None)
                        else:
                            names[name] = file
            copies: dict[int, _File] = {}
            for name, file in names.items():
                if id(file) not in copies:
                    copies[id(file)] = _torn(file, keep, rng)
                after._names[name] = copies[id(file)]
        after._synced_names = dict(after._names)
        return after

    def copy(self) -> MemoryFiles:
        """The directory as another process would see it now; everything in it counts as synced."""
        after = MemoryFiles(self.capacity)
        with self._mutex:
            for name, file in self._names.items():
                after._names[name] = _File(bytearray(file.live), bytearray(file.live), allocated=len(file.live))
        after._synced_names = dict(after._names)
        return after

    def content(self, name: str) -> bytearray:
        """The bytes of a file, to look at or to damage."""
        return self._names[name].live

    @property
    def used(self) -> int:
        """Bytes taken on the "disk", by open files without a name too."""
        with self._mutex:
            files = {id(file): file for file in (*self._names.values(), *self._handles.values())}
            return sum(file.allocated for file in files.values())

    def _grow(self, file: _File, size: int) -> None:
        if size <= file.allocated:
            return
        if self.capacity is not None and self.used + size - file.allocated > self.capacity:
            raise OSError(errno.ENOSPC, "no space left on device")
        file.allocated = size


def _torn(file: _File, keep: float, rng: random.Random) -> _File:
    data = bytearray(file.synced)
    survivors = [sector for sector in sorted(file.dirty) if rng.random() < keep]
    for sector in survivors:
        part = file.live[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES]
        start = sector * SECTOR_BYTES
        data.extend(bytes(max(0, start + len(part) - len(data))))
        data[start : start + len(part)] = part
    return _File(data, bytearray(data), allocated=len(data))


@dataclass(slots=True, eq=False)
class _Fault:
    operation: str
    error: OSError
    skip: int
    times: int | None


class FaultyFiles:
    """Wraps files; records every call and fails the ones it was told to.

    Operations: ``open close pread pwritev sync allocate rename unlink dirsync``, and ``pwritev+sync`` for writes that
    sync themselves.

    Args:
        inner: Where calls go.

    Attributes:
        calls: ``(operation, file name)`` of all calls, in order.
        before: Called with operation and name before each call, e.g. to crash or to wait there.
        between: Called when the bytes of a ``pwritev+sync`` are written and not yet synced.
        write_bytes_max: Most bytes one write takes; ``None``: all.
    """

    def __init__(self, inner: Files) -> None:
        self.inner = inner
        self.calls: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] | None = None
        self.between: Callable[[], None] | None = None
        self.write_bytes_max: int | None = None
        self._faults: list[_Fault] = []
        self._names: dict[int, str] = {}

    def fail(self, operation: str, code: int, *, skip: int = 0, times: int | None = 1) -> None:
        """Let calls of an operation fail with an errno, after ``skip`` good ones, ``times`` times (None: for ever)."""
        self._faults.append(_Fault(operation, OSError(code, "injected"), skip, times))

    def heal(self) -> None:
        """Fail no more."""
        self._faults.clear()

    def count(self, operation: str) -> int:
        return sum(1 for done, _ in self.calls if done == operation)

    def lock(self) -> None:
        self.inner.lock()

    def unlock(self) -> None:
        self.inner.unlock()

    def list(self) -> list[str]:
        return self.inner.list()

    def open(self, name: str, *, create: bool = False) -> int:
        self._called("open", name)
        handle = self.inner.open(name, create=create)
        self._names[handle] = name
        return handle

    def close(self, handle: int) -> None:
        self._called("close", self._names[handle])
        self.inner.close(handle)

    def size(self, handle: int) -> int:
        return self.inner.size(handle)

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        self._called("pread", self._names[handle])
        return self.inner.pread(handle, length, offset)

    def pwritev(self, handle: int, buffers: Sequence[Buffer], offset: int, *, sync: bool = False) -> int:
        self._called("pwritev+sync" if sync else "pwritev", self._names[handle])
        if self.write_bytes_max is not None:
            buffers = [b"".join(buffers)[: self.write_bytes_max]]
        if sync and (between := self.between) is not None:  # a test may take it away meanwhile
            self.inner.pwritev(handle, buffers, offset)
            between()
        return self.inner.pwritev(handle, buffers, offset, sync=sync)

    def sync(self, handle: int) -> None:
        self._called("sync", self._names[handle])
        self.inner.sync(handle)

    def allocate(self, handle: int, size: int) -> None:
        self._called("allocate", self._names[handle])
        self.inner.allocate(handle, size)

    def rename(self, old: str, new: str) -> None:
        self._called("rename", new)
        self.inner.rename(old, new)

    def unlink(self, name: str) -> None:
        self._called("unlink", name)
        self.inner.unlink(name)

    def dirsync(self) -> None:
        self._called("dirsync", "")
        self.inner.dirsync()

    def _called(self, operation: str, name: str) -> None:
        self.calls.append((operation, name))
        if self.before is not None:
            self.before(operation, name)
        for fault in self._faults:
            if fault.operation != operation or fault.times == 0:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            raise fault.error
