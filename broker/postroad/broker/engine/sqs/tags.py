"""Definitions as tags of queues.

A tag's value takes 256 characters of a small alphabet, so a definition is base64 of its JSON, in as many tags as it needs::

    <key>      <count>:<version>:<first part>
    <key>.1    <version>:<next part>            and so on

The version in each part tells a definition that is just being changed from a whole one. A queue's own has the key ``postroad``; a binding is
kept with its target, under ``postroad:b:<hash of its name>``. SQS takes 50 tags a queue.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

import orjson

from ...settings import QueueSettings
from ..external import Definition

OWN = "postroad"
BINDING = "postroad:b:"
VERSION = "postroad:version"
_PART = 220


def key_of(definition: Definition) -> str:
    if definition.kind != "binding":
        return OWN
    return BINDING + hashlib.blake2b(definition.name.encode(), digest_size=9).hexdigest()


def to_tags(definition: Definition) -> dict[str, str]:
    row = {name: getattr(definition, name) for name in definition.__dataclass_fields__}
    if definition.kind == "queue":
        defaults = QueueSettings().to_json()
        row["settings"] = {name: value for name, value in definition.settings.items() if value != defaults[name]}
    data = base64.urlsafe_b64encode(orjson.dumps(row)).decode()
    parts = [data[at : at + _PART] for at in range(0, len(data), _PART)]
    key = key_of(definition)
    tags = {f"{key}.{at}": f"{definition.version}:{part}" for at, part in enumerate(parts) if at}
    tags[key] = f"{len(parts)}:{definition.version}:{parts[0]}"
    return tags


def from_tags(tags: dict[str, str]) -> list[Definition]:
    """All whole definitions among a queue's tags."""
    keys = [key for key in tags if key == OWN or (key.startswith(BINDING) and "." not in key)]
    return [definition for key in keys if (definition := _definition(tags, key)) is not None]


def keys_of(tags: Iterable[str], key: str) -> list[str]:
    """All tags that hold parts of a definition."""
    return [tag for tag in tags if tag == key or tag.startswith(key + ".")]


def _definition(tags: dict[str, str], key: str) -> Definition | None:
    count, _, rest = tags[key].partition(":")
    version, _, data = rest.partition(":")
    if not count.isdigit():
        return None
    for at in range(1, int(count)):
        its_version, _, part = tags.get(f"{key}.{at}", "").partition(":")
        if its_version != version:
            return None
        data += part
    try:
        definition = Definition(**orjson.loads(base64.urlsafe_b64decode(data)))
    except (ValueError, TypeError):
        return None
    if definition.kind == "queue":
        definition.settings = {**QueueSettings().to_json(), **definition.settings}
    return definition
