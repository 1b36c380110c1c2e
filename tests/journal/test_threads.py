from __future__ import annotations

import threading

from journal_rig import Rig, bodies, fill, header, record
from postroad.broker.errors import Gone
from postroad.broker.testing import FakeClock, MemoryFiles


def test_scans_snapshots_and_collections_run_beside_appends() -> None:
    clock = FakeClock()
    rig = Rig(MemoryFiles(), clock=clock, history_bytes=64 * 1024).start()
    done = threading.Event()
    errors: list[BaseException] = []
    scanned = 0

    def scan() -> None:
        nonlocal scanned
        try:
            while not done.is_set():
                first = rig.journal.earliest
                expected = first
                try:
                    for position, head, length in rig.journal.scan(first):
                        assert (position, head, length) == (expected, header(expected), len(bodies(expected)))
                        expected += 1
                        scanned += 1
                except Gone:
                    continue  # collected between the two calls, or under way
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    def keep_house() -> None:
        try:
            while not done.is_set():
                rig.journal.write_snapshot(rig.journal.durable_position, b"state")
                rig.journal.collect(clock.now_ms())
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=scan), threading.Thread(target=keep_house)]
    fill(rig, 10)
    for thread in threads:
        thread.start()
    for position in range(11, 4000):
        rig.put(record(position), wait=position % 50 == 0)
        if position % 10 == 0:
            head, body = rig.journal.read(position - 5)
            assert (head, bytes(body)) == record(position - 5)
    rig.until(lambda: rig.durable == 3999)
    done.set()
    for thread in threads:
        thread.join()

    assert errors == []
    assert scanned > 100
    rig.close()
