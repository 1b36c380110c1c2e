"""A forked copy of the process makes a snapshot while the loop goes on (docs/decisions/010-snapshots-by-fork.md).

The kernel shares the memory copy-on-write, so the copy sees the state as of one moment, and the fork takes the time of copying page
tables: some 2 ms for each 100 MiB. The copy turns the state into bytes and sends them through a pipe; a thread here reads them.

Forking a process with threads is safe for a copy that does as little as this one. Only the forking thread exists in it, and a lock
that another one held then stays locked for ever; so it logs nothing, imports nothing and takes no lock: it computes on plain data,
writes to its pipe and ends by ``os._exit``, whatever happens. Of what it inherits it closes every descriptor first, since a socket
that the broker closes would otherwise stay open for the peer; it ignores the signals that are meant for the broker; and it does not
survive it: the kernel ends it with the broker, and so does a pipe that nobody reads.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import os
import select
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from struct import Struct

from ....errors import Unavailable

CAN_FORK = sys.platform == "linux"
"""Elsewhere the system's own libraries do not survive a fork, or there is none."""

SILENCE_MS = 60_000
"""A copy that has sent nothing for so long is ended."""

SLICE_BYTES = 1024 * 1024
NICENESS = 10
_FAILED = 2**64 - 1
_HEAD = Struct("<QQ")
"""Position and length of the snapshot; or the length of an error's text, and ``_FAILED``."""

_PR_SET_PDEATHSIG = 1
_F_SETPIPE_SZ = 1031
_prctl = ctypes.CDLL(None).prctl if CAN_FORK else None
"""Resolved now: the copy must not look for it."""

Take = Callable[[], tuple[int, bytes]]
"""Position and bytes of a snapshot."""


class Offshoot:
    """The copy, as its parent sees it. Reading blocks: in a thread. ``end`` must be called."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self._pipe = pipe
        self._is_over = False
        self._mutex = threading.Lock()

    def head(self) -> tuple[int, int]:
        """Position and length of the snapshot.

        Raises:
            Unavailable: the copy has failed.
        """
        position, length = _HEAD.unpack(self._read(_HEAD.size))
        if length == _FAILED:
            text = self._read(position).decode("utf-8", "replace")
            raise Unavailable(f"The process that makes a snapshot failed: {text}")
        return position, length

    def slices(self, length: int) -> Iterator[bytes]:
        """The snapshot's bytes.

        Raises:
            Unavailable: the copy has ended early, or says nothing any more.
        """
        while length:
            part = self._read_some(min(length, SLICE_BYTES))
            length -= len(part)
            yield part

    def kill(self) -> None:
        """Have it end soon; whoever reads from it is told. From any thread."""
        with self._mutex:
            if not self._is_over:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """End it if it has not ended, and leave nothing of it behind."""
        self.kill()
        with self._mutex:
            if self._is_over:
                return
            self._is_over = True  # from here on its number may be another process's
            os.close(self._pipe)
            with contextlib.suppress(ChildProcessError):  # a program that ignores SIGCHLD has no children to wait for
                os.waitpid(self.pid, 0)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self._read_some(count - len(data))
        return data

    def _read_some(self, count: int) -> bytes:
        waiting = select.poll()
        waiting.register(self._pipe, select.POLLIN)
        if not waiting.poll(SILENCE_MS):
            raise Unavailable("The process that makes a snapshot says nothing any more.")
        data = os.read(self._pipe, count)
        if not data:
            raise Unavailable("The process that makes a snapshot has ended early.")
        return data


def fork(take: Take) -> Offshoot:
    """Fork a copy of this process that makes a snapshot of its state as of now.

    Raises:
        OSError: the system has no room for another process.
    """
    parent = os.getpid()
    read_end, write_end = os.pipe()
    with contextlib.suppress(OSError):  # so large a pipe is not allowed to everybody
        fcntl.fcntl(write_end, _F_SETPIPE_SZ, SLICE_BYTES)
    # A signal must not reach the copy before it has let go of the broker's handlers: they would write to the broker's own pipe.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # "may lead to deadlocks": see above why not here
            pid = os.fork()
        if pid == 0:
            _be_the_copy(take, write_end, parent, mask)
    except BaseException:
        os.close(read_end)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(write_end)
    return Offshoot(pid, read_end)


def _be_the_copy(take: Take, pipe: int, parent: int, mask: set[int | signal.Signals]) -> None:
    """Never returns."""
    try:
        gc.disable()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for descriptor in os.listdir("/proc/self/fd"):
            if int(descriptor) != pipe:
                with contextlib.suppress(OSError):
                    os.close(int(descriptor))
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
        _send(pipe, *take())
        os._exit(0)
    except BaseException as error:  # noqa: BLE001  # nothing may get out of here into code of the broker
        try:
            text = repr(error).encode("utf-8", "replace")[:1000]
            os.write(pipe, _HEAD.pack(len(text), _FAILED) + text)
        finally:
            os._exit(1)


def _send(pipe: int, position: int, data: bytes) -> None:
    view = memoryview(data)
    os.write(pipe, _HEAD.pack(position, len(view)))
    while view:
        view = view[os.write(pipe, view[:SLICE_BYTES]) :]
