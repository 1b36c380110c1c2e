"""The stream machine must turn red when the core is broken on purpose, for every promise it checks.

Each sabotage has a scenario that meets it; the sound core passes it. Worker 1 and 2 consume from group a, with room for two and for
three messages, and worker 3 from group b, with room for four.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import core_rig
import pytest
from played import Played, play
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
        for first, last, count in attempts.starting(sequence):
            self.attempts.add(first, last, count)

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


PLAIN = [(None, {})]
FOUR = PLAIN * 4
KEYED = [("k", {})]


def a_topic_has_three_targets(machine: Played) -> None:
    machine.begin(None, False)
    machine.bind("t.x", "small", None, 1)
    machine.publish("t.x", PLAIN)


def a_target_is_full(machine: Played) -> None:
    machine.begin(None, False)
    machine.bind("t.x", "small", None, 1)
    machine.publish("t.x", FOUR)
    machine.publish("t.x", PLAIN)


def two_acks_leave_holes(machine: Played) -> None:
    """Worker 3 holds all four, and acks the second and the last."""
    machine.begin(None, False)
    machine.append(FOUR)
    machine.ack([5, 7])


def a_group_comes_later(machine: Played) -> None:
    machine.begin(None, False)
    machine.append(FOUR)
    machine.third_group_comes_or_goes(("offset", 2))


def a_frame_is_delivered(machine: Played) -> None:
    machine.begin(None, False)
    machine.append(FOUR)


def two_of_a_key_come(machine: Played) -> None:
    machine.begin(None, False)
    machine.append(KEYED * 2)


def another_comes_behind_a_retry(machine: Played) -> None:
    machine.begin(None, False)
    machine.append(KEYED)
    machine.nack([0], 500, 1)
    machine.append(KEYED)


def the_first_of_a_key_is_dead(machine: Played) -> None:
    machine.begin(None, False)
    machine.append(KEYED * 2)
    machine.nack([0], None, 0)


def a_retry_that_holds_its_key_is_discarded(machine: Played) -> None:
    machine.begin(None, False)
    machine.append(KEYED * 2)
    machine.nack([0], 500, 1)
    machine.discard("s/a", [0])


def what_is_held_is_trimmed(machine: Played) -> None:
    """Six are kept: the first frame goes when the third comes."""
    machine.begin(6, False)
    for _ in range(3):
        machine.append(FOUR)


def a_group_is_reset(machine: Played) -> None:
    machine.begin(None, False)
    machine.append(FOUR)
    machine.reset("s/a", "earliest")


def a_group_is_reset_after_a_nack(machine: Played) -> None:
    machine.begin(None, False)
    machine.append(FOUR)
    machine.nack([0], 500, 1)
    machine.reset("s/a", "earliest")


def a_dead_letter_comes_back(machine: Played) -> None:
    machine.begin(None, False)
    machine.append(FOUR)
    machine.nack([0], None, 0)
    machine.redrive(1, None)


def a_dead_letter_is_open_again(machine: Played) -> None:
    """It died, and then the group began again before it."""
    machine.begin(None, False)
    machine.append(FOUR)
    machine.nack([0], None, 0)
    machine.reset("s/a", "earliest")
    machine.redrive(1, None)


def a_binding_has_a_filter(machine: Played) -> None:
    machine.begin(None, False)
    machine.bind("t.*", "q", {"values": {"r": "1"}}, 1)


def a_key_is_superseded(machine: Played) -> None:
    """All is acked, then compaction looks."""
    machine.begin(None, True)
    machine.append(KEYED * 2)
    for worker in (1, 2, 3, 1, 2, 3):
        machine.ack_all(worker)
    machine.wait(100)
    machine.wait(2500)


def what_is_held_is_superseded(machine: Played) -> None:
    """Group b still holds it when compaction looks."""
    machine.begin(None, True)
    machine.append(KEYED * 2)
    machine.wait(2500)


def an_entry_is_split(machine: Played) -> None:
    """Of one frame the first and the last stay, and so much between them goes that the log is packed."""
    machine.begin(None, True)
    machine.append([("l", {}), *KEYED * 12])
    machine.wait(2500)


def a_group_comes_before_an_expiry(machine: Played) -> None:
    machine.begin(None, False)
    machine.append_what_expires([400])
    machine.third_group_comes_or_goes("earliest")
    machine.wait(600)
    machine.consume("s/c", 1)


SABOTAGES = [
    (a_topic_forgets_a_target, a_topic_has_three_targets),
    (a_full_target_is_not_asked, a_target_is_full),
    (a_commit_skips_a_hole, two_acks_leave_holes),
    (a_group_starts_anywhere, a_group_comes_later),
    (a_message_is_leased_twice, a_frame_is_delivered),
    (keys_are_not_ordered, two_of_a_key_come),
    (a_retry_lets_go_of_its_key, another_comes_behind_a_retry),
    (a_dead_letter_keeps_its_key, the_first_of_a_key_is_dead),
    (discarding_wakes_nobody, a_retry_that_holds_its_key_is_discarded),
    (holders_of_trimmed_messages_are_not_told, what_is_held_is_trimmed),
    (what_is_trimmed_is_not_counted, what_is_held_is_trimmed),
    (half_a_frame_is_trimmed, what_is_held_is_trimmed),
    (trimmed_records_are_let_go_twice, what_is_held_is_trimmed),
    (a_reset_leaves_leases, a_group_is_reset),
    (a_reset_remembers_attempts, a_group_is_reset_after_a_nack),
    (a_redriven_message_is_not_reopened, a_dead_letter_comes_back),
    (a_redrive_takes_what_is_still_open, a_dead_letter_is_open_again),
    (replaying_forgets_filters, a_binding_has_a_filter),
    (the_newest_of_a_key_goes, a_key_is_superseded),
    (compaction_takes_what_is_held, what_is_held_is_superseded),
    (compaction_sleeps, a_key_is_superseded),
    (packing_loses_keys, an_entry_is_split),
    (split_entries_are_not_counted, an_entry_is_split),
    (a_later_group_forgets_when_messages_expire, a_group_comes_before_an_expiry),
]


@pytest.mark.parametrize(("sabotage", "scenario"), SABOTAGES, ids=lambda given: given.__name__)
def test_the_machine_turns_red(sabotage: Any, scenario: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    play(StreamMachine(), scenario)

    sabotage(monkeypatch)

    with pytest.raises(AssertionError):
        play(StreamMachine(), scenario)
