"""``postroad publish``, ``consume``, ``tail``, ``queues`` and ``redrive``."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from postroad.broker.users_json import fragment, is_json

from .failure import CommandFailed, ExitCode
from .remote import Conversation, Remote, path
from .show import dumped, shown, table

Print = Callable[[str], None]
BATCH = 500
BATCH_BYTES = 1024 * 1024
_COLUMNS = {
    "name": "name", "ready": "ready", "parked": "parked", "delayed": "delayed", "retrying": "retrying",
    "leased": "leased", "consumers": "consumers", "paused": "paused", "published_total": "published",
    "acked_total": "acked", "dead_total": "dead",
}  # fmt: skip


def inline_body(data: bytes, kind: str | None) -> dict[str, Any]:
    """``type`` and ``body`` of a text frame; without a type, JSON if it is, else text, else bytes.

    Raises:
        CommandFailed: the body is not of the type asked for.
    """
    if kind in (None, "json"):
        if is_json(data):
            return {"body": fragment(data)}
        if kind == "json":
            raise CommandFailed("The body is not JSON; give --type text or --type bytes.", ExitCode.USAGE)
    if kind in (None, "text"):
        try:
            return {"type": "text", "body": data.decode()}
        except UnicodeDecodeError:
            if kind == "text":
                raise CommandFailed("The body is not UTF-8; give --type bytes.", ExitCode.USAGE) from None
    return {"type": "bytes", "body": b64encode(data).decode()}


def publish(
    remote: Remote, target: str, messages: Iterator[dict[str, Any]], out: Print, *, kind: str = "queue",
    mandatory: bool = False, as_json: bool = False,
) -> None:  # fmt: skip
    """Publish all, in batches; tell the ids (one line a message) or, with ``as_json``, the answers."""
    total = 0
    frame = {"mandatory": True} if mandatory else {}
    for batch in _batches(messages):
        answer = remote.ask("POST", path(f"/v1/{kind}s", target, "messages"), {"messages": batch, **frame})
        total += len(answer["ids"])
        out(dumped(answer) if as_json else "\n".join(answer["ids"]))
    if not total:
        raise CommandFailed("There is nothing to publish.", ExitCode.USAGE)


def _batches(messages: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Messages in requests that the server takes: of bounded length, and of bounded size unless one message is larger."""
    batch: list[dict[str, Any]] = []
    room = BATCH_BYTES
    for message in messages:
        size = len(orjson.dumps(message))
        if batch and (len(batch) == BATCH or size > room):
            yield batch
            batch, room = [], BATCH_BYTES
        batch.append(message)
        room -= size
    if batch:
        yield batch


def consume(
    remote: Remote, queue: str, out: Print, *, most: int | None, ack: bool, prefetch: int, as_json: bool
) -> None:
    """Print bodies and ack them, until ``most`` were printed or it is interrupted."""
    with remote.connected("postroad-cli") as conversation:
        wanted = prefetch if most is None else min(prefetch, most)
        conversation.ask({"op": "consume", "sub": 1, "queue": queue, "prefetch": wanted})
        left = most
        for frame in conversation.frames():
            conversation.check(frame)
            if frame["op"] != "deliver":
                continue
            messages = frame["messages"] if left is None else frame["messages"][:left]
            for message in messages:
                out(dumped(message) if as_json else shown(message["body"]))
            _settle(conversation, messages, ack=ack)
            if left is not None:
                left -= len(messages)
                if left <= 0:
                    conversation.ask({"op": "cancel", "sub": 1})
                    return


def tail(remote: Remote, queue: str | None, out: Print, *, last: int, most: int | None, as_json: bool) -> None:
    """Print events as they happen."""
    with remote.connected("postroad-cli") as conversation:
        request: dict[str, Any] = {"op": "watch", "sub": 1, "last": last}
        conversation.ask(request if queue is None else request | {"queue": queue})
        left = most
        for frame in conversation.frames():
            conversation.check(frame)
            for event in frame.get("events", ()):
                out(json.dumps(event) if as_json else _event_line(event))
                if left is not None:
                    left -= 1
                    if left <= 0:
                        return


def queues(remote: Remote, out: Print, *, as_json: bool) -> None:
    answer = remote.ask("GET", "/v1/queues")
    if as_json:
        out(json.dumps(answer))
    elif not answer["queues"]:
        out('There are no queues yet. Make one by publishing: postroad publish emails \'{"to":"a@b.c"}\'')
    else:
        table(answer["queues"], _COLUMNS)


def redrive(remote: Remote, queue: str, limit: int | None, out: Print, *, as_json: bool) -> None:
    body = {} if limit is None else {"limit": limit}
    answer = remote.ask("POST", path("/v1/queues", queue, "redrive"), body, timeout_s=None)
    out(json.dumps(answer) if as_json else f"{answer['count']} redriven{stayed(answer)}")


def stayed(answer: Mapping[str, Any]) -> str:
    """What of an operation found no room."""
    return f", {answer['left']} stayed: {answer['reason']}" if answer.get("left") else ""


def _settle(conversation: Conversation, messages: list[dict[str, Any]], *, ack: bool) -> None:
    if not messages:
        return
    first, last = messages[0]["number"], messages[-1]["number"]
    if ack:
        conversation.ask({"op": "settle", "sub": 1, "begun": last, "ack": [[first, last]]})


def _event_line(event: dict[str, Any]) -> str:
    facts = [f"{name}={event[name]}" for name in ("count", "consumer", "attempt", "reason", "to") if name in event]
    ids = " ".join(event.get("ids", ())[:3])
    return "  ".join([str(event["position"]), f"{event['kind']:<10}", event.get("queue") or "", *facts, ids]).rstrip()
