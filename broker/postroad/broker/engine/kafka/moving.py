"""From queue to queue: to the dead, and back. Each message says where it comes from, so that a move done again moves nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from ..external import Bury, Moved, Received
from .group import GroupLog
from .log import Log
from .looking import dead_of
from .record import INDEX_BITS

if TYPE_CHECKING:
    from .backend import KafkaBackend


async def bury(backend: KafkaBackend, source: Log, dead: Sequence[Bury]) -> None:
    """Write the dead to where they go; they are still to be settled in ``source``."""
    by_target: dict[str, list[Bury]] = {}
    for item in dead:
        by_target.setdefault(item.target, []).append(item)
    for target, items in by_target.items():
        meta = {"t": items[0].info["at"], "i": ""}
        meta["o"] = [[source.topic, item.message.sequence, item.info["at"]] for item in items]
        headers = [
            orjson.dumps({**item.message.header, "z": {**item.info, "s": item.message.sequence}}) for item in items
        ]
        queue = await backend.log_of(target)
        await queue.post(meta, headers, [item.message.body for item in items])


async def redrive(backend: KafkaBackend, source: Log, sequences: list[int] | None, most: int) -> list[Moved]:
    moved: list[Moved] = []
    by_target: dict[str, list[Received]] = {}
    chosen = dead_of(await source.caught_up(), sequences)
    for message in await source.received(list(islice(chosen, most))):
        of = message.header.get("z", {}).get("of")
        if of in backend.definitions.found:
            by_target.setdefault(of, []).append(message)
    for target, messages in by_target.items():
        firsts = await _move(await backend.log_of(target), source, messages)
        moved += [Moved(header=m.header, target=target, sequence=at) for m, at in zip(messages, firsts, strict=True)]
        await source.ask("remove", seqs=[message.sequence for message in messages])
    return moved


async def _move(target: Log, source: Log, messages: list[Received]) -> list[int]:
    """Returns their sequences there."""
    if isinstance(target, GroupLog):
        back = [int(message.header["z"]["s"]) for message in messages]
        await target.ask("back", seqs=back)
        return back
    headers = [{name: value for name, value in message.header.items() if name != "z"} for message in messages]
    meta: dict[str, Any] = {"t": target.now(), "i": "", "o": [[source.topic, m.sequence, 0] for m in messages]}
    for name in ("k", "p"):
        if any(header.get(name) for header in headers):
            meta[name] = [header.get(name) for header in headers]
    _, offset = await target.post(meta, [orjson.dumps(header) for header in headers], [m.body for m in messages])
    first = offset << INDEX_BITS
    return list(range(first, first + len(messages)))
