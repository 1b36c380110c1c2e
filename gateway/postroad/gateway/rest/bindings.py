"""``/v1/bindings`` and ``/v1/schedules``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ..problem import Json
from ..protocol.requests import ask, change_binding, order
from .endpoint import Endpoint, api, body_of, principal_of, refuse_while_stopping, server_of


def listing(what: str) -> Endpoint:
    async def list_all(request: Request) -> Response:
        return Json(await ask(server_of(request).context, principal_of(request), what, {}))

    list_all.__name__ = f"list_{what}"
    return api(list_all)


def binding(do: str) -> Endpoint:
    async def change(request: Request) -> Response:
        principal = principal_of(request)
        body = await body_of(request)
        refuse_while_stopping(request)
        return Json(await change_binding(server_of(request).context, principal, do, body))

    change.__name__ = do
    return api(change)


def schedule(do: str) -> Endpoint:
    async def change(request: Request) -> Response:
        principal = principal_of(request)
        body = await body_of(request) | {"schedule": request.path_params["schedule"]}
        refuse_while_stopping(request)
        return Json(await order(server_of(request).context, principal, do, body))

    change.__name__ = do
    return api(change)
