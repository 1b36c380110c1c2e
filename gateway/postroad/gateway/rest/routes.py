"""The API's index: every path, its methods, and what ``/v1/openapi.json`` says of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import health, sse
from . import bindings, messages, queues, receive, streams
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


_PAGE = {
    "state": "ready, parked, delayed, leased or dead",
    "after": "a sequence",
    "limit": "at most 200, default 50",
    "text": "only with this in the body",
    "key": "only of this ordering key",
}
_EVENTS = {"queue": "only of this queue", "last": "start with the last n events, at most 1,000"}
_RECEIVE = {
    "max": "messages, 1 to 100, default 1",
    "wait_ms": "how long to wait for the first, at most 20,000",
    "lease_ms": "another lease than the queue's",
}
_SETTLE = (
    "ack: receipts; nack: objects with receipt, delay_ms, reason, dead; extend: objects with receipt, lease_ms; "
    "log: objects with receipt, text, level"
)
_GROUP = "/v1/streams/{stream}/groups/{group}"
_STREAM_MESSAGES = "/v1/streams/{stream}/messages"
_SCHEDULE = "/v1/schedules/{schedule}"
_NEW_GROUP = {
    "update": "change settings",
    "from": "where a new group begins: earliest, latest, an offset, @milliseconds",
}
_READ = {"from": "earliest (default), latest, an offset, or @ and milliseconds", "limit": "at most 200, default 50"}
_REPLAY = "first, last, queue, dry_run?"
_BINDING = "topic, queue or stream, headers?"
_SCHEDULED = "cron or every_ms, zone?, queue or stream or topic, message, paused?"

ROUTES = (
    ApiRoute("GET", "/livez", health.live, "Whether the process runs"),
    ApiRoute("GET", "/readyz", health.ready, "Whether it serves"),
    ApiRoute("GET", "/v1/overview", queues.overview, "Queues, connections, engine"),
    ApiRoute("POST", "/v1/clock/confirm", queues.confirm_clock, "Say that the clock is right", {}, "empty"),
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
    ApiRoute("GET", "/v1/messages/{id}/logs", messages.logs, "Its log lines", {"capability": "its watch capability"}),
    ApiRoute("POST", "/v1/messages/{id}/cancel", messages.cancel, "Cancel a message", {}, "empty"),
    ApiRoute("POST", "/v1/queues/{queue}/edit", queues.operation("edit"), "Edit and redrive", {}, "message, with"),
    ApiRoute("GET", "/v1/streams", streams.list_streams, "All streams"),
    ApiRoute("GET", "/v1/streams/{stream}", streams.show_stream, "One stream and its groups"),
    ApiRoute("PUT", "/v1/streams/{stream}", streams.declare_stream, "Declare", {"update": "change"}, "settings"),
    ApiRoute("DELETE", "/v1/streams/{stream}", streams.delete_stream, "Delete it with its groups"),
    ApiRoute("PUT", _GROUP, streams.declare_stream, "Declare a group", _NEW_GROUP, "settings"),
    ApiRoute("DELETE", _GROUP, streams.delete_stream, "Delete a group"),
    ApiRoute("POST", _STREAM_MESSAGES, messages.publish_to_stream, "Publish", {}, "messages as in a text frame", 201),
    ApiRoute("GET", _STREAM_MESSAGES, streams.read, "Read", _READ),
    ApiRoute("GET", "/v1/streams/{stream}/offset", streams.offset, "A time as an offset", {"at": "milliseconds"}),
    ApiRoute("POST", f"{_GROUP}/receive", receive.receive_of_group, "Long-poll for messages", _RECEIVE, "empty"),
    ApiRoute("POST", f"{_GROUP}/reset", streams.operation("reset"), "Go on from another place", {}, "to"),
    ApiRoute("POST", "/v1/streams/{stream}/replay", streams.operation("replay"), "Copy to a queue", {}, _REPLAY),
    ApiRoute("POST", "/v1/topics/{topic}/messages", messages.publish_to_topic, "Publish", {}, "messages", 201),
    ApiRoute("GET", "/v1/bindings", bindings.listing("bindings"), "All bindings"),
    ApiRoute("POST", "/v1/bindings", bindings.binding("bind"), "Bind", {}, _BINDING),
    ApiRoute("DELETE", "/v1/bindings", bindings.binding("unbind"), "Unbind", {}, _BINDING),
    ApiRoute("GET", "/v1/schedules", bindings.listing("schedules"), "All schedules"),
    ApiRoute("PUT", _SCHEDULE, bindings.schedule("schedule"), "Make or replace a schedule", {}, _SCHEDULED),
    ApiRoute("DELETE", _SCHEDULE, bindings.schedule("schedule_delete"), "Delete a schedule"),
    ApiRoute("POST", f"{_SCHEDULE}/run", bindings.schedule("schedule_run"), "Fire it now", {}, "empty"),
    ApiRoute("POST", f"{_SCHEDULE}/pause", bindings.schedule("schedule_pause"), "Pause it", {}, "empty"),
    ApiRoute("POST", f"{_SCHEDULE}/resume", bindings.schedule("schedule_resume"), "Resume it", {}, "empty"),
    ApiRoute("GET", "/v1/operations", bindings.listing("operations"), "Operations that go on"),
    ApiRoute("POST", "/v1/operations/{operation}/stop", queues.stop, "Stop one of them", {}, "empty"),
    ApiRoute("GET", "/v1/events", sse.events, "Events as JSON, or live as text/event-stream", _EVENTS),
)
