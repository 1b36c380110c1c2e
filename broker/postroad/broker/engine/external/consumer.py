"""A consumer of this gateway: its delivery numbers and leases.

Leases are kept here, not in the engine: a deadline each, an extension costs nothing. The engine only knows that a message is this
gateway's, and gets it back when the gateway dies; so a message is never in two hands, and a settle that comes after a number ended finds
no lease and loses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...core.durable.runs import Runs
from ...errors import PostroadError, Unsupported
from ...limits import LIMITS
from ..bounds import check_settle
from ..engine import ConsumerSink, ConsumeSpec, Done, Nack, Ranges, SettleBatch, Settled
from ..message_logs import LINES_MAX, by_number
from .able import refusal
from .backend import Received, Send
from .envelope import ranges_of, to_batch
from .pending import Pending

if TYPE_CHECKING:
    from .source import Source

RESUME_S = 0.5
"""How long leases outlive their connection."""

BATCH_BYTES = 112 * 1024
SETTLED_RUNS_KEPT = 4096


class ExternalSubscription:
    """See ``engine.Subscription``.

    Attributes:
        leases: Delivery number → message.
        is_silent: It reports what has begun, and let a lease run out: it gets nothing more until it says something.
    """

    def __init__(self, source: Source, token: str, spec: ConsumeSpec, sink: ConsumerSink, lease_ms: int) -> None:
        self.token = token
        self.lease_ms = lease_ms
        self.position = source.host.position
        self.lost: list[tuple[int, int]] = []
        self.consumer = spec.consumer
        self.client = spec.client
        self.connected_at = source.host.now()
        self.most = spec.prefetch
        self.leases: dict[int, Received] = {}
        self.served = 0
        self.sink = sink
        self.source = source
        self.ended = False
        self.is_silent = False
        self._deadlines: dict[int, int] = {}
        self._granted: dict[int, int] = {}
        self._next = 1
        self._begun = 0
        self._reports_begun = spec.reports_begun
        self._settled = Runs()
        self._stalled = False
        self._detached: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_detached(self) -> bool:
        return self._detached is not None

    @property
    def capacity(self) -> int:
        return 0 if self.ended or self.is_detached or self._stalled or self.is_silent else self.most

    @property
    def room(self) -> int:
        return max(self.capacity - len(self.leases), 0)

    def oldest_lease_ms(self, now: int) -> int | None:
        return max((now - at for at in self._granted.values()), default=None)

    # Delivering

    def grant(self, messages: list[Received], now: int) -> None:
        deadline = now + self.lease_ms
        first = self._next
        self._next += len(messages)
        numbers = range(first, self._next)
        self.leases.update(zip(numbers, messages, strict=True))
        self._deadlines.update(dict.fromkeys(numbers, deadline))
        self._granted.update(dict.fromkeys(numbers, now))
        self._arm(deadline, now)
        at = 0
        while at < len(messages):
            end, size = at, 0
            while end < len(messages) and (end == at or size + len(messages[end].body) <= BATCH_BYTES):
                size += len(messages[end].body)
                end += 1
            self.sink.deliver(to_batch(first + at, messages[at:end]))
            at = end

    def _arm(self, deadline: int, now: int) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(max(deadline - now, 1) / 1000, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self.source.host.now()
        over = [number for number, deadline in self._deadlines.items() if deadline <= now]
        if over:
            tried = self._tried
            self.is_silent = self._reports_begun
            failed = self.take([number for number in over if number <= tried])
            if failed:
                self.source.fail(self, failed, None, "lease expired")
            self.source.release(self.take(over), self.consumer)
        if self._deadlines:
            self._arm(min(self._deadlines.values()), now)

    @property
    def _tried(self) -> int:
        """The highest delivery number that counts an attempt when leases end now: as ``core/volatile/subscription.py`` says."""
        if not self._reports_begun and not self._begun:
            return self._next
        return max(self._begun, min(self.leases, default=0))

    def _note_begun(self, number: int) -> None:
        number = min(number, self._next - 1)
        self._begun = number if self._reports_begun else max(self._begun, number)

    def take(self, numbers: Iterable[int]) -> list[Received]:
        """End these leases; returns their messages."""
        taken = []
        for number in numbers:
            message = self.leases.pop(number, None)
            if message is not None:
                del self._deadlines[number], self._granted[number]
                taken.append(message)
        return taken

    # What the client says

    def _speaks(self) -> None:
        if self.is_silent:
            self.is_silent = False
            self.source.changed()

    def prefetch(self, count: int) -> None:
        self.is_silent = False
        self.most = count
        self.source.changed()

    def pause(self) -> None:
        self._stalled = True

    def resume(self) -> None:
        self._stalled = False
        self.source.changed()

    def settle(self, batch: SettleBatch, done: Done[Settled]) -> None:
        source = self.source
        try:
            check_settle(batch, LIMITS)
        except PostroadError as error:
            done(error)
            return
        publishes = [publish for completion in batch.completions for publish in completion.publishes]
        if publishes and source.host.make_then(
            publishes, lambda error: done(error) if error else self.settle(batch, done)
        ):
            return
        try:
            sends = self._completions(batch)
        except PostroadError as error:
            done(error)
            return
        self._speaks()
        if batch.begun is not None:
            self._note_begun(batch.begun)
        for number, said in by_number(batch.log).items():  # first: what a handler says last comes with its ack
            if (held := self.leases.get(number)) is not None:
                lines = [[line.level, line.text] for line in said[-LINES_MAX:]]
                source.tell("logged", i=ranges_of([held]), c=self.consumer, a=held.attempts + 1, lines=lines)
        pending = Pending(self.consumer, done)
        for first, last in batch.acks:
            for message in self._settling(first, last, pending):
                pending.ack(message)
        for completion, further in zip(batch.completions, sends, strict=True):
            for message in self._settling(completion.number, completion.number, pending):
                pending.complete(message, completion.result, further)
        for nack in batch.nacks:
            self._nack(nack, pending)
        for first, last in batch.releases:
            numbers, _ = self._held(first, last, pending)
            pending.release(self.take(numbers))
        self._extend(batch, pending)
        for progress in batch.progress:
            if (held := self.leases.get(progress.number)) is not None:
                source.tell(
                    "progress", i=ranges_of([held]), c=self.consumer, percent=progress.percent, note=progress.note
                )
        source.settle(pending)
        if self.ended and not self.leases:
            source.host.forget(self)

    def _completions(self, batch: SettleBatch) -> list[list[Send]]:
        """Raises: Unsupported; what refuses one of the publishes."""
        host = self.source.host
        if any(done.result is not None for done in batch.completions) and host.capabilities.results == "unsupported":
            raise refusal(host.backend, "results")
        if any(done.publishes for done in batch.completions) and host.capabilities.atomic_ack_publish == "unsupported":
            raise refusal(host.backend, "atomic_ack_publish")
        if any(done.others for done in batch.completions):
            raise Unsupported("This engine settles each message for itself; a batch cannot be done as one.")
        return [[host.prepare(publish) for publish in done.publishes] for done in batch.completions]

    def _held(self, first: int, last: int, pending: Pending) -> tuple[list[int], int]:
        """Numbers of a range that are leased; the others are noted as settled or lost."""
        held = [number for number in range(max(first, 1), min(last, self._next - 1) + 1) if number in self.leases]
        if len(held) != last - first + 1:
            gone = Runs([(first, last)])
            for number in held:
                gone.remove(number, number)
            for start, end in gone:
                pending.numbers_gone(start, end, self._settled.within(start, end))
        return held, len(held)

    def _settling(self, first: int, last: int, pending: Pending) -> list[Received]:
        numbers, _ = self._held(first, last, pending)
        self._note_settled(numbers)
        messages = self.take(numbers)
        pending.note(numbers, messages)
        return messages

    def _note_settled(self, numbers: list[int]) -> None:
        at = 0
        while at < len(numbers):
            end = at
            while end + 1 < len(numbers) and numbers[end + 1] == numbers[end] + 1:
                end += 1
            self._settled.add(numbers[at], numbers[end])
            at = end + 1
        while len(self._settled) > SETTLED_RUNS_KEPT:
            self._settled.take(1 << 62)

    def _nack(self, nack: Nack, pending: Pending) -> None:
        messages = self._settling(nack.first, nack.last, pending)
        self.source.add_failed(pending, messages, nack.delay_ms, nack.reason or "nack", dead=nack.dead)

    def _extend(self, batch: SettleBatch, pending: Pending) -> None:
        if not batch.extends:
            return
        deadline = self.source.host.now() + (batch.lease_ms or self.lease_ms)
        for first, last in batch.extends:
            numbers, _ = self._held(first, last, pending)
            self._deadlines.update(dict.fromkeys(numbers, deadline))

    # Going and coming back

    def cancel(self) -> None:
        if self.ended:
            return
        self.ended = True
        self.source.leave(self)
        self.source.release(self.take([number for number in self.leases if number > self._begun]), self.consumer)
        if not self.leases:
            self.source.host.forget(self)

    def detach(self) -> None:
        if self._detached is None and not self.ended:
            self._detached = asyncio.get_running_loop().call_later(RESUME_S, self._end_detached)
            self.source.changed()

    def _end_detached(self) -> None:
        self.ended = True
        self.source.leave(self)
        self._give_back(self._tried)
        self.source.host.forget(self)

    def _give_back(self, tried: int) -> None:
        begun = self.take([number for number in self.leases if number <= tried])
        if begun:
            self.source.fail(self, begun, 0, "connection lost")
        self.source.release(self.take(list(self.leases)), self.consumer)

    def come_back(self, spec: ConsumeSpec, sink: ConsumerSink) -> None:
        """The client is back in time: what it holds stays leased, what never reached it goes back."""
        if self._detached is not None:
            self._detached.cancel()
            self._detached = None
        self.sink, self.most, self.client, self._stalled, self.is_silent = (
            sink,
            spec.prefetch,
            spec.client,
            False,
            False,
        )
        self._reports_begun = spec.reports_begun
        self.lost, self.position = [], self.source.host.position
        kept: dict[int, Received] = {}
        for number, count, _ in spec.held:
            for at in range(number, number + min(count, self._next)):
                message = self.leases.pop(at, None)
                if message is None:
                    self.lost.append((at, at))
                else:
                    kept[at] = message
        self._note_begun(spec.begun)
        self._give_back(self._begun)
        now = self.source.host.now()
        self.leases = kept
        self._deadlines = dict.fromkeys(kept, now + self.lease_ms)
        self._granted = {number: self._granted.get(number, now) for number in kept}
        if kept:
            self._arm(now + self.lease_ms, now)
        self.source.changed()

    def begin_after(self, spec: ConsumeSpec) -> None:
        """A subscription this gateway knows nothing of: all it holds is lost, and numbers go on from above."""
        for number, count, _ in spec.held:
            self.lost.append((number, number + count - 1))
            self._next = max(self._next, number + count)
        self._begun = min(spec.begun, self._next - 1)

    def revoke(self, messages: list[Received] | None, reason: str) -> None:
        """These leases (None: all) have ended, and the engine has the messages."""
        wanted = None if messages is None else {id(message) for message in messages}
        numbers = [number for number, held in self.leases.items() if wanted is None or id(held) in wanted]
        self.take(numbers)
        if numbers:
            self.sink.revoked(_joined(numbers), reason)

    def end(self, error: PostroadError) -> None:
        self.ended = True
        for timer in (self._timer, self._detached):
            if timer is not None:
                timer.cancel()
        self.leases.clear()
        self._deadlines.clear()
        self._granted.clear()
        self.sink.ended(error)


def _joined(numbers: list[int]) -> Ranges:
    runs = Runs()
    for number in sorted(numbers):
        runs.add(number, number)
    return list(runs)
