"""Each request but ``hello``, ``publish`` and ``settle``: what is checked, asked of the engine and answered."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from postroad.broker.checks import invalid
from postroad.broker.engine.engine import Confirm, Json, ReadSpec, Settled
from postroad.broker.errors import InvalidRequest, NotAllowed, Unavailable

from ..auth.rights import Principal
from .capability import WatchKeys
from .consumer import Consumer
from .consuming import consume_spec
from .context import SessionContext
from .fields import boolean, bounded, queue_of, required, start_of, string, target_of
from .inspecting import OPERATIONS, bind_args, operate_args, query_args, sub_of, watch_spec
from .reader import StreamReader
from .watcher import Watcher, visible_state

if TYPE_CHECKING:
    from .session import Session, Sub

CANCELLED_MAX = 256
GROUP_SEPARATOR = "/"
SubT = TypeVar("SubT", Consumer, Watcher)


@dataclass(frozen=True, slots=True)
class Answer:
    """The fields of an ``ok``, and what is to happen after it has been sent."""

    fields: Json
    then: Callable[[], None] | None = None


async def declare(session: Session, request: Mapping[str, Any]) -> Answer:
    kind, queue = target_of(request)
    group = queue_of(request, "group") if kind == "stream" and "group" in request else None
    settings = request.get("settings")
    if settings is not None and type(settings) is not dict:
        raise invalid("settings", "an object")
    session.principal.need("manage", queue)
    update = boolean(request, "update", False)
    engine = session.context.engine
    if kind == "queue":
        return Answer(await engine.declare(queue, settings or {}, update=update))
    start = start_of(request)
    return Answer(await engine.declare(queue, settings or {}, update=update, kind=kind, group=group, start=start))


async def delete(session: Session, request: Mapping[str, Any]) -> Answer:
    kind, name = target_of(request)
    session.principal.need("manage", name)
    if kind == "stream" and "group" in request:
        name = f"{name}{GROUP_SEPARATOR}{queue_of(request, 'group')}"
    return Answer(await session.context.engine.delete(name))


async def bind(session: Session, request: Mapping[str, Any]) -> Answer:
    return Answer(await change_binding(session.context, session.principal, "bind", request))


async def unbind(session: Session, request: Mapping[str, Any]) -> Answer:
    return Answer(await change_binding(session.context, session.principal, "unbind", request))


async def change_binding(context: SessionContext, principal: Principal, do: str, request: Mapping[str, Any]) -> Json:
    """Bind or unbind, with the right to manage both sides; shared with HTTP."""
    args = bind_args(request)
    principal.need("manage", args["topic"])
    principal.need("manage", args["stream"] if "stream" in args else args["queue"])
    return await context.engine.operate(do, args)


async def read(session: Session, request: Mapping[str, Any]) -> Answer:
    number = sub_of(request)
    spec = ReadSpec(stream=queue_of(request, "stream"), start=start_of(request))
    session.principal.need("consume", spec.stream)
    if session.state.value == "draining":
        raise Unavailable("The server is stopping.")
    reader = StreamReader(session, number)
    session.claim(number, reader)
    try:
        opened = await reader.open(spec)
    except BaseException:
        session.forget(reader)
        raise
    if session.is_closed:
        opened.cancel()
    return Answer({"position": opened.position, "offset": opened.offset}, reader.opened)


async def consume(session: Session, request: Mapping[str, Any]) -> Answer:
    number = sub_of(request)
    spec = consume_spec(
        request,
        session.context.limits,
        consumer=f"{session.client_name}-{session.number}",
        client=session.client,
    )
    principal = session.principal
    principal.need("consume", spec.queue)
    if session.state.value == "draining":
        raise Unavailable("The server is stopping.")
    if spec.declare and not principal.may("manage", spec.queue):
        spec.declare = False
    consumer = Consumer(session, number, spec.queue)
    session.claim(number, consumer)
    if (former := session.cancelled.pop(number, None)) is not None:
        end(former)
    try:
        subscription = await consumer.open(spec)
    except BaseException:
        session.forget(consumer)
        raise
    if session.is_closed:
        subscription.detach()
    fields: Json = {
        "position": subscription.position,
        "subscription": subscription.token,
        "lease_ms": subscription.lease_ms,
    }
    if subscription.lost:
        fields["lost"] = subscription.lost
    return Answer(fields, consumer.opened)


async def watch(session: Session, request: Mapping[str, Any]) -> Answer:
    number = sub_of(request)
    spec = watch_spec(request)
    principal = session.principal
    capability = string(request, "capability", 64)
    fits = check_capability(session.context.watch_keys, spec.message, capability)
    if spec.queue is not None:
        principal.need("peek", spec.queue.partition(GROUP_SEPARATOR)[0])
    elif not fits and not principal.grants.get("peek"):
        raise NotAllowed("This needs the right to peek, or the message's capability.")
    watcher = Watcher(session, number, is_message=spec.message is not None)
    session.claim(number, watcher)
    try:
        opened = await watcher.open(spec)
        if spec.message is not None and not fits:
            principal.need("peek", opened.snapshot["message"]["queue"])
    except BaseException:
        end(watcher)
        session.forget(watcher)
        raise
    if session.is_closed:
        opened.cancel()
    return Answer({"position": opened.position, **watcher.snapshot()}, watcher.opened)


async def query(session: Session, request: Mapping[str, Any]) -> Answer:
    return Answer(await ask(session.context, session.principal, request.get("what"), request))


async def operate(session: Session, request: Mapping[str, Any]) -> Answer:
    return Answer(await order(session.context, session.principal, request.get("do"), request))


def prefetch(session: Session, request: Mapping[str, Any]) -> Json:
    limits = session.context.limits
    count = required(bounded(request, "prefetch", 1, "prefetch_max", limits.prefetch_max), "prefetch")
    consumer = _sub(session, request, Consumer)
    assert consumer.subscription is not None
    consumer.subscription.prefetch(count)
    return {"position": session.context.engine.position}


def cancel(session: Session, request: Mapping[str, Any]) -> Json:
    if isinstance(reader := session.subs.get(sub_of(request)), StreamReader):
        end(reader)
        session.forget(reader)
        return {"position": session.context.engine.position}
    consumer = _sub(session, request, Consumer)
    assert consumer.subscription is not None
    consumer.subscription.cancel()
    session.forget(consumer)
    if len(session.cancelled) >= CANCELLED_MAX:
        end(session.cancelled.pop(next(iter(session.cancelled))))
    session.cancelled[consumer.number] = consumer
    return {"position": session.context.engine.position}


def unwatch(session: Session, request: Mapping[str, Any]) -> Json:
    watcher = _sub(session, request, Watcher)
    end(watcher)
    session.forget(watcher)
    return {"position": session.context.engine.position}


AT_ONCE: dict[str, Callable[[Session, Mapping[str, Any]], Json]] = {
    "prefetch": prefetch, "cancel": cancel, "unwatch": unwatch,
}  # fmt: skip
WAITING: dict[str, Callable[[Session, Mapping[str, Any]], Coroutine[Any, Any, Answer]]] = {
    "declare": declare, "delete": delete, "consume": consume, "watch": watch, "query": query, "operate": operate,
    "read": read, "bind": bind, "unbind": unbind,
}  # fmt: skip


async def ask(context: SessionContext, principal: Principal, what: object, request: Mapping[str, Any]) -> Json:
    """Answer a query within the caller's rights; shared with HTTP."""
    checked, args = query_args(what, request)
    for kind in ("queue", "stream"):
        if kind in args:
            principal.need("peek", args[kind])
    fits = False
    if checked in ("message", "logs"):
        fits = check_capability(context.watch_keys, args["message"], string(request, "capability", 64))
    if not fits and not principal.grants.get("peek"):
        raise NotAllowed("This needs the right to peek.")
    answer = await context.engine.query(checked, args)
    if checked == "logs":
        if not fits and not principal.may_all("peek"):
            found = await context.engine.query("message", {**args, "body": False})
            principal.need("peek", found["message"]["queue"])
    elif checked == "message":
        if fits:
            return visible_state(answer, principal)
        principal.need("peek", answer["message"]["queue"])
    elif checked in ("schedules", "bindings"):
        rows = [
            row
            for row in answer[checked]
            if principal.may("peek", row.get("queue") or row.get("stream") or row["topic"])
        ]
        answer = {**answer, checked: rows}
    elif checked in ("overview", "queues", "streams"):
        answer = visible_state(answer, principal)
        if checked == "overview":
            answer = {**answer, "connections": context.connections(), **context.able()}
            answer["operations"] = visible_operations(answer.get("operations", []), principal)
    elif checked == "operations":
        answer = {**answer, "operations": visible_operations(answer["operations"], principal)}
    elif checked == "events" and not principal.may_all("peek"):
        visible = [event for event in answer["events"] if principal.may("peek", event.get("queue") or "")]
        answer = {**answer, "events": visible}
    return answer


