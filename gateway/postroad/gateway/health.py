"""``/livez`` and ``/readyz``: yes, or no and why."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .problem import Json
from .rest.endpoint import server_of


async def live(request: Request) -> Response:
    """The process runs its loop."""
    return Json({"status": "ok"})


async def ready(request: Request) -> Response:
    """Publishes and settles are taken; else ``reason`` says in a sentence why they are not."""
    server = server_of(request)
    reason = "The server is stopping." if server.stopping.is_set() else server.context.engine.unready
    if reason is None:
        return Json({"status": "ok"})
    return Json({"status": "unavailable", "reason": reason}, 503)
