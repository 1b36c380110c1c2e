"""Messages over HTTP: publish, browse, look at one, cancel."""

from __future__ import annotations

import asyncio
from typing import Any

from postroad.broker.engine.engine import Confirm
from postroad.broker.errors import PostroadError
from postroad.broker.names import topic_name
from starlette.requests import Request
from starlette.responses import Response

from ..auth.rights import NOBODY, Principal
from ..problem import Json
from ..protocol.capability import capability_of
from ..protocol.fields import queue_of
from ..protocol.publishing import inline_batch
from ..protocol.requests import ask, order
from .endpoint import (
    api,
    body_of,
    number_in_query,
    principal_of,
    query_fields,
    queue_in_path,
    refuse_while_stopping,
    server_of,
)


@api
async def publish(request: Request) -> Response:
    """201 when the messages are durable."""
    principal = principal_of(request)
    return await _publish(request, principal, "queue", queue_in_path(request))


@api
async def publish_to_stream(request: Request) -> Response:
    principal = principal_of(request)
    return await _publish(request, principal, "stream", queue_of(request.path_params, "stream"))


@api
async def publish_to_topic(request: Request) -> Response:
    principal = principal_of(request)
    return await _publish(request, principal, "topic", topic_name(request.path_params["topic"]))


async def _publish(request: Request, principal: Principal, kind: str, queue: str) -> Response:
    context = server_of(request).context
    principal.need("publish", queue)
    frame = await body_of(request)
    refuse_while_stopping(request)
    batch = inline_batch(frame, queue, context.limits, context.body_bytes_max(principal), kind=kind)
    batch.declare = batch.declare and principal.may("manage", queue)
    confirmed: asyncio.Future[Confirm] = asyncio.get_running_loop().create_future()

    def done(outcome: Confirm | PostroadError) -> None:
        if confirmed.done():  # the caller has gone meanwhile
            return
        if isinstance(outcome, PostroadError):
            confirmed.set_exception(outcome)
        else:
            confirmed.set_result(outcome)

    context.engine.publish(batch, done)
    confirm = await confirmed
    key = context.watch_keys.key(confirm.id_prefix)
    answer: dict[str, Any] = {
        "ids": [f"{confirm.id_prefix}{index}" for index in range(confirm.count)],
        "position": confirm.position,
        "watches": [capability_of(key, index) for index in range(confirm.count)],
    }
    if kind == "topic":
        answer["routed"] = confirm.routed
    if confirm.duplicates:
        answer["duplicates"] = {str(index): first for index, first in confirm.duplicates.items()}
    return Json(answer, 201)


@api
async def browse(request: Request) -> Response:
    """Looking does not touch."""
    principal = principal_of(request)
    fields: dict[str, Any] = {"queue": queue_in_path(request), **query_fields(request, "state", "text", "key")}
    for name, low in (("after", 0), ("limit", 1)):
        number = number_in_query(request, name, low)
        if number is not None:
            fields[name] = number
    return Json(await ask(server_of(request).context, principal, "messages", fields))


@api
async def show(request: Request) -> Response:
    """With a capability: without the body, and no other right is needed."""
    fields = {"message": request.path_params["id"], **query_fields(request, "capability")}
    context = server_of(request).context
    if "capability" in fields:
        return Json(await ask(context, context.default_principal or NOBODY, "message", fields))
    return Json(await ask(context, principal_of(request), "message", fields))


@api
async def logs(request: Request) -> Response:
    """What its handlers said; a capability is enough."""
    fields = {"message": request.path_params["id"], **query_fields(request, "capability")}
    context = server_of(request).context
    if "capability" in fields:
        return Json(await ask(context, context.default_principal or NOBODY, "logs", fields))
    return Json(await ask(context, principal_of(request), "logs", fields))


@api
async def cancel(request: Request) -> Response:
    principal = principal_of(request)
    await body_of(request)
    return Json(await order(server_of(request).context, principal, "cancel", {"message": request.path_params["id"]}))
