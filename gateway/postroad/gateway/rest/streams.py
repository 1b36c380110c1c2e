"""``/v1/streams``: declare, look, read, reset, replay."""

from __future__ import annotations

import asyncio
from typing import Any

from postroad.broker.checks import invalid
from postroad.broker.engine.engine import DeliveryBatch, ReadSpec
from postroad.broker.errors import PostroadError
from postroad.broker.limits import INTEGER_MAX
from starlette.requests import Request
from starlette.responses import Response

from ..problem import Json
from ..protocol.delivering import read_messages
from ..protocol.fields import queue_of
from ..protocol.inspecting import PAGE_DEFAULT, PAGE_MAX
from ..protocol.requests import GROUP_SEPARATOR, ask, order
from .endpoint import (
    Endpoint,
    api,
    body_of,
    flag_in_query,
    number_in_query,
    principal_of,
    refuse_while_stopping,
    server_of,
)

READ_WAIT_S = 0.2


@api
async def list_streams(request: Request) -> Response:
    return Json(await ask(server_of(request).context, principal_of(request), "streams", {}))


@api
async def show_stream(request: Request) -> Response:
    principal = principal_of(request)
    return Json(await ask(server_of(request).context, principal, "stream", {"stream": _stream(request)}))


@api
async def offset(request: Request) -> Response:
    """Where the messages published at a time, or later, begin."""
    principal = principal_of(request)
    asked = {"stream": _stream(request), "at": number_in_query(request, "at", 0, INTEGER_MAX)}
    return Json(await ask(server_of(request).context, principal, "offset", asked))


@api
async def declare_stream(request: Request) -> Response:
    """A stream, or with a group in the path that group. 201 when it was made, 200 when it was there."""
    principal, stream = principal_of(request), _stream(request)
    settings = await body_of(request)
    principal.need("manage", stream)
    refuse_while_stopping(request)
    answer = await server_of(request).context.engine.declare(
        stream,
        settings,
        update=flag_in_query(request, "update"),
        kind="stream",
        group=_group(request),
        start=_start(request),
    )
    return Json(answer, 201 if answer["created"] else 200)


@api
async def delete_stream(request: Request) -> Response:
    principal, stream, group = principal_of(request), _stream(request), _group(request)
    principal.need("manage", stream)
    name = stream if group is None else f"{stream}{GROUP_SEPARATOR}{group}"
    return Json(await server_of(request).context.engine.delete(name))


@api
async def read(request: Request) -> Response:
    """Messages from a place on; ``next`` is where to go on."""
    principal, stream = principal_of(request), _stream(request)
    limit = number_in_query(request, "limit", 1, PAGE_MAX) or PAGE_DEFAULT
    start = _start(request)
    principal.need("consume", stream)
    page = _Page(limit)
    reader = await server_of(request).context.engine.read(ReadSpec(stream=stream, start=start), page)
    try:
        await page.wait()
    finally:
        reader.cancel()
    answer: dict[str, Any] = {"messages": page.found, "next": reader.offset, "position": reader.position}
    if page.found:
        answer["next"] = page.found[-1]["offset"] + 1
    if page.trimmed is not None:
        answer["trimmed"] = page.trimmed
    return Json(answer)


def operation(do: str) -> Endpoint:
    """The endpoint of ``reset`` (of a group) or ``replay``; the body has its further fields."""

    async def operate(request: Request) -> Response:
        principal = principal_of(request)
        fields = await body_of(request) | {"stream": _stream(request)}
        if (group := _group(request)) is not None:
            fields["group"] = group
        return Json(await order(server_of(request).context, principal, do, fields))

    operate.__name__ = do
    return api(operate)


class _Page:
    """A reader's sink that takes one page."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._full = asyncio.Event()
        self._error: PostroadError | None = None
        self.found: list[dict[str, Any]] = []
        self.trimmed: int | None = None

    def messages(self, batch: DeliveryBatch, trimmed: int | None) -> None:
        if self._full.is_set():
            return
        self.trimmed = trimmed if self.trimmed is None else self.trimmed
        self.found += list(read_messages(batch))[: self._limit - len(self.found)]
        if len(self.found) == self._limit:
            self._full.set()

    def ended(self, error: PostroadError) -> None:
        self._error = error
        self._full.set()

    async def wait(self) -> None:
        """Until the page is full, or nothing more came for a moment."""
        count = -1
        while not self._full.is_set() and count < len(self.found):
            count = len(self.found)
            try:
                await asyncio.wait_for(self._full.wait(), READ_WAIT_S)
            except TimeoutError:
                continue
        if self._error is not None:
            raise self._error


def _stream(request: Request) -> str:
    return queue_of(request.path_params, "stream")


def _group(request: Request) -> str | None:
    return queue_of(request.path_params, "group") if "group" in request.path_params else None


def _start(request: Request) -> str | tuple[str, int]:
    """``earliest``, ``latest``, an offset, or ``@`` and milliseconds."""
    text = request.query_params.get("from", "latest" if request.method == "PUT" else "earliest")
    if text in ("earliest", "latest"):
        return text
    digits = text.removeprefix("@")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 17 and int(digits) <= INTEGER_MAX):
        raise invalid("from", "earliest, latest, an offset, or @ and milliseconds")
    return ("at" if text.startswith("@") else "offset"), int(digits)
