"""The broker with one promise broken, to prove that the crash rounds would notice: ``sabotaged_serve.py NAME serve …``.

The product has no switch for this; its classes are changed here, in this process only, before the same ``serve`` runs.

``early-reply``
    The gate lets every output go at once, so confirms, deliveries and ack replies leave before their record is written.
    The writer is held up a little before each write, as a busy disk would, so that a kill falls between often enough.

``no-sync``
    The writer reports a batch as durable before it has written it. A kill -9 cannot show a missing *sync*: what was
    written survives the process in the page cache. So this is the same lie one step earlier, where a killed process
    does lose it: the report is sent before the write is issued.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from postroad.broker.engine.embedded.write.gate import Gate, Output
from postroad.broker.journal.writer import Writer

WRITE_DELAY_S = 0.03


def early_reply() -> None:
    write: Callable[[Any, Any], None] = Writer._write

    def put(self: Gate, output: Output) -> None:
        self._release([output])

    def slow_write(self: Writer, batch: Any) -> None:
        time.sleep(WRITE_DELAY_S)
        write(self, batch)

    Gate.put = put  # type: ignore[method-assign]
    Writer._write = slow_write  # type: ignore[method-assign]


def no_sync() -> None:
    write: Callable[[Any, Any], None] = Writer._write

    def report_then_write(self: Writer, batch: Any) -> None:
        self._report(batch.last)
        time.sleep(WRITE_DELAY_S)
        write(self, batch)

    Writer._write = report_then_write  # type: ignore[method-assign]


SABOTAGES = {"early-reply": early_reply, "no-sync": no_sync}


if __name__ == "__main__":
    SABOTAGES[sys.argv.pop(1)]()
    from postroad.gateway.main import main

    main()
