"""A backlog costs memory by the record, not by the message."""

from __future__ import annotations

import gc
import tracemalloc

from core_rig import START_MS
from postroad.broker.core.format import command as c
from postroad.broker.core.machine import Machine


def cost_of(records: int, messages: int) -> float:
    """Bytes the core keeps for each of ``records * messages`` queued messages."""
    machine = Machine()
    machine.handle(c.Start(epoch=1), START_MS)
    machine.handle(c.PublishMessages(queue="q", sizes=[1]), START_MS)
    machine.take()
    gc.collect()
    tracemalloc.start()
    for _ in range(records):
        machine.handle(c.PublishMessages(queue="q", sizes=[100] * messages), START_MS)
        machine.take()
        machine.state.retained.clear()
    gc.collect()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / (records * messages)


def test_messages_published_one_by_one_cost_at_most_50_bytes() -> None:
    assert cost_of(200_000, 1) <= 50


def test_messages_published_in_batches_cost_less_than_a_byte() -> None:
    assert cost_of(200, 1000) < 1
