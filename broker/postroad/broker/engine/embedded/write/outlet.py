"""Where released outputs go: replies, consumers' sinks, watchers."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ....core.format.effect import Deliver, End, Revoke
from ....core.machine import Machine
from ....errors import PostroadError
from ...engine import ConsumerSink
from .bodies import Bodies
from .delivery import batches, by_record, still_held
from .gate import Output, guarded

log = logging.getLogger("postroad.engine")

Unreadable = Callable[[int, int, int, PostroadError], None]


class Outlet:
    """Carries out what the gate lets through. A callback that raises is our bug: it is logged, and all others are served.

    Args:
        unreadable: Called with a subscription and delivery numbers whose bodies cannot be read, and why.
        on_released: Gets the outputs after consumers and callers have got theirs.
    """

    def __init__(
        self, machine: Machine, bodies: Bodies, unreadable: Unreadable, on_released: Callable[[list[Output]], None]
    ) -> None:
        self._machine = machine
        self._bodies = bodies
        self._unreadable = unreadable
        self._on_released = on_released
        self._sinks: dict[int, ConsumerSink] = {}
        self._firsts: dict[int, int] = {}

    def attach(self, subscription: int, sink: ConsumerSink, first: int = 1) -> None:
        """Deliver to this sink, from delivery number ``first`` on: what still waits of before was given back."""
        self._sinks[subscription] = sink
        self._firsts[subscription] = first

    def owns(self, subscription: int, sink: ConsumerSink) -> bool:
        """False once a newer connection has taken the subscription up."""
        return self._sinks.get(subscription) is sink

    def detach(self, subscription: int) -> None:
        self._sinks.pop(subscription, None)
        self._firsts.pop(subscription, None)

    def close(self, error: PostroadError) -> None:
        for sink in list(self._sinks.values()):
            guarded("an end", sink.ended, error)
        self._sinks.clear()

    def release(self, outputs: list[Output]) -> None:
        """What consumers get first, joined to few large batches: at a low pace the way from publish to handler is a tenth shorter
        so, as a socket's write wakes its peer. Then replies, in order; then readers and watchers."""
        grants: dict[int, list[Deliver]] = {}
        for output in outputs:
            for effect in output.effects:
                if isinstance(effect, Deliver):
                    grants.setdefault(effect.subscription, []).append(effect)
                elif isinstance(effect, Revoke | End):
                    guarded("deliveries", self._deliver, effect.subscription, grants.pop(effect.subscription, []))
                    guarded("the end of a lease", self._take_back, effect)
        for subscription, wanted in grants.items():
            try:
                self._deliver(subscription, wanted)
            except Exception:
                log.exception("deliveries could not be given")
        for output in outputs:
            if output.reply is not None:
                try:
                    output.reply()
                except Exception:
                    log.exception("a reply could not be given")
        self._on_released(outputs)

    def _take_back(self, effect: Revoke | End) -> None:
        sink = self._sinks.get(effect.subscription)
        if isinstance(effect, Revoke):
            if sink is not None:
                sink.revoked(effect.numbers, effect.reason)
            return
        self.detach(effect.subscription)
        if sink is not None and effect.error is not None:
            sink.ended(effect.error)

    def _deliver(self, subscription: int, grants: list[Deliver]) -> None:
        sink = self._sinks.get(subscription)
        holder = self._machine.subscriptions.get(subscription)
        if sink is None or holder is None:
            return
        # A grant may have waited for the disk while its lease ended (a resume, a cancel): it must not be handed over any more.
        leases = holder.leases
        grants = [
            part
            for grant in grants
            for part in still_held(grant, leases.within(grant.number, grant.number + grant.count - 1))
        ]
        if not grants:
            return
        if grants[0].number < (first := self._firsts[subscription]):
            grants = [grant for grant in grants if grant.number >= first]
        try:
            made = list(batches(grants, self._bodies))
        except PostroadError as error:
            parts = [part for grant in grants for part in by_record(grant)]
            if len(parts) > 1:  # those of other records are innocent
                for part in parts:
                    self._deliver(subscription, [part])
            else:
                self._unreadable(subscription, grants[0].number, grants[0].number + grants[0].count - 1, error)
            return
        for batch in made:
            try:
                sink.deliver(batch)
            except Exception:
                log.exception("a delivery could not be given")
