"""``/livez`` and ``/readyz``: they tell nothing but yes or no."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .problem import Json
from .rest.endpoint import server_of


async def live(request: Request) -> Response:
    """The process runs its loop."""
    return Json({"status": "ok"})


async def ready(request: Request) -> Response:
    """The engine serves and the server is not stopping."""
    server = server_of(request)
    is_ready = server.context.engine.healthy and not server.stopping.is_set()
    return Json({"status": "ok" if is_ready else "unavailable"}, 200 if is_ready else 503)
