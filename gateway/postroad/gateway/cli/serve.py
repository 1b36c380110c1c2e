"""``postroad serve``: configuration in, a running server, an exit code out."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from postroad.broker.engine.engine import Engine
from postroad.broker.errors import Corrupt, PostroadError, Unavailable
from postroad.broker.limits import Limits

from .. import log as logs
from ..app import build_app
from ..auth.access import Access
from ..auth.keys import kept_secret, read_secret
from ..auth.token import SECRET_BYTES_MIN, TokenKey
from ..config import Config
from ..protocol.capability import WatchKeys
from ..protocol.context import SessionContext
from ..server import Server
from ..serving import start, stop_signals
from .failure import CommandFailed, ExitCode
from .memory import Heap

log = logging.getLogger("postroad.gateway")

SWITCH_INTERVAL_S = 0.0005
"""The journal's thread must not wait long for the loop to hand over the interpreter."""


def serve(config: Config) -> ExitCode:
    """Run until SIGTERM or SIGINT.

    Raises:
        CommandFailed: it could not start; nothing was served.
    """
    os.umask(0o077)
    logs.set_up(config.log_level, config.log_format)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    heap = Heap()
    try:
        import uvloop
    except ImportError:  # not made for every platform
        return asyncio.run(_serve(config, heap))
    return uvloop.run(_serve(config, heap))


def build_server(config: Config, engine: Engine) -> Server:
    """The server of a configuration.

    Raises:
        CommandFailed: a secret cannot be read.
    """
    data = Path(config.data)
    try:
        key_file = Path(config.watch_key_file) if config.watch_key_file else data / "watch.key"
        watch_keys = WatchKeys(read_secret(key_file, 32) if config.watch_key_file else kept_secret(key_file))
        tokens = None
        if config.auth_secret_file is not None:
            secret = read_secret(Path(config.auth_secret_file), SECRET_BYTES_MIN)
            tokens = TokenKey(secret, issuer=config.auth_issuer, audience=config.auth_audience)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"A secret cannot be used: {error}.", ExitCode.USAGE) from None
    context = SessionContext(
        engine=engine,
        watch_keys=watch_keys,
        authenticate=None if tokens is None else tokens.authenticate,
        limits=_limits(config),
        version=_version(),
    )
    access = Access(config.host, config.host_names, config.origins)
    return Server(context=context, access=access, connections_max=config.connections_max)


def _limits(config: Config) -> Limits:
    return Limits(
        frame_bytes_max=config.frame_bytes_max,
        text_frame_bytes_max=min(config.text_frame_bytes_max, config.frame_bytes_max),
        http_body_bytes_max=config.http_body_bytes_max,
        body_bytes_max=config.body_bytes_max,
    )


async def _serve(config: Config, heap: Heap) -> ExitCode:
    engine = await _open(config)
    server = build_server(config, engine)
    try:
        running = await start(server, build_app(server, demo=config.demo), config)
    except OSError as error:
        await engine.close(0)
        raise CommandFailed(f"Cannot listen on {config.host}:{config.port}: {error.strerror or error}.") from None
    # What is there by now stays, and hardly anything later is in a cycle: the search for cycles is not worth its usual pace.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    print(f"Postroad is ready on {running.url} (data in {config.data}, durability {engine.durability})", flush=True)
    log.info("started", extra={"url": running.url, "engine": engine.name, "durability": engine.durability})
    server.spawn(heap.give_back())
    async with stop_signals() as stop:
        await stop.wait()
    log.info("stopping", extra={"grace_ms": config.grace_ms})
    await running.stop()
    log.info("stopped")
    return ExitCode.CLEAN


def _end(engine: Engine) -> None:
    """The engine has failed. Nothing more may be promised, and nothing more is taken: no drain, no goodbye, not another turn of the
    loop; also while the broker starts, or stops already."""
    reason = engine.unready or "The engine has failed."
    log.critical("engine_failed", extra={"reason": reason})
    os.write(2, f"Postroad has stopped. {reason} Nothing confirmed was lost.\n".encode())
    os._exit(ExitCode.SYNC_FAILED)


async def _open(config: Config) -> Engine:
    from postroad.broker.engine.open import open_engine

    try:
        Path(config.data).mkdir(mode=0o700, parents=True, exist_ok=True)
        engine: Engine = open_engine(
            config.engine,
            data=config.data,
            durability=config.durability,
            clock_ahead_max_ms=config.clock_ahead_max_ms,
        )
        engine.on_failure = lambda: _end(engine)
        await engine.start()
    except Corrupt as error:
        raise CommandFailed(f"The journal is damaged: {error.message}", ExitCode.CORRUPT) from None
    except Unavailable as error:
        raise CommandFailed(error.message, ExitCode.LOCKED) from None
    except PostroadError as error:
        raise CommandFailed(f"The engine cannot be opened: {error.message}", ExitCode.USAGE) from None
    except OSError as error:
        raise CommandFailed(f"The data folder {config.data} cannot be used: {error.strerror or error}.") from None
    return engine


def _version() -> str:
    with contextlib.suppress(PackageNotFoundError):
        return version("postroad")
    return "0"
