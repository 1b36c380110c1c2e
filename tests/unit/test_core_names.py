"""Names of what was deleted: some are kept, not all."""

from __future__ import annotations

import pytest
from core_rig import Core
from postroad.broker.core.durable import names
from postroad.broker.core.durable.names import Names
from postroad.broker.core.format import command as c
from postroad.broker.core.format.event import event_of


def test_the_names_deleted_last_are_kept_and_an_older_one_is_told_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(names, "FORMER_MAX", 2)
    core = Core()
    for name in ("a", "b", "c"):
        core.declare(name)
        core.publish(1, name)
        core.run(c.Delete(queue=name))
    core.declare("alive")

    core.restart(from_snapshot=True)

    assert list(core.machine.state.names.values()) == ["b", "c", "alive"]
    published = next(record for record in core.records if type(record).__name__ == "Publish")
    event = event_of(published, 3, core.machine.state.names, str)
    assert event is not None and event["queue"] == "(deleted 1)"


def test_a_name_that_never_was_is_not_made_up() -> None:
    assert Names([(1, "a")]).get(2) is None


def test_what_a_deleted_queue_needed_is_let_go_a_part_at_a_time() -> None:
    core = Core()
    core.declare()
    for _ in range(30):
        core.publish(1, size=5)
    core.run(c.Delete(queue="q"))
    state = core.machine.state

    parts = []
    while part := state.take_dropped(7):
        parts.append(len(part))

    assert parts == [7, 7, 7, 7, 2]
    assert not state.dropping
