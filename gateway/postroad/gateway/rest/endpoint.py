"""What every endpoint does: who calls, what the body is, what errors look like."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, cast

from postroad.broker.checks import exceeded, invalid
from postroad.broker.errors import (
    Internal,
    InvalidRequest,
    NotAuthenticated,
    PostroadError,
    Unavailable,
)
from postroad.broker.limits import INTEGER_MAX
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ..auth.rights import Principal
from ..problem import problem
from ..protocol.fields import queue_of
from ..protocol.slices import parse
from ..server import Server

Endpoint = Callable[[Request], Awaitable[Response]]


def server_of(request: Request) -> Server:
    return cast(Server, request.app.state.server)


def api(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose failures are problem documents."""

    async def wrapped(request: Request) -> Response:
        try:
            if request.method not in ("GET", "HEAD"):
                _check_change(request)
            return await endpoint(request)
        except PostroadError as error:
            return problem(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001  # the barrier: a bug costs one request, and the peer learns only where to look
            request_id = uuid.uuid4().hex[:16]
            server_of(request).context.report(request_id, error)
            return problem(Internal("Something went wrong in the server.", request_id=request_id))

    wrapped.__name__ = getattr(endpoint, "__name__", "endpoint")
    wrapped.__doc__ = endpoint.__doc__
    return wrapped


def principal_of(request: Request) -> Principal:
    """The caller, by its bearer token.

    Raises:
        NotAuthenticated: no token where one is needed, or a wrong or expired one.
    """
    context = server_of(request).context
    if context.authenticate is None:
        assert context.default_principal is not None
        return context.default_principal
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("This needs an Authorization header with a bearer token.")
    return context.authenticate(token.strip())


async def body_of(request: Request) -> dict[str, Any]:
    """The request's JSON object, users' values in it as slices; an empty body is an empty object.

    Raises:
        InvalidRequest: not a JSON object. LimitExceeded: larger than a request may be.
    """
    limit = server_of(request).context.limits.http_body_bytes_max
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise exceeded(f"A request may have {limit} bytes.", "http_body_bytes_max", limit)
    if not data:
        return {}
    try:
        data.decode()
        body = parse(bytes(data))
    except ValueError as error:
        raise InvalidRequest(f"The body must be JSON: {error}.") from None
    if type(body) is not dict:
        raise InvalidRequest("The body must be a JSON object.")
    return body


def queue_in_path(request: Request) -> str:
    return queue_of(request.path_params)


def number_in_query(request: Request, name: str, low: int, high: int = INTEGER_MAX) -> int | None:
    """Raises: InvalidRequest: not an integer, or out of range."""
    text = request.query_params.get(name)
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and low <= int(text) <= high):
        raise invalid(name, f"an integer from {low} to {high}")
    return int(text)


def flag_in_query(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "false")
    if text not in ("true", "false", ""):
        raise invalid(name, "true or false")
    return text == "true"


def query_fields(request: Request, *names: str) -> dict[str, Any]:
    """The named query parameters that are there, as they are."""
    return {name: request.query_params[name] for name in names if request.query_params.get(name)}


def refuse_while_stopping(request: Request) -> None:
    if server_of(request).stopping.is_set():
        raise Unavailable("The server is stopping.")


def _check_change(request: Request) -> None:
    # A page of another site can send forms and plain text without asking, but not JSON.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InvalidRequest(
            "Requests that change something need Content-Type: application/json.", field="content-type"
        )
