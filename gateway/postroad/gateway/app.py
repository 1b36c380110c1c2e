"""Builds the HTTP application: API, health, console, and the checks every request passes first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from importlib.resources.abc import Traversable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .console import Console
from .metrics import metrics
from .problem import Json, plain_problem
from .rest.openapi import document
from .rest.receipts import Receipts
from .rest.receiving import HttpConsumers
from .rest.routes import ROUTES
from .server import Server

PROBES = frozenset(("/livez", "/readyz"))

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SAFE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


def build_app(
    server: Server, *, demo: dict[str, str] | None = None, assets: Traversable | None = None, secret: bytes = b""
) -> Starlette:
    """Args:
    demo: ``api`` and ``stage`` of the demo, for the console.
    assets: Where the built console is; by default inside the package.
    secret: Signs receipts.
    """
    console = Console(demo, assets)

    async def openapi(request: Request) -> Response:
        return Json(document(server.context.version))

    app = Starlette(
        routes=[
            *(Route(route.path, route.endpoint, methods=[route.method]) for route in ROUTES),
            Route("/v1/openapi.json", openapi),
            Route("/metrics", metrics),
            Route("/console-config.json", console.config),
            Route("/{path:path}", console.page),
        ],
        exception_handlers={HTTPException: _http_problem},
    )
    app.state.server = server
    app.state.receipts = Receipts(secret or server.context.watch_keys.derived())
    app.state.consumers = HttpConsumers(server.context.engine)
    app.add_middleware(Guard, server=server)
    return app


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = "This method is not allowed here." if error.status_code == 405 else "There is nothing at this path."
    return plain_problem(error.status_code, detail, error.headers)


class Guard:
    """Host and Origin before anything else; safe headers and CORS on every answer."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], server: Server) -> None:
        self._app = app
        self._access = server.access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host"), headers.get(b"origin")
        added = list(SAFE_HEADERS)

        async def send_guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        hosts = sum(name == b"host" for name, _ in scope["headers"])
        # Probes come by address, and learn nothing but yes or no.
        is_probe = scope["path"] in PROBES and origin is None
        if not is_probe and (hosts != 1 or not self._access.allows_host(host)):
            refusal = plain_problem(403, "This host name is not served here; see --host-name.")
            await refusal(scope, receive, send_guarded)
            return
        if origin is not None:
            if not self._access.allows_origin(origin, host):
                refusal = plain_problem(403, "Pages of this origin may not use this server; see --origin.")
                await refusal(scope, receive, send_guarded)
                return
            added += [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                added += [
                    (b"access-control-allow-methods", b"GET, PUT, POST, DELETE"),
                    (b"access-control-allow-headers", b"authorization, content-type, last-event-id"),
                    (b"access-control-max-age", b"600"),
                ]
                await Response(status_code=204)(scope, receive, send_guarded)
                return
        await self._app(scope, receive, send_guarded)
