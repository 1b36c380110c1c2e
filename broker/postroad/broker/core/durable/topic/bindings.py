"""Bindings, and where a publish to a topic goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....attributes import check_headers
from ....checks import invalid
from ....errors import InvalidRequest
from ....limits import LIMITS
from .pattern import matches

ROUTES_KEPT = 4096


TARGET_BYTES = 64
INDEX_BYTES = 6
"""Of a target in a record, and of each index of a message that it gets."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Copies what is published to a matching topic to a target.

    Attributes:
        target: Number of the queue or stream.
        headers: Header → wanted value; empty: no filter.
        any_header: One of them is enough; else all must be equal.
    """

    pattern: str
    target: int
    headers: tuple[tuple[str, str], ...] = ()
    any_header: bool = False


class Bindings:
    """All bindings; remembers recent routes, so that a topic in use costs one look-up."""

    __slots__ = ("_routes", "all")

    def __init__(self) -> None:
        self.all: dict[Binding, None] = {}
        self._routes: dict[str, list[Binding]] = {}

    def add(self, binding: Binding) -> None:
        self.all[binding] = None
        self._routes.clear()

    def remove(self, binding: Binding) -> None:
        self.all.pop(binding, None)
        self._routes.clear()

    def remove_target(self, target: int) -> None:
        self.all = {binding: None for binding in self.all if binding.target != target}
        self._routes.clear()

    def matching(self, topic: str) -> list[Binding]:
        """Bindings whose pattern matches, oldest first."""
        found = self._routes.get(topic)
        if found is None:
            found = [binding for binding in self.all if matches(binding.pattern, topic)]
            if len(self._routes) >= ROUTES_KEPT:
                self._routes.clear()
            self._routes[topic] = found
        return found

    def route(self, topic: str, count: int, headers: Any) -> dict[int, list[int] | None]:
        """Target number → indexes of the messages it gets, None: all. Targets that get none are left out.

        Args:
            headers: The ``headers`` attribute: an object for all, an array with one each, or None.
        """
        routes: dict[int, list[int] | None] = {}
        for binding in self.matching(topic):
            if routes.get(binding.target, ()) is None:
                continue
            wanted = _filtered(binding, count, headers)
            before = routes.get(binding.target)
            if wanted is not None and before is not None:
                wanted = sorted({*before, *wanted})
            if wanted is None or wanted:
                routes[binding.target] = None if wanted is None or len(wanted) == count else wanted
        return routes

    def record_bytes(self, topic: str, count: int, *, listed: bool = False) -> int:
        """What naming the targets of ``count`` messages takes in their record at most; ``listed``: not all of them may be stored."""
        return sum(
            TARGET_BYTES + (INDEX_BYTES * count if listed or binding.headers else 0) for binding in self.matching(topic)
        )


def _filtered(binding: Binding, count: int, headers: Any) -> list[int] | None:
    if not binding.headers:
        return None
    if isinstance(headers, list):
        return [index for index in range(count) if _fits(binding, headers[index])]
    return None if _fits(binding, headers) else []


def _fits(binding: Binding, headers: dict[str, str] | None) -> bool:
    found = [(headers or {}).get(name) == value for name, value in binding.headers]
    return any(found) if binding.any_header else all(found)


Filter = tuple[tuple[tuple[str, str], ...], bool]
"""Headers and whether any of them is enough, as ``Binding`` keeps them."""


def check_filter(given: object) -> Filter:
    """The header filter that a client sent.

    Raises:
        InvalidRequest: another shape. LimitExceeded: more, or larger, than the headers of a message may be.
    """
    if isinstance(given, dict) and type(given.get("values")) is dict:
        check_headers(given["values"], "headers", LIMITS)
        if len(given["values"]) > (most := LIMITS.filter_headers_max):
            raise invalid("headers", f"a filter of at most {most} headers")
    return filter_of(given)


def filter_of(given: object) -> Filter:
    """The header filter ``{"match": "all" | "any", "values": {header: value}}``.

    Raises:
        InvalidRequest: another shape.
    """
    if given is None:
        return (), False
    if isinstance(given, dict):
        values, match = given.get("values"), given.get("match", "all")
        if isinstance(values, dict) and values and match in ("all", "any"):
            return tuple(sorted(values.items())), match == "any"
    raise InvalidRequest('headers must be {"match": "all" or "any", "values": {header: value}}.', field="headers")
