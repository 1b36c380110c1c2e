"""The stream machine must turn red when the core is broken on purpose, for every promise it checks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import core_rig
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from postroad.broker.core.durable.compaction import Compaction
from postroad.broker.core.durable.group import Group
from postroad.broker.core.durable.log import Log
from postroad.broker.core.durable.ordering import KeyOrder
from postroad.broker.core.durable.runs import Runs
from postroad.broker.core.durable.stream import Stream
from postroad.broker.core.durable.stream_log import StreamLog
from postroad.broker.core.durable.topic.bindings import Bindings
from postroad.broker.core.format.record import Bind, Record
from postroad.broker.core.rules import compact, declare, operate, publish, retention
from postroad.broker.core.volatile.lease import Lease, Leases
from stream_machine import StreamMachine


def run() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        StreamMachine,
        settings=settings(
            max_examples=600, stateful_step_count=50, deadline=None, database=None, derandomize=True,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
        ),
    )  # fmt: skip


def a_topic_forgets_a_target(patch: pytest.MonkeyPatch) -> None:
    route = Bindings.route

    def shorter(self: Bindings, *given: Any) -> dict[int, list[int] | None]:
        routes = route(self, *given)
        if len(routes) > 2:
            routes.popitem()
        return routes

    patch.setattr(Bindings, "route", shorter)


def a_full_target_is_not_asked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(publish, "_check_room", lambda *_: None)


def a_commit_skips_a_hole(patch: pytest.MonkeyPatch) -> None:
    settle = Group.settle

    def hasty(self: Group, first: int, last: int, log: Log) -> None:
        settle(self, first, last, log)
        if len(self.settled) > 1:
            self.floor = self.settled.first

    patch.setattr(Group, "settle", hasty)


def a_group_starts_anywhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(declare, "offset_of", lambda stream, start: stream.log.first)
    patch.setattr(Group, "start_at", lambda self, sequence, end: self.__init__())


def a_message_is_leased_twice(patch: pytest.MonkeyPatch) -> None:
    take_ready = Group.take_ready

    def generous(self: Group, count: int) -> tuple[int, int, int] | None:
        ready = take_ready(self, count)
        if ready is None:
            return None
        first, last, priority = ready
        if last > first:
            self.add_ready(last, last, priority)
        return first, last, priority

    patch.setattr(Group, "take_ready", generous)


def keys_are_not_ordered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(KeyOrder, "may_go", lambda self, key, sequence: True)


def a_retry_lets_go_of_its_key(patch: pytest.MonkeyPatch) -> None:
    put_back = Group.put_back

    def forgetful(self: Group, *given: Any) -> None:
        put_back(self, *given)
        self.order.held.clear()

    patch.setattr(Group, "put_back", forgetful)


def a_dead_letter_keeps_its_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(KeyOrder, "settled", lambda self, key, sequence: None)


def discarding_wakes_nobody(patch: pytest.MonkeyPatch) -> None:
    discard = operate.discard

    def quiet(machine: Any, command: Any) -> int:
        patch.setattr(operate, "dispatch", lambda *_: None)
        try:
            return discard(machine, command)
        finally:
            patch.setattr(operate, "dispatch", dispatch)

    from postroad.broker.core import machine as module

    dispatch = operate.dispatch
    patch.setitem(module.HANDLERS, core_rig.c.Discard, quiet)


def holders_of_trimmed_messages_are_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(retention, "_revoke_before", lambda *_: None)


def what_is_trimmed_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    trim = Stream.trim

    def silent(self: Stream, first: int) -> list[int]:
        before = {name: group.totals["trimmed"] for name, group in self.groups.items()}
        freed = trim(self, first)
        for name, group in self.groups.items():
            group.totals["trimmed"] = before[name]
        return freed

    patch.setattr(Stream, "trim", silent)


def half_a_frame_is_trimmed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(StreamLog, "boundary", lambda self, sequence: min(sequence, self.next))


def trimmed_records_are_let_go_twice(patch: pytest.MonkeyPatch) -> None:
    trim = StreamLog.trim
    patch.setattr(StreamLog, "trim", lambda self, first: trim(self, first) * 2)


def a_reset_leaves_leases(patch: pytest.MonkeyPatch) -> None:
    def keep(self: Leases) -> list[Lease]:
        return []

    patch.setattr(Leases, "clear", keep)


def a_reset_remembers_attempts(patch: pytest.MonkeyPatch) -> None:
    start_at = Group.start_at

    def mindful(self: Group, sequence: int, end: int) -> None:
        attempts = self.attempts
        start_at(self, sequence, end)
        self.attempts = {s: count for s, count in attempts.items() if s >= sequence}

    patch.setattr(Group, "start_at", mindful)


def a_redriven_message_is_not_reopened(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Group, "reopen", lambda self, sequence: None)


def a_redrive_takes_what_is_still_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(operate, "_offset", lambda group, position, index: group.log.find(position, index))


def replaying_forgets_filters(patch: pytest.MonkeyPatch) -> None:
    decode = core_rig.decode

    def forgetful(header: bytes) -> Record:
        record = decode(header)
        return replace(record, headers=[]) if isinstance(record, Bind) else record

    patch.setattr(core_rig, "decode", forgetful)


def the_newest_of_a_key_goes(patch: pytest.MonkeyPatch) -> None:
    arrive = Compaction.arrive

    def hasty(self: Compaction, first: int, record: Any, only: Any) -> None:
        arrive(self, first, record, only)
        if self.superseded and (newest := max(self.newest.values())) not in self.superseded:
            self.superseded.add(newest, newest)

    patch.setattr(Compaction, "arrive", hasty)


def compaction_takes_what_is_held(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compact, "_held", lambda machine, stream: Runs())


def compaction_sleeps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compact, "watch", lambda *_, **__: None)
    patch.setattr(retention, "watch", lambda *_, **__: None)


def packing_loses_keys(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(StreamLog, "_keys_of", lambda self, at, first, count: [0] * count)


def split_entries_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    pack = StreamLog.pack

    def silent(self: StreamLog) -> list[int]:
        pack(self)
        return []

    patch.setattr(StreamLog, "pack", silent)


def a_later_group_forgets_when_messages_expire(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Stream, "begin", lambda self, group, start: group.group.start_at(start, self.log))


SABOTAGES = [
    a_topic_forgets_a_target, a_full_target_is_not_asked, a_commit_skips_a_hole, a_group_starts_anywhere,
    a_message_is_leased_twice, keys_are_not_ordered, a_retry_lets_go_of_its_key, a_dead_letter_keeps_its_key,
    discarding_wakes_nobody, holders_of_trimmed_messages_are_not_told, what_is_trimmed_is_not_counted,
    half_a_frame_is_trimmed, trimmed_records_are_let_go_twice, a_reset_leaves_leases, a_reset_remembers_attempts,
    a_redriven_message_is_not_reopened, a_redrive_takes_what_is_still_open, replaying_forgets_filters,
    the_newest_of_a_key_goes, compaction_takes_what_is_held, compaction_sleeps, packing_loses_keys,
    split_entries_are_not_counted, a_later_group_forgets_when_messages_expire,
]  # fmt: skip


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.__name__)
def test_the_machine_turns_red(sabotage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch)

    with pytest.raises(AssertionError):
        run()
