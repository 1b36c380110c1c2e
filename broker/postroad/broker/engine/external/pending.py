"""One settle call on its way to the engine: what is to be done, what to tell when it is, what to answer."""

from __future__ import annotations

from typing import Any

import orjson

from ...core.durable.runs import Runs
from ...errors import PostroadError
from ...users_json import stays_when_parsed
from ..engine import Done, Json, Settled
from .backend import Bury, Received, Return, Send, Verdicts
from .envelope import id_of, ranges_of


class Pending:
    """Attributes:
    verdicts: For the engine.
    """

    def __init__(self, consumer: str | None, done: Done[Settled] | None) -> None:
        self.consumer = consumer
        self.verdicts = Verdicts()
        self._done = done
        self._numbers: dict[int, int] = {}
        self._lost: list[tuple[int, int]] = []
        self._settled: list[tuple[int, int]] = []
        self._results: dict[str, Any] = {}
        self._raw_results: dict[str, str] = {}
        self._expired: list[Received] = []
        self._dropped: list[tuple[Received, int, str]] = []

    @property
    def is_empty(self) -> bool:
        v = self.verdicts
        return not (v.acks or v.releases or v.returns or v.dead or v.completions)

    @property
    def messages(self) -> list[Received]:
        v = self.verdicts
        moved = [*(back.message for back in v.returns), *(bury.message for bury in v.dead)]
        return [*v.acks, *v.releases, *moved, *(message for message, _ in v.completions)]

    def note(self, numbers: list[int], messages: list[Received]) -> None:
        for number, message in zip(numbers, messages, strict=True):
            self._numbers[id(message)] = number

    def numbers_gone(self, first: int, last: int, settled: list[tuple[int, int]]) -> None:
        self._settled += settled
        lost = Runs([(first, last)])
        for start, end in settled:
            lost.remove(start, end)
        self._lost += list(lost)

    def ack(self, message: Received) -> None:
        self.verdicts.acks.append(message)

    def complete(self, message: Received, result: bytes | None, publishes: list[Send]) -> None:
        if result is not None:
            if stays_when_parsed(result):
                self._results[id_of(message)] = orjson.loads(result)
            else:  # told as text, so that whoever reads the record does not change it
                self._raw_results[id_of(message)] = result.decode()
        if publishes:
            self.verdicts.completions.append((message, publishes))
        else:
            self.verdicts.acks.append(message)

    def expire(self, message: Received) -> None:
        self._expired.append(message)
        self.verdicts.acks.append(message)

    def drop(self, message: Received, attempts: int, reason: str) -> None:
        self._dropped.append((message, attempts, reason))
        self.verdicts.acks.append(message)

    def release(self, messages: list[Received]) -> None:
        self.verdicts.releases += messages

    def records(self, lost: list[Received]) -> list[Json]:
        """What to tell of it, now that it is done."""
        gone = {id(message) for message in lost}
        told: list[Json] = []
        v = self.verdicts
        others = {id(message) for message in self._expired} | {id(message) for message, _, _ in self._dropped}

        def tell(kind: str, messages: list[Received], **more: Any) -> None:
            if messages:
                told.append({"k": kind, "n": len(messages), "i": ranges_of(messages), "c": self.consumer, **more})

        acked = [m for m in (*v.acks, *(m for m, _ in v.completions)) if id(m) not in gone and id(m) not in others]
        results = (("results", self._results), ("raw_results", self._raw_results))
        tell("acked", acked, **{name: values for name, values in results if values})
        tell("expired", [m for m in self._expired if id(m) not in gone])
        tell("returned", [m for m in v.releases if id(m) not in gone])
        for back, group in _alike([b for b in v.returns if id(b.message) not in gone]):
            more = {"due": back.due} if back.due else {}
            tell("retrying", group, attempt=back.attempts, reason=back.reason, **more)
        for bury in v.dead:
            if id(bury.message) not in gone:
                tell("dead", [bury.message], attempt=bury.info["attempts"], reason=bury.info["reason"], to=bury.target)
        for message, attempts, reason in self._dropped:
            if id(message) not in gone:
                tell("dead", [message], attempt=attempts, reason=reason)
        return told

    def answer(self, lost: list[Received], position: int) -> None:
        if self._done is None:
            return
        runs = Runs()
        for number in sorted(self._numbers[id(message)] for message in lost if id(message) in self._numbers):
            runs.add(number, number)
        self._done(Settled(position=position, lost=[*self._lost, *runs], settled=self._settled))

    def refuse(self, error: PostroadError) -> None:
        if self._done is not None:
            done, self._done = self._done, None
            done(error)

    def bury(self, message: Received, target: str, info: Json) -> None:
        self.verdicts.dead.append(Bury(message=message, target=target, info=info))

    def back(self, message: Received, attempts: int, due: int, reason: str) -> None:
        self.verdicts.returns.append(Return(message=message, attempts=attempts, due=due, reason=reason))


def _alike(returns: list[Return]) -> list[tuple[Return, list[Received]]]:
    """Returns grouped by attempt and due: each group is one event."""
    groups: dict[tuple[int, int, str | None], tuple[Return, list[Received]]] = {}
    for back in returns:
        groups.setdefault((back.attempts, back.due, back.reason), (back, []))[1].append(back.message)
    return list(groups.values())
