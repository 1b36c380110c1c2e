"""The manifest: identity of the store and how it was left.

``clean`` decides what checksums cannot. A store that was closed properly has no torn tail, so a missing or damaged end is
corruption, not a crash. The next start clears the mark, durably, before it writes anything else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson
from google_crc32c import value

from ..errors import Corrupt, Unsupported
from .files import Files, read_whole, write_whole
from .record import VERSION

NAME = "manifest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Contents of the file.

    Attributes:
        store: Identity, 32 hex digits; other stores' files are refused.
        epoch: Number of starts.
        clean: Closed properly, nothing written since.
        proven: Everything up to this position is known to be on disk.
        proven_crc: Crc of the last batch, when ``clean``.
        ends: Segment name → position after its last record, for kept segments whose successor was deleted.
        dropped: Segment files being deleted; a crash may have left some.
    """

    store: str
    epoch: int = 0
    clean: bool = False
    proven: int = 0
    proven_crc: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)


def read_manifest(files: Files) -> Manifest:
    """The checked manifest.

    Raises:
        Corrupt: damaged.
        Unsupported: the store needs a later version.
    """
    data = read_whole(files, NAME)
    body, _, crc = data.rpartition(b"\n#")
    try:
        if f"{value(body):08x}\n".encode() != crc:
            raise ValueError("checksum")
        content: dict[str, Any] = orjson.loads(body)
        minimum = content.pop("min_reader")
        if minimum > VERSION:
            raise Unsupported(f"The journal needs format version {minimum}; this is {VERSION}.")
        return Manifest(**content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Corrupt("The journal's manifest is damaged.", segment=NAME, offset=0) from error


def write_manifest(files: Files, manifest: Manifest) -> None:
    body = orjson.dumps({"min_reader": VERSION, **asdict(manifest)})
    write_whole(files, NAME, [body + f"\n#{value(body):08x}\n".encode()])
