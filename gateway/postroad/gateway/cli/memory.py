"""The C library's heap: fast while there is work, given back when it is over. Nothing happens where it is not glibc."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import time

LOOK_S = 2.0
"""How often a look is taken whether the process has come to rest."""

BUSY = 0.05
"""A process that uses more than this share of a processor is at work."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


class Heap:
    """glibc would ask the kernel for each block of a frame's size anew, which is six times as slow, so it is told to keep them.

    What it then holds after a burst is given back once the process has come to rest.
    """

    def __init__(self) -> None:
        self._libc: ctypes.CDLL | None = None
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.malloc_trim.argtypes = [ctypes.c_size_t]
            libc.mallopt(_M_MMAP_THRESHOLD, 4 * 1024 * 1024)
            libc.mallopt(_M_TRIM_THRESHOLD, 64 * 1024 * 1024)
            self._libc = libc

    async def give_back(self) -> None:
        """Runs for as long as the process: trims the heap each time a busy time is over."""
        was_busy, used = True, time.process_time()
        while self._libc is not None:
            await asyncio.sleep(LOOK_S)
            before, used = used, time.process_time()
            is_busy = used - before > BUSY * LOOK_S
            if was_busy and not is_busy:
                self._libc.malloc_trim(0)
            was_busy = is_busy
