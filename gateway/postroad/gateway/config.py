"""Configuration: one frozen dataclass; a TOML file, then the environment, then flags. docs/configuration.md lists it.

Everything is checked at start and all errors are told at once.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .auth.access import is_loopback

DURABILITIES = ("sync", "os", "memory")
LOG_FORMATS = ("auto", "json", "console")
LOG_LEVELS = ("debug", "info", "warning", "error")


def _setting(default: Any, doc: str, **metadata: Any) -> Any:
    return field(default=default, metadata={"doc": doc, **metadata})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting; its key in the file, ``POSTROAD_<KEY>`` in the environment and ``--<key>`` are the same word."""

    host: str = _setting("127.0.0.1", "Address to listen on. One that is not loopback needs `auth_secret_file`.")
    port: int = _setting(7070, "Port to listen on; 0 takes a free one.", low=0, high=65_535)
    data: str = _setting("postroad-data", "Folder of the journal. Made if missing.")
    engine: str = _setting("embedded:", "What stores and delivers, as a URL.")
    durability: str = _setting(
        "sync", "When a publish is confirmed: `sync` (on disk), `os` (written), `memory`.", choices=DURABILITIES
    )
    origins: tuple[str, ...] = _setting((), "Origins whose pages may connect, e.g. `https://app.example`.")
    host_names: tuple[str, ...] = _setting((), "Names, without port, under which the server is reached (Host header).")
    auth_secret_file: str | None = _setting(None, "File with the secret (32 bytes or more) of HS256 tokens.")
    auth_issuer: str | None = _setting(None, "Tokens must have this `iss`.")
    auth_audience: str | None = _setting(None, "Tokens must have this `aud`.")
    watch_key_file: str | None = _setting(
        None,
        "File with the secret behind watch capabilities; default `watch.key` in the data folder, made at first start.",
    )
    demo_api: str | None = _setting(None, "URL of the demo's API; the console then shows the demo.")
    demo_stage: str | None = _setting(None, "URL of the demo's stage, where faults are switched on.")
    connections_max: int = _setting(10_000, "WebSocket connections; more are answered 503.", low=1, high=1_000_000)
    frame_bytes_max: int = _setting(16_777_216, "Largest frame, bytes.", low=65_536, high=268_435_456)
    text_frame_bytes_max: int = _setting(
        2_097_152, "Largest text frame, bytes: it is JSON, parsed as a whole.", low=65_536, high=16_777_216
    )
    http_body_bytes_max: int = _setting(
        2_097_152, "Largest body of an HTTP request, bytes: as a text frame.", low=65_536, high=16_777_216
    )
    body_bytes_max: int = _setting(1_048_576, "Largest message body, bytes.", low=1, high=134_217_728)
    grace_ms: int = _setting(5_000, "At a stop, how long settles are taken, milliseconds.", low=0, high=60_000)
    clock_ahead_max_ms: int = _setting(
        86_400_000,
        "A start whose clock is further than this past the last record deletes nothing for its age until that clock is confirmed, or an hour has passed, milliseconds.",
        low=60_000,
        high=366 * 86_400_000,
    )
    log_level: str = _setting("info", "What is logged at least.", choices=LOG_LEVELS)
    log_format: str = _setting("auto", "`json`, `console`, or `auto`: console on a terminal.", choices=LOG_FORMATS)

    @property
    def demo(self) -> dict[str, str] | None:
        if self.demo_api is None or self.demo_stage is None:
            return None
        return {"api": self.demo_api, "stage": self.demo_stage}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration and where each value that is not a default came from."""

    config: Config
    origins: Mapping[str, str]


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` has one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def load(
    file: Path | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Loaded:
    """Read and check all three sources; later ones win. Flags that are ``None`` or empty were not given.

    Raises:
        ConfigError: with every problem found.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    known = {item.name: item for item in fields(Config)}
    for source, given in (
        (f"file {file}", _from_file(file, problems)),
        ("environment", _from_environment(os.environ if environment is None else environment, known)),
        ("flag", {name: value for name, value in (flags or {}).items() if value not in (None, [], ())}),
    ):
        for name, value in given.items():
            if name not in known:
                problems.append(f"There is no setting {name!r} ({source}).")
                continue
            try:
                values[name] = _checked(known[name], value)
                origins[name] = source
            except ValueError as error:
                problems.append(f"{name} {error} ({source}).")
    config = Config(**values)
    problems += _together(config)
    if problems:
        raise ConfigError(problems)
    return Loaded(config=config, origins=origins)


def _from_file(file: Path | None, problems: list[str]) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        problems.append(f"The configuration file {file} cannot be read: {error}.")
        return {}


def _from_environment(environment: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in known.items():
        text = environment.get(f"POSTROAD_{name.upper()}")
        if text is not None and text != "":
            found[name] = [part.strip() for part in text.split(",") if part.strip()] if item.default == () else text
    return found


def _checked(item: Any, value: Any) -> Any:
    """The value as its field wants it; text may stand for a number.

    Raises:
        ValueError: with the rest of a sentence.
    """
    metadata = item.metadata
    if "low" in metadata:
        low, high = metadata["low"], metadata["high"]
        if isinstance(value, str) and value.lstrip("-").isdecimal():
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"must be an integer from {low} to {high}")
        return value
    if item.default == ():
        if isinstance(value, str) or not all(isinstance(part, str) and part for part in value):
            raise ValueError("must be a list of strings")
        return tuple(value)
    if not isinstance(value, str) or not value:
        raise ValueError("must be text")
    if "choices" in metadata and value not in metadata["choices"]:
        raise ValueError("must be one of " + ", ".join(metadata["choices"]))
    return value


def _together(config: Config) -> list[str]:
    problems: list[str] = []
    if not is_loopback(config.host) and config.auth_secret_file is None:
        problems.append(
            f"{config.host} can be reached from other machines, so callers must be authenticated: "
            "give auth_secret_file, or listen on 127.0.0.1."
        )
    if config.body_bytes_max > config.frame_bytes_max:
        problems.append("body_bytes_max cannot be larger than frame_bytes_max.")
    if (config.demo_api is None) != (config.demo_stage is None):
        problems.append("demo_api and demo_stage go together.")
    for name in ("demo_api", "demo_stage"):
        url = getattr(config, name)
        if url is not None and not _is_origin(url):
            problems.append(f"{name} must be an http origin such as http://127.0.0.1:8081.")
    problems += [
        f"origins: {origin!a} is not an origin such as https://app.example."
        for origin in config.origins
        if not _is_origin(origin)
    ]
    return problems


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_name = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return has_name and text.isascii() and not set(text) & set(" ;,'\"") and text == f"{parts.scheme}://{parts.netloc}"