async def order(context: SessionContext, principal: Principal, do: object, request: Mapping[str, Any]) -> Json:
    """Carry out an operation within the caller's rights; shared with HTTP."""
    checked, args = operate_args(do, request)
    if checked == "stop":
        return await _stop(context, principal, args)
    verb = OPERATIONS[checked]
    names = [args[kind] for kind in ("queue", "stream", "topic", "schedule") if kind in args]
    for name in names:
        principal.need(verb, name)
    if checked == "confirm_clock" and not principal.may_all(verb):
        raise NotAllowed(f"This needs the right to {verb} on everything.")
    if not names and not principal.may_all(verb):
        found = await context.engine.query("message", {"message": args["message"]})
        principal.need(verb, found["message"]["queue"])
    return await context.engine.operate(checked, args)


async def _stop(context: SessionContext, principal: Principal, args: Json) -> Json:
    """Stop an operation that goes on; it takes the right that the operation took.

    Raises:
        InvalidState: it has ended, or never was.
    """
    listed = (await context.engine.query("operations", {}))["operations"]
    for row in listed:
        if row["id"] == args["operation"]:
            for name in names_of(row):
                principal.need(OPERATIONS[row["kind"]], name)
    return await context.engine.operate("stop", args)


def names_of(row: Json) -> list[str]:
    """The queue and the stream that an operation, as it is listed, is about."""
    return [row[kind] for kind in ("queue", "stream") if row.get(kind) is not None]


