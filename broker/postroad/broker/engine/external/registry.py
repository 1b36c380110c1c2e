"""What is declared: a copy of the definitions that the engine keeps for all gateways."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from zlib import crc32

from ...core.durable.topic.bindings import Binding, Bindings, check_filter, filter_of
from ...core.durable.topic.pattern import check_pattern
from ...errors import Conflict, InvalidRequest, PostroadError, QueueNotFound
from ...names import NAME_LENGTH_MAX, queue_name
from ...settings import QueueSettings, StreamSettings
from ..engine import Json
from .able import refusal
from .backend import Backend, Definition

GROUP_SEPARATOR = "/"


class Registry:
    """Attributes:
    definitions: By name.
    """

    def __init__(self, backend: Backend) -> None:
        self.definitions: dict[str, Definition] = {}
        self._backend = backend
        self._settings: dict[str, QueueSettings] = {}
        self._bindings = Bindings()
        self._targets: list[str] = []
        self._numbers: dict[str, int] = {}

    async def refresh(self) -> None:
        found = {definition.name: definition for definition in await self._backend.load()}
        self.definitions = found
        self._changed()

    def put(self, definition: Definition) -> None:
        """Another gateway, or we, declared it. An older version than ours changes nothing."""
        ours = self.definitions.get(definition.name)
        if ours is None or ours.version < definition.version:
            self.definitions[definition.name] = definition
            self._changed()

    def drop(self, name: str) -> None:
        for gone in [other for other in self.definitions if other == name or other.startswith(name + GROUP_SEPARATOR)]:
            del self.definitions[gone]
        for binding in [d for d in self.definitions.values() if d.kind == "binding" and d.settings["target"] == name]:
            del self.definitions[binding.name]
        self._changed()

    def _changed(self) -> None:
        self._settings.clear()
        self._bindings, self._targets, self._numbers = Bindings(), [], {}
        for definition in self.definitions.values():
            if definition.kind == "binding":
                self._bindings.add(self._binding(definition))

    def _binding(self, definition: Definition) -> Binding:
        target = definition.settings["target"]
        if target not in self._numbers:
            self._numbers[target] = len(self._targets)
            self._targets.append(target)
        headers, any_header = filter_of(definition.settings.get("headers"))
        return Binding(definition.settings["topic"], self._numbers[target], headers, any_header)

    def find(self, name: str, *kinds: str) -> Definition | None:
        found = self.definitions.get(name)
        return found if found is not None and found.kind in kinds else None

    async def need(self, name: str, *kinds: str) -> Definition:
        """Raises: QueueNotFound."""
        found = self.find(name, *kinds)
        if found is None:
            await self.refresh()  # another gateway may have declared it a moment ago
            found = self.find(name, *kinds)
        if found is None:
            what = "stream" if kinds == ("stream",) else "queue"
            raise QueueNotFound(f'There is no {what} named "{name[:75]}".', queue=name[:75])
        return found

    def settings(self, name: str) -> QueueSettings | None:
        found = self._settings.get(name)
        if found is None:
            definition = self.find(name, "queue", "group")
            if definition is None:
                return None
            found = self._settings[name] = QueueSettings(**definition.settings)
        return found

    def route(self, topic: str, count: int, headers: object) -> list[tuple[str, list[int] | None]]:
        """Targets of a publish to a topic, with the indexes of what each gets (None: all)."""
        routes = self._bindings.route(topic, count, headers)
        return [(self._targets[number], only) for number, only in routes.items()]

    async def declare(
        self, name: str, kind: str, given: Mapping[str, object], *, update: bool, dead_letter_of: str | None = None
    ) -> tuple[Definition, bool, bool]:
        """Make, check or update; returns the definition, whether it is new and whether it changed.

        Raises:
            Conflict: declared with other settings, or the name is taken by another kind. Unsupported: a setting.
        """
        existing = self.definitions.get(name)
        if existing is None:
            settings = self._checked(kind, {}, given)
            wanted = Definition(
                name=name, kind=kind, settings=settings, dead_letter_of=dead_letter_of, version=_version()
            )
            existing = await self._backend.save(wanted, new=True)
            self.put(existing)
            if existing.version == wanted.version:
                return existing, True, True
        if existing.kind != kind:
            raise Conflict(f'"{name}" is a {existing.kind}.', queue=name)
        settings = self._checked(kind, existing.settings, given)
        if settings == existing.settings:
            return existing, False, False
        if not update:
            differ = [setting for setting, value in settings.items() if value != existing.settings.get(setting)]
            raise Conflict(f'"{name}" was declared with other settings: {", ".join(differ)}.', settings=differ)
        return await self.change(existing, settings=settings), False, True

    def _checked(self, kind: str, present: Json, given: Mapping[str, object]) -> Json:
        if kind == "stream":
            stream = StreamSettings(**present).changed(given)
            settings, defaults, able = stream.to_json(), StreamSettings().to_json(), self._backend.stream_settings
        else:
            settings, defaults = QueueSettings(**present).changed(given).to_json(), QueueSettings().to_json()
            able = self._backend.settings
            for name in ("length_max", "bytes_max", "overflow") if kind == "group" else ():
                if settings[name] != defaults[name]:
                    raise InvalidRequest(f"{name} is no setting of a group.", field=f"settings.{name}")
        for name, value in settings.items():
            if value != defaults[name] and name not in able:
                raise refusal(self._backend, name, field=f"settings.{name}")
        return settings

    async def change(self, definition: Definition, **changes: object) -> Definition:
        values = {name: getattr(definition, name) for name in definition.__dataclass_fields__}
        values |= changes
        changed = Definition(**{**values, "version": max(_version(), definition.version + 1)})
        kept = await self._backend.save(changed, new=False)
        self.put(kept)
        return kept

    async def bind(self, topic: object, target: str, headers: object, *, on: bool) -> bool:
        """Raises: InvalidName, InvalidRequest, QueueNotFound."""
        pattern = check_pattern(topic)
        await self.need(target, "queue", "stream")
        filtered, any_header = check_filter(headers)
        name = (
            f"{pattern} {target} {(any_header and 'any') or 'all'} {filtered!r}" if filtered else f"{pattern} {target}"
        )
        existing = self.definitions.get(name)
        if on == (existing is not None):
            return False
        if existing is not None:
            await self._backend.erase(existing)
            self.definitions.pop(name, None)
            self._changed()
            return True
        settings = {"topic": pattern, "target": target, "headers": headers}
        self.put(
            await self._backend.save(
                Definition(name=name, kind="binding", settings=settings, version=_version()), new=True
            )
        )
        return True

    def dead_letter_name(self, name: str) -> str | None:
        """Where exhausted messages of a queue or group go; None: they are dropped."""
        settings = self.settings(name)
        if settings is None or settings.dead_letter is None:
            return None
        return settings.dead_letter or dead_letter_name(name)

    async def dead_letter_queue(self, name: str) -> Definition | None:
        wanted = self.dead_letter_name(name)
        if wanted is None:
            return None
        found = self.find(wanted, "queue")
        if found is None:
            settings = {"dead_letter": None}
            found, _, _ = await self.declare(wanted, "queue", settings, update=False, dead_letter_of=name)
        return found

    def names(self, *kinds: str) -> Sequence[Definition]:
        return [self.definitions[name] for name in sorted(self.definitions) if self.definitions[name].kind in kinds]


def dead_letter_name(name: str) -> str:
    """As the embedded engine names them."""
    wanted = name.replace(GROUP_SEPARATOR, ".") + ".dead"
    if len(wanted) > NAME_LENGTH_MAX:
        wanted = f"{wanted[:60]}-{crc32(name.encode()):08x}.dead"
    return wanted


def checked_name(name: str) -> str:
    """A queue's name, or a group's with its stream's."""
    stream, separator, group = name.partition(GROUP_SEPARATOR)
    return queue_name(stream) + (separator + queue_name(group) if separator else "")


def unknown(name: str) -> PostroadError:
    return InvalidRequest(f"There is no operation {name[:40]!a}.", field="do")


def _version() -> int:
    return time.time_ns() // 1000
