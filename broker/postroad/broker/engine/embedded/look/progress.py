"""The last progress of each message that someone works on, for whoever asks or watches later. Bounded by what is leased."""

from __future__ import annotations

from ....core.format.effect import Deliver, Effect, Progressed, Returned
from ....core.format.record import Move, Record, Return, Settle

Progress = tuple[int, int | None, str | None]
"""``(at, percent, note)``."""


class ProgressBoard:
    """Fed with what the gate has released; costs nothing while nobody reports progress."""

    def __init__(self) -> None:
        self._latest: dict[int, dict[int, Progress]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._latest.values()))

    def of(self, log: int, sequence: int) -> Progress | None:
        return self._latest.get(log, {}).get(sequence)

    def on_durable(self, records: list[tuple[int, Record]], effects: list[Effect], at_ms: int) -> None:
        if self._latest:
            for _, record in records:
                self._end_of_record(record)
        for effect in effects:
            if isinstance(effect, Progressed):
                self._latest.setdefault(effect.log, {})[effect.sequence] = (at_ms, effect.percent, effect.note)
            elif self._latest and isinstance(effect, Returned):
                self._end(effect.log, effect.first, effect.last)
            elif self._latest and isinstance(effect, Deliver):
                self._end(effect.log, effect.sequence, effect.sequence + effect.count - 1)

    def _end_of_record(self, record: Record) -> None:
        match record:
            case Settle():
                for first, last, _ in record.runs:
                    self._end(record.log, first, last)
            case Return():
                for sequence, *_ in record.entries:
                    self._end(record.log, sequence, sequence)
            case Move():
                for entry in record.entries:
                    self._end(record.origin, entry[4], entry[4])

    def _end(self, log: int, first: int, last: int) -> None:
        latest = self._latest.get(log)
        if not latest:
            return
        ended = [s for s in latest if first <= s <= last] if last - first > len(latest) else range(first, last + 1)
        for sequence in ended:
            latest.pop(sequence, None)
        if not latest:
            del self._latest[log]