def visible_operations(rows: list[Json], principal: Principal) -> list[Json]:
    return [row for row in rows if all(principal.may("peek", name) for name in names_of(row))]


def check_capability(keys: WatchKeys, message: str | None, capability: str | None) -> bool:
    """Whether a capability was shown.

    Raises:
        NotAllowed: it was, and does not fit the message.
    """
    if message is None or capability is None:
        return False
    if not keys.fits(message, capability):
        raise NotAllowed("The capability does not fit this message.")
    return True


def confirm_reply(request_id: int, confirm: Confirm, keys: WatchKeys, *, is_topic: bool = False) -> Json:
    """The ``ok`` of a publish."""
    reply: Json = {
        "op": "ok",
        "id": request_id,
        "position": confirm.position,
        "count": confirm.count,
        "id_prefix": confirm.id_prefix,
        "watch_key": keys.key(confirm.id_prefix),
    }
    if is_topic:
        reply["routed"] = confirm.routed
    if confirm.duplicates:
        reply["duplicates"] = {str(index): first for index, first in confirm.duplicates.items()}
    if confirm.replayed:
        reply["replayed"] = True
    return reply


def settled_reply(request_id: int, outcome: Settled) -> Json:
    reply: Json = {"op": "ok", "id": request_id, "position": outcome.position}
    if outcome.lost:
        reply["lost"] = outcome.lost
    if outcome.settled:
        reply["settled"] = outcome.settled
    return reply


def end(sub: Sub) -> None:
    """Tell the engine that nobody listens any more."""
    if isinstance(sub, Consumer):
        if sub.subscription is not None:
            sub.subscription.detach()
    elif isinstance(sub, StreamReader):
        if sub.reader is not None:
            sub.reader.cancel()
    elif sub.watch is not None:
        sub.watch.cancel()


def _sub(session: Session, request: Mapping[str, Any], kind: type[SubT]) -> SubT:
    number = sub_of(request)
    sub = session.subs.get(number)
    if not isinstance(sub, kind):
        raise InvalidRequest(f"There is no {kind.__name__.lower()} {number} on this connection.", field="sub")
    return sub
