"""A message as JSON: the *message* object of docs/protocol.md §6."""

from __future__ import annotations

from ....core.format.record import Publish
from ....core.format.story import Story
from ....core.machine import Machine
from ....users_json import fragment
from ...engine import Json


def message_json(id: str, publish: Publish, index: int, stories: list[Story], machine: Machine) -> Json:
    """The *message* object of docs/protocol.md §6, without body, headers and key.

    Its state is that of the first placement; with more than one, ``placements`` has them all.
    """
    placements = [_placement_json(story, machine) for story in stories]
    first = placements[0] if placements else _unplaced_json(publish, index, machine)
    found = {
        "id": id,
        "type": publish.attribute("type", "types", index) or "json",
        "size": publish.sizes[index],
        "published_at": publish.at,
        "priority": publish.attribute("priority", "priorities", index) or 0,
    } | first
    if publish.topic is not None:
        found["topic"] = publish.topic
    if len(placements) > 1:
        found["placements"] = placements
    return found


def _placement_json(story: Story, machine: Machine) -> Json:
    state = machine.state
    queue = state.logs.get(story.log)
    attempts_max = queue.settings.attempts_max if queue else None
    if story.dead_in is not None and queue and queue.dead_letter_of in state.queues:
        attempts_max = state.queues[queue.dead_letter_of].settings.attempts_max
    return {
        "queue": state.names.get(story.log),
        "sequence": story.sequence,
        "state": story.state,
        "attempts": story.attempts,
        "attempts_max": attempts_max,
        "due": story.due,
        "reason": story.reason,
        "consumer": story.consumer,
        "progress": story.progress,
        "result": fragment(story.result) if story.result is not None else None,
        "timeline": [_named(entry, machine) for entry in story.timeline],
    }


def _named(entry: Json, machine: Machine) -> Json:
    """A timeline entry with the queue's name instead of its number."""
    if "log" not in entry:
        return entry
    return {name: value for name, value in entry.items() if name != "log"} | {
        "queue": machine.state.names.get(entry["log"])
    }


def _unplaced_json(publish: Publish, index: int, machine: Machine) -> Json:
    """A message of a stream without groups, or one that no binding wanted."""
    where = publish.sequences_of(index)
    name = machine.state.names.get(where[0][0]) if where else None
    timeline = [{"at": publish.at, "kind": "published"}]
    state = "kept" if where else "unrouted"
    return {
        "queue": name,
        "sequence": where[0][1] if where else None,
        "state": state,
        "timeline": timeline,
    } | dict.fromkeys(("attempts", "attempts_max", "due", "reason", "consumer", "progress", "result"))
