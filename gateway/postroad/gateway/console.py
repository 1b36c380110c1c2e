"""The console: built files from ``console_assets/``, for unknown paths its ``index.html``, and a strict policy."""

from __future__ import annotations

import mimetypes
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response

from .problem import Json, plain_problem

NOT_BUILT = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Postroad</title></head>
<body><h1>Postroad runs, but its console is not built</h1>
<p>The API is served: see <a href="/v1/openapi.json">/v1/openapi.json</a> and <a href="/v1/queues">/v1/queues</a>.</p>
<p>To build the console from a checkout: <code>npm install</code>, then <code>npm run build --workspace web</code>,
and reload this page.</p></body></html>
"""
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml",
          ".woff2": "font/woff2", ".json": "application/json", ".map": "application/json"}  # fmt: skip
API_PREFIXES = ("/v1", "/ws", "/livez", "/readyz")


class Console:
    """Args:
    demo: Origins of the demo's API and stage, which the pages may call.
    assets: Where the built files are; by default inside the package.
    """

    def __init__(self, demo: dict[str, str] | None, assets: Traversable | None = None) -> None:
        self._demo = demo
        self._assets = assets or files("postroad.gateway") / "console_assets"
        self._policy = policy(list(demo.values()) if demo else [])

    async def config(self, request: Request) -> Response:
        return Json({"ws": "/ws", "demo": self._demo}, headers={"cache-control": "no-store"})

    async def page(self, request: Request) -> Response:
        """A built file, or for any other path outside the API the application itself."""
        path = request.scope["path"]
        if any(path == prefix or path.startswith(prefix + "/") for prefix in API_PREFIXES):
            return plain_problem(404, "There is nothing at this path; /v1/openapi.json describes the API.")
        found = self._find(path)
        is_page = found is None
        if found is None:
            if path.startswith("/assets/"):
                return plain_problem(404, "There is no such file.")
            found = self._find("/index.html")
        if found is None:
            return Response(NOT_BUILT, 503, self._headers(), media_type="text/html")
        name = "index.html" if is_page else found.name
        # Names in assets/ carry a hash of the content, so they never change.
        cache = "public, max-age=31536000, immutable" if path.startswith("/assets/") else "no-cache"
        return Response(found.read_bytes(), 200, self._headers() | {"cache-control": cache}, media_type=_type_of(name))

    def _find(self, path: str) -> Traversable | None:
        parts = [part for part in path.split("/") if part]
        if not parts or any(part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None
        found = self._assets
        for part in parts:
            found = found / part
        return found if found.is_file() else None

    def _headers(self) -> dict[str, str]:
        return {"content-security-policy": self._policy}


def policy(origins: list[str]) -> str:
    """No inline script or style, nothing from elsewhere but the given origins to connect to."""
    connect = " ".join(["'self'", *origins])
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src {connect}; img-src 'self' data:; "
        "font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def _type_of(name: str) -> str:
    dot = name.rfind(".")
    return _TYPES.get(name[dot:] if dot >= 0 else "") or mimetypes.guess_type(name)[0] or "application/octet-stream"
