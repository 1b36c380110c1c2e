"""A journal to drive in tests: callbacks run in the writer's thread and are waited for, never slept for."""

from __future__ import annotations

import threading
from collections.abc import Callable

from postroad.broker.journal import Buffer, Files, Journal, JournalOptions, Recovered
from postroad.broker.testing import FakeClock

SMALL = 32 * 1024
WAIT_S = 20


class Rig:
    """A journal and what it reported. ``start`` opens, replays and begins."""

    def __init__(self, files: Files, *, clock: FakeClock | None = None, **options: object) -> None:
        self.files = files
        self.changed = threading.Condition()
        self.durable = 0
        self.failures: list[BaseException] = []
        self.options = JournalOptions(**{"segment_bytes": SMALL, "mark_ms": 3_600_000, **options})  # type: ignore[arg-type]
        self.journal = Journal(files, self.options, post=self._post, clock=clock or FakeClock())
        self.journal.on_durable = self._on_durable
        self.journal.on_failure = self.failures.append
        self.replayed: list[tuple[int, bytes]] = []
        self.recovered: Recovered

    def start(self) -> Rig:
        self.recovered = self.journal.open()
        self.replayed = list(self.journal.records())
        self.journal.begin()
        self.durable = self.journal.durable_position
        return self

    def put(self, *records: tuple[bytes, Buffer | None], wait: bool = True) -> int:
        """One unit, flushed; waits until it is durable."""
        first = self.journal.append(records)
        self.journal.flush()
        if wait:
            self.until(lambda: self.durable >= first + len(records) - 1)
        return first

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that a callback or a background thread brings about."""
        with self.changed:
            for _ in range(WAIT_S * 200):
                if condition():
                    return
                self.changed.wait(0.005)
        raise AssertionError("it never came true")

    def close(self) -> None:
        self.journal.close()

    def _post(self, callback: Callable[[], None]) -> None:
        with self.changed:
            callback()
            self.changed.notify_all()

    def _on_durable(self, position: int) -> None:
        self.durable = position


def header(position: int) -> bytes:
    """A header that tells its position, so that a misplaced record shows."""
    return b'{"n":%d}' % position


def bodies(position: int) -> bytes:
    return (b"%d." % position) * (position * 7 % 60)


def record(position: int) -> tuple[bytes, bytes]:
    return header(position), bodies(position)


def fill(rig: Rig, count: int) -> None:
    """Append records one by one, each durable before the next."""
    for _ in range(count):
        rig.put(record(rig.journal.position + 1))


def contents(files: Files) -> list[tuple[int, bytes, bytes]]:
    """Every record a start finds, bodies included; the store is closed again."""
    rig = Rig(files).start()
    try:
        found = []
        for position, head in rig.replayed:
            read_head, body = rig.journal.read(position)
            assert read_head == head
            found.append((position, head, bytes(body)))
        return found
    finally:
        rig.close()


def expected(last: int) -> list[tuple[int, bytes, bytes]]:
    return [(position, header(position), bodies(position)) for position in range(1, last + 1)]
