"""All file access of the journal, behind one small interface.

``RealFiles`` is a directory of the operating system. ``postroad.broker.testing`` has the other implementations: files
in memory that forget what was not synced, and a wrapper that fails on demand. Nothing else in the engine writes files.

Durability of names: a ``rename``, a created or an unlinked file is durable only after ``dirsync``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ..errors import Unavailable

Buffer = bytes | bytearray | memoryview

IOV_MAX = 1024
"""Most buffers one ``pwritev`` takes (Linux, macOS)."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors that mean a full disk, not a failing one."""

_ZEROS = bytes(1 << 20)


class Files(Protocol):
    """One flat directory. Every method may raise ``OSError``; names hold no path separators."""

    def lock(self) -> None:
        """Become the only user of the directory, until ``unlock`` or the end of the process.

        Raises:
            Unavailable: another process holds it; the text and ``pid`` name the holder.
        """
        ...

    def unlock(self) -> None: ...

    def list(self) -> list[str]:
        """Names of all files, sorted."""
        ...

    def open(self, name: str, *, create: bool = False) -> int:
        """A handle to read and write; ``create`` makes the file or empties an existing one."""
        ...

    def close(self, handle: int) -> None: ...

    def size(self, handle: int) -> int: ...

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        """Up to ``length`` bytes; fewer only at the end of the file."""
        ...

    def pwritev(self, handle: int, buffers: Sequence[Buffer], offset: int, *, sync: bool = False) -> int:
        """Write at most ``IOV_MAX`` buffers; returns how many bytes, possibly fewer than given.

        With ``sync`` what was written is durable on return.
        """
        ...

    def sync(self, handle: int) -> None:
        """Everything written to the file, and its size, is durable on return."""
        ...

    def allocate(self, handle: int, size: int) -> None:
        """Reserve the blocks for ``size`` bytes, so that writing them later cannot run out of space."""
        ...

    def rename(self, old: str, new: str) -> None: ...

    def unlink(self, name: str) -> None: ...

    def dirsync(self) -> None: ...


def write_all(files: Files, handle: int, buffers: Sequence[Buffer], offset: int, *, sync: bool = False) -> int:
    """Write every byte, however many calls it takes; returns their number. Each call syncs its own part."""
    total = sum(len(buffer) for buffer in buffers)
    if len(buffers) <= IOV_MAX and files.pwritev(handle, buffers, offset, sync=sync) == total:
        return total
    # Rare: a short write, or too many buffers. Writing the same bytes again is harmless: nobody relies on them yet.
    data = memoryview(b"".join(buffers))
    done = 0
    while done < total:
        count = files.pwritev(handle, [data[done:]], offset + done, sync=sync)
        if count <= 0:
            raise OSError(errno.EIO, "the disk took no bytes")
        done += count
    return total


def write_whole(files: Files, name: str, buffers: Sequence[Buffer]) -> None:
    """Make or replace a file so that after a crash it is either the old or the new one, whole.

    Write a temporary file, sync it, rename it over the name, sync the directory.
    """
    temporary = f"{name}.tmp"
    try:
        handle = files.open(temporary, create=True)
        try:
            write_all(files, handle, buffers, 0)
            files.sync(handle)
        finally:
            files.close(handle)
    except OSError:
        with contextlib.suppress(OSError):
            files.unlink(temporary)  # it may hold the last of the space
        raise
    files.rename(temporary, name)
    files.dirsync()


def read_whole(files: Files, name: str) -> bytes:
    handle = files.open(name)
    try:
        return files.pread(handle, files.size(handle), 0)
    finally:
        files.close(handle)


def zero_fill(files: Files, handle: int, start: int, end: int) -> None:
    """Write zeros, so that later overwriting needs no metadata (which makes each sync two to three times slower)."""
    while start < end:
        start += write_all(files, handle, [memoryview(_ZEROS)[: min(len(_ZEROS), end - start)]], start)


class RealFiles:
    """A directory of the operating system, made (0700, files 0600) if missing.

    Args:
        directory: Where; its parent must exist.

    Raises:
        Unavailable: others may write to the directory.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self._lock: int | None = None
        self._dsync = getattr(os, "RWF_DSYNC", 0)
        if not self.directory.exists():
            self.directory.mkdir(mode=0o700)
            _dirsync(self.directory.parent)
        if stat.S_IMODE(self.directory.stat().st_mode) & 0o022:
            raise Unavailable(f"{self.directory} may be written by others; chmod it to 0700.")

    def lock(self) -> None:
        handle = os.open(self.directory / "LOCK", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
            os.close(handle)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise Unavailable(f"{self.directory} is in use by process {pid or '(unknown)'}.", pid=pid) from error
        # The file is never unlinked: two processes could otherwise lock two files of that name.
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def list(self) -> list[str]:
        return sorted(name for name in os.listdir(self.directory) if name != "LOCK")

    def open(self, name: str, *, create: bool = False) -> int:
        flags = os.O_RDWR | (os.O_CREAT | os.O_TRUNC if create else 0)
        return os.open(self.directory / name, flags, 0o600)

    def close(self, handle: int) -> None:
        os.close(handle)

    def size(self, handle: int) -> int:
        return os.fstat(handle).st_size

    def pread(self, handle: int, length: int, offset: int) -> bytes:
        data = os.pread(handle, length, offset)
        while len(data) < length and (more := os.pread(handle, length - len(data), offset + len(data))):
            data += more
        return data

    def pwritev(self, handle: int, buffers: Sequence[Buffer], offset: int, *, sync: bool = False) -> int:
        if not sync:
            return os.pwritev(handle, buffers, offset)
        if self._dsync:
            try:
                return os.pwritev(handle, buffers, offset, self._dsync)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
                    raise
                self._dsync = 0  # refused before anything was written: this file system wants the two calls
        count = os.pwritev(handle, buffers, offset)
        getattr(os, "fdatasync", os.fsync)(handle)
        return count

    def sync(self, handle: int) -> None:
        os.fsync(handle)

    def allocate(self, handle: int, size: int) -> None:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, size)
        else:
            zero_fill(self, handle, self.size(handle), size)

    def rename(self, old: str, new: str) -> None:
        os.rename(self.directory / old, self.directory / new)

    def unlink(self, name: str) -> None:
        os.unlink(self.directory / name)

    def dirsync(self) -> None:
        _dirsync(self.directory)


def _dirsync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
