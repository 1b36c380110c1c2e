"""``POST /v1/queues/{q}/receive`` and ``POST /v1/settle``: consuming over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from postroad.broker.checks import checked_list
from postroad.broker.engine.engine import LogLine, Nack, SettleBatch
from postroad.broker.errors import InvalidRequest
from postroad.broker.limits import Limits
from starlette.requests import Request
from starlette.responses import Response

from ..auth.rights import Principal
from ..problem import Json
from ..protocol.consuming import lease_of, log_text
from ..protocol.fields import boolean, integer, objects, queue_of, string
from .endpoint import (
    api,
    body_of,
    number_in_query,
    principal_of,
    queue_in_path,
    refuse_while_stopping,
    server_of,
)
from .receipts import RECEIPT_LENGTH_MAX, Receipts
from .receiving import HttpConsumer, HttpConsumers

MAX_MESSAGES = 100
WAIT_MS_MAX = 20_000
WAIT_MS_MIN = 100
"""Even with ``wait_ms=0`` the engine gets this long to hand something over."""


@api
async def receive(request: Request) -> Response:
    principal = principal_of(request)
    return await _receive(request, principal, queue_in_path(request), None)


@api
async def receive_of_group(request: Request) -> Response:
    principal = principal_of(request)
    stream, group = queue_of(request.path_params, "stream"), queue_of(request.path_params, "group")
    return await _receive(request, principal, stream, group)


async def _receive(request: Request, principal: Principal, queue: str, group: str | None) -> Response:
    server = server_of(request)
    wanted = number_in_query(request, "max", 1, MAX_MESSAGES)
    wait_ms = number_in_query(request, "wait_ms", 0, WAIT_MS_MAX)
    lease_ms = lease_of({"lease_ms": number_in_query(request, "lease_ms", 100)}, server.context.limits)
    principal.need("consume", queue)
    refuse_while_stopping(request)
    await body_of(request)
    consumers: HttpConsumers = request.app.state.consumers
    consumer = await consumers.of_queue(queue, group, wanted or 1, declare=principal.may("manage", queue))
    wait_s = max(wait_ms or 0, WAIT_MS_MIN) / 1000
    messages = await _while_connected(request, consumer, consumer.receive(wanted or 1, wait_s))
    assert consumer.subscription is not None
    if lease_ms is not None and messages:
        ranges = [(message["number"], message["number"]) for message in messages]
        await consumer.settle(SettleBatch(extends=ranges, lease_ms=lease_ms))
    receipts: Receipts = request.app.state.receipts
    token = consumer.subscription.token
    return Json({"messages": [{"receipt": receipts.make(token, m.pop("number")), **m} for m in messages]})


async def _while_connected(request: Request, consumer: HttpConsumer, work: Any) -> list[dict[str, Any]]:
    """What ``work`` gives; if the caller leaves meanwhile, or the server stops, it is cancelled and nothing is lost."""
    receiving = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request))
    stopping = asyncio.ensure_future(server_of(request).stopping.wait())
    try:
        await asyncio.wait((receiving, leaving, stopping), return_when=asyncio.FIRST_COMPLETED)
        if receiving.done():
            messages: list[dict[str, Any]] = receiving.result()
            if messages and leaving.done():
                consumer.release([message["number"] for message in messages])
                return []
            return messages
        return []
    finally:
        for task in (receiving, leaving, stopping):
            task.cancel()
        await asyncio.gather(receiving, leaving, stopping, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@api
async def settle(request: Request) -> Response:
    """What a receipt names that is no longer leased comes back in ``lost``; the rest was carried out."""
    principal = principal_of(request)
    body = await body_of(request)
    settling = _Settling(request.app.state.consumers, request.app.state.receipts)
    limits = server_of(request).context.limits
    for receipt in _strings(body.get("ack", []), "ack", limits):
        settling.add(receipt, lambda number, batch: _append(batch, "acks", (number, number)))
    for index, item in enumerate(_items(body, "nack", limits)):
        receipt, fields = _receipt(item, f"nack[{index}]"), _nack_fields(item, f"nack[{index}].", limits)
        settling.add(
            receipt,
            lambda number, batch, fields=fields: _append(batch, "nacks", Nack(first=number, last=number, **fields)),
        )
    for index, item in enumerate(_items(body, "extend", limits)):
        receipt, lease_ms = _receipt(item, f"extend[{index}]"), lease_of(item, limits)
        settling.add(receipt, lambda number, batch: _append(batch, "extends", (number, number)), lease_ms)
    for index, item in enumerate(_items(body, "log", limits)):
        receipt, (text, level) = _receipt(item, f"log[{index}]"), log_text(item, f"log[{index}].", limits)
        settling.add(
            receipt,
            lambda number, batch, text=text, level=level: _append(
                batch, "log", LogLine(number=number, text=text, level=level)
            ),
        )
    for queue in settling.queues():
        principal.need("consume", queue)
    return Json({"lost": await settling.carry_out()})


class _Settling:
    """The receipts of one request, as batches: one a subscription, and one more for each other lease length."""

    def __init__(self, consumers: HttpConsumers, receipts: Receipts) -> None:
        self._consumers, self._receipts = consumers, receipts
        self._batches: dict[tuple[HttpConsumer, int | None], SettleBatch] = {}
        self._names: dict[tuple[HttpConsumer, int], str] = {}
        self._lost: list[str] = []

    def add(self, receipt: str, put: Any, lease_ms: int | None = None) -> None:
        named = self._receipts.read(receipt)
        consumer = self._consumers.of_token(named[0]) if named is not None else None
        if named is None or consumer is None:
            self._lost.append(receipt)
            return
        self._names[consumer, named[1]] = receipt
        batch = self._batches.setdefault((consumer, lease_ms), SettleBatch(lease_ms=lease_ms))
        put(named[1], batch)

    def queues(self) -> set[str]:
        return {consumer.queue for consumer, _ in self._batches}

    async def carry_out(self) -> list[str]:
        outcomes = await asyncio.gather(*(consumer.settle(batch) for (consumer, _), batch in self._batches.items()))
        for (consumer, _), outcome in zip(self._batches, outcomes, strict=True):
            for first, last in [*outcome.lost, *outcome.settled]:
                self._lost += [
                    self._names[consumer, number]
                    for number in range(first, last + 1)
                    if (consumer, number) in self._names
                ]
        return self._lost


def _append(batch: SettleBatch, part: str, item: object) -> None:
    setattr(batch, part, [*getattr(batch, part), item])


def _strings(value: object, field: str, limits: Limits) -> list[str]:
    receipts = checked_list(value, field, limits.receipts_max, "receipts_max")
    return [_receipt({"receipt": item}, field) for item in receipts]


def _items(body: Mapping[str, Any], field: str, limits: Limits) -> list[dict[str, Any]]:
    return objects(body.get(field, []), field, limits.receipts_max, "receipts_max")


def _receipt(item: Mapping[str, Any], field: str) -> str:
    receipt = string(item, "receipt", RECEIPT_LENGTH_MAX, f"{field}.")
    if not receipt:
        raise InvalidRequest(f"{field}.receipt is missing.", field=f"{field}.receipt")
    return receipt


def _nack_fields(item: Mapping[str, Any], prefix: str, limits: Limits) -> dict[str, Any]:
    return {
        "delay_ms": integer(item, "delay_ms", 0, limits.delay_ms_max, prefix),
        "reason": string(item, "reason", limits.reason_bytes_max, prefix),
        "dead": boolean(item, "dead", False, prefix),
    }
