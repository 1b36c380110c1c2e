"""Numbers of a queue as docs/protocol.md §6 gives them."""

from __future__ import annotations

from collections.abc import Iterable

from ....core.durable.queue import Queue
from ....core.durable.stream import Stream
from ....core.machine import Machine
from ....core.volatile.subscription import Subscription
from ...engine import Json
from .meters import Meter


class Stats:
    """Computes stats; holds the meters of queues that are moving."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._meters: dict[int, Meter] = {}

    def moved(self, queue: Queue) -> None:
        """Something happened on this queue: measure its rates from now on."""
        if queue.number not in self._meters:
            meter = self._meters[queue.number] = Meter()
            meter.sample(queue, self._machine.now)

    def moving(self) -> list[int]:
        """Numbers of the queues that are measured."""
        return list(self._meters)

    def sample(self, numbers: Iterable[int], at_ms: int) -> list[Queue]:
        """Once a second for each: sample these; returns their queues. One that has come to rest is no longer measured."""
        sampled = []
        for number in numbers:
            queue = self._machine.state.logs.get(number)
            if queue is None or not self._meters[number].sample(queue, at_ms):
                del self._meters[number]
            if queue is not None:
                sampled.append(queue)
        return sampled

    def of(self, queue: Queue, at_ms: int) -> Json:
        live = self._machine.runtime_of(queue)
        group, totals = queue.group, queue.totals
        meter = self._meters.get(queue.number)
        published, acked = meter.rates(queue, at_ms) if meter else (0.0, 0.0)
        stats: Json = {
            "name": queue.name,
            "kind": "group" if queue.stream is not None else "queue",
            "ready": group.ready_count,
            "parked": group.order.parked.count,
            "delayed": group.delayed.count,
            "retrying": group.retrying.count,
            "leased": live.leased,
            "consumers": len(live.consumers),
            "paused": queue.paused,
            "published_total": totals["published"],
            "acked_total": totals["acked"],
            "dead_total": totals["dead"] + totals["dropped"],
            "retried_total": totals["retried"],
            "rate_published": published,
            "rate_acked": acked,
            "oldest_ms": self._oldest_ms(queue, at_ms),
            "bytes": queue.log.bytes,
        }
        if queue.pause_reason:
            stats["pause_reason"] = queue.pause_reason
        if queue.dead_letter_of:
            stats["dead_letter_of"] = queue.dead_letter_of
        if queue.stream is not None:
            stats["committed"] = group.floor
            stats["lag"] = group.waiting_count + live.leased
            stats["trimmed_total"] = totals["trimmed"]
            stats["compacted_total"] = totals["compacted"]
        return stats

    def of_name(self, name: str, at_ms: int) -> Json | None:
        """Of a queue, a group ``<stream>/<group>`` or a stream; None if there is none of that name."""
        state = self._machine.state
        if (queue := state.queues.get(name)) is not None:
            return self.of(queue, at_ms)
        stream = state.streams.get(name)
        return self.of_stream(stream, at_ms) if stream is not None else None

    def of_stream(self, stream: Stream, at_ms: int) -> Json:
        log = stream.log
        return {
            "name": stream.name,
            "kind": "stream",
            "earliest": log.first,
            "next": log.next,
            "messages": log.count,
            "bytes": log.bytes,
            "published_total": stream.published_total,
            "trimmed_total": stream.trimmed_total,
            "compacted_total": stream.compacted_total,
            "oldest_ms": max(at_ms - log.time_of(log.first), 0) if log.first < log.next else None,
            "settings": stream.settings.to_json(),
            "groups": [self.of(group, at_ms) for _, group in sorted(stream.groups.items())],
        }

    def consumers(self, queue: Queue) -> list[Subscription]:
        return list(self._machine.runtime_of(queue).consumers.values())

    def of_consumer(self, at_ms: int, subscription: Subscription) -> Json:
        return {
            "consumer": subscription.consumer,
            "subscription": subscription.token,
            "client": subscription.client,
            "prefetch": subscription.prefetch,
            "leased": subscription.leases.count,
            "oldest_lease_ms": max((at_ms - held.granted_at for held in subscription.leases), default=None),
            "connected_at": subscription.connected_at,
        }

    def _oldest_ms(self, queue: Queue, at_ms: int) -> int | None:
        floor = max(queue.group.floor, queue.log.first)
        return max(at_ms - queue.log.time_of(floor), 0) if floor < queue.log.next else None
