"""``/v1/openapi.json``: the route table as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from typing import Any

from ..protocol.inspecting import EVENTS_MAX, PAGE_DEFAULT, PAGE_MAX, STATES
from .receive import MAX_MESSAGES, WAIT_MS_MAX
from .routes import ROUTES, ApiRoute

_PARAMETER = re.compile(r"\{(\w+)\}")


def _whole(minimum: int, maximum: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": minimum, "maximum": maximum, "default": default}


QUERY: dict[str, dict[str, Any]] = {
    "limit": _whole(1, PAGE_MAX, PAGE_DEFAULT),
    "max": _whole(1, MAX_MESSAGES, 1),
    "wait_ms": _whole(0, WAIT_MS_MAX, 0),
    "last": _whole(0, EVENTS_MAX, 100),
    "after": {"type": "integer", "minimum": 0},
    "at": {"type": "integer", "minimum": 0},
    "lease_ms": {"type": "integer", "minimum": 100},
    "update": {"type": "boolean", "default": False},
    "state": {"type": "string", "enum": list(STATES), "default": "ready"},
}
"""Query parameters that are not any string."""

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["title", "status", "code", "detail", "retryable"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; docs/protocol.md §1.3 lists them."},
        "detail": {"type": "string", "description": "For people; may change."},
        "retryable": {"type": "boolean"},
    },
}


def document(version: str) -> dict[str, Any]:
    """The whole description, made from the route table, so that it cannot forget one."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Postroad",
            "version": version,
            "description": "Queues over HTTP. Objects have the shapes of docs/protocol.md §6 and §9.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": PROBLEM},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{}, {"bearer": []}],
    }


def _operation(route: ApiRoute) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": meaning, "schema": QUERY.get(name, {"type": "string"})}
        for name, meaning in route.query.items()
    ]
    json_object = {"application/json": {"schema": {"type": "object"}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").strip("_"),
        "parameters": parameters,
        "responses": {
            str(route.success): {"description": "Done", "content": json_object},
            "default": {"description": "A problem", "content": problem},
        },
    }
    if route.body is not None:
        operation["requestBody"] = {"description": route.body, "content": json_object}
    return operation
