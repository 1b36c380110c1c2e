"""``/v1/overview``, ``/v1/queues`` and what is done to a queue as a whole."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..problem import Json
from ..protocol.requests import ask, order
from .endpoint import (
    Endpoint,
    api,
    body_of,
    flag_in_query,
    principal_of,
    queue_in_path,
    refuse_while_stopping,
    server_of,
)


@api
async def overview(request: Request) -> Response:
    return Json(await ask(server_of(request).context, principal_of(request), "overview", {}))


@api
async def confirm_clock(request: Request) -> Response:
    context, principal = server_of(request).context, principal_of(request)
    refuse_while_stopping(request)
    return Json(await order(context, principal, "confirm_clock", {}))


@api
async def list_queues(request: Request) -> Response:
    return Json(await ask(server_of(request).context, principal_of(request), "queues", {}))


@api
async def show_queue(request: Request) -> Response:
    return Json(
        await ask(server_of(request).context, principal_of(request), "queue", {"queue": queue_in_path(request)})
    )


@api
async def declare_queue(request: Request) -> Response:
    """201 when it was made, 200 when it was there."""
    principal, queue = principal_of(request), queue_in_path(request)
    settings = await body_of(request)
    principal.need("manage", queue)
    refuse_while_stopping(request)
    update = flag_in_query(request, "update")
    answer = await server_of(request).context.engine.declare(queue, settings, update=update)
    return Json(answer, 201 if answer["created"] else 200)


@api
async def delete_queue(request: Request) -> Response:
    principal, queue = principal_of(request), queue_in_path(request)
    principal.need("manage", queue)
    return Json(await server_of(request).context.engine.delete(queue))


@api
async def stop(request: Request) -> Response:
    """End an operation after the step that it is at; whoever asked for it is told how far it came."""
    args = {"operation": request.path_params["operation"]}
    return Json(await order(server_of(request).context, principal_of(request), "stop", args))


def operation(do: str) -> Endpoint:
    """The endpoint of an operation on a queue; the body has its further fields."""

    async def operate(request: Request) -> Response:
        principal, queue = principal_of(request), queue_in_path(request)
        body = await body_of(request)
        return Json(await order(server_of(request).context, principal, do, body | {"queue": queue}))

    operate.__name__ = do
    return api(operate)
