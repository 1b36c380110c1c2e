"""The API's index: every path, its methods, and what ``/v1/openapi.json`` says of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import health, sse
from . import messages, queues, receive
from .endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """Attributes:
    query: Query parameters: name → what it means.
    body: What the JSON body is; ``None``: there is none.
    success: Status of a success.
    """

    method: str
    path: str
    endpoint: Endpoint
    summary: str
    query: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    success: int = 200


_PAGE = {"state": "ready, delayed, leased or dead", "after": "a sequence", "limit": "at most 200"}
_EVENTS = {"queue": "only of this queue", "last": "start with the last n events, at most 1,000"}
_RECEIVE = {
    "max": "messages, 1 to 100, default 1",
    "wait_ms": "how long to wait for the first, at most 20,000",
    "lease_ms": "another lease than the queue's",
}
_SETTLE = "ack: receipts; nack: objects with receipt, delay_ms, reason, dead; extend: objects with receipt, lease_ms"

ROUTES = (
    ApiRoute("GET", "/livez", health.live, "Whether the process runs"),
    ApiRoute("GET", "/readyz", health.ready, "Whether it serves"),
    ApiRoute("GET", "/v1/overview", queues.overview, "Queues, connections, engine"),
    ApiRoute("GET", "/v1/queues", queues.list_queues, "All queues"),
    ApiRoute("GET", "/v1/queues/{queue}", queues.show_queue, "One queue, its settings and consumers"),
    ApiRoute("PUT", "/v1/queues/{queue}", queues.declare_queue, "Declare", {"update": "change settings"}, "settings"),
    ApiRoute("DELETE", "/v1/queues/{queue}", queues.delete_queue, "Delete it and everything in it"),
    ApiRoute(
        "POST", "/v1/queues/{queue}/messages", messages.publish, "Publish", {}, "messages as in a text frame", 201
    ),
    ApiRoute("GET", "/v1/queues/{queue}/messages", messages.browse, "Browse without touching", _PAGE),
    ApiRoute("POST", "/v1/queues/{queue}/receive", receive.receive, "Long-poll for messages", _RECEIVE, "empty"),
    ApiRoute("POST", "/v1/settle", receive.settle, "Settle received messages", {}, _SETTLE),
    ApiRoute("POST", "/v1/queues/{queue}/redrive", queues.operation("redrive"), "Redrive", {}, "messages?, limit?"),
    ApiRoute("POST", "/v1/queues/{queue}/discard", queues.operation("discard"), "Discard", {}, "messages: ids"),
    ApiRoute("POST", "/v1/queues/{queue}/purge", queues.operation("purge"), "Purge ready and delayed", {}, "empty"),
    ApiRoute("POST", "/v1/queues/{queue}/pause", queues.operation("pause"), "Pause deliveries", {}, "reason?"),
    ApiRoute("POST", "/v1/queues/{queue}/resume", queues.operation("resume"), "Resume deliveries", {}, "empty"),
    ApiRoute("GET", "/v1/messages/{id}", messages.show, "A message", {"capability": "its watch capability"}),
    ApiRoute("POST", "/v1/messages/{id}/cancel", messages.cancel, "Cancel a message", {}, "empty"),
    ApiRoute("GET", "/v1/events", sse.events, "Events as JSON, or live as text/event-stream", _EVENTS),
)
