"""Commands that need no server: ``config show``, ``journal verify``, ``token``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ..config import Loaded
from .failure import CommandFailed, ExitCode

Print = Callable[[str], None]


def show_config(loaded: Loaded, out: Print, *, as_json: bool) -> None:
    """Every setting with its origin. Secrets are only ever named by their file, so there is nothing to hide."""
    values = asdict(loaded.config)
    if as_json:
        shown = {name: {"value": value, "from": loaded.origins.get(name, "default")} for name, value in values.items()}
        out(json.dumps(shown))
        return
    for item in fields(loaded.config):
        value = values[item.name]
        text = json.dumps(list(value) if isinstance(value, tuple) else value)
        out(f"{item.name} = {text}  # {loaded.origins.get(item.name, 'default')}")


def verify_journal(data: Path, out: Print, *, as_json: bool) -> ExitCode:
    """Check every byte of a journal, changing nothing; the report is printed.

    Raises:
        CommandFailed: there is no journal, or it cannot be read.
    """
    from postroad.broker.errors import Corrupt
    from postroad.broker.journal import RealFiles
    from postroad.broker.journal.verify import verify

    if not data.is_dir():
        raise CommandFailed(f"There is no journal in {data}.", ExitCode.USAGE)
    try:
        report = verify(RealFiles(str(data)))
    except Corrupt as error:
        raise CommandFailed(f"The journal is damaged: {error.message}", ExitCode.CORRUPT) from None
    except OSError as error:
        raise CommandFailed(f"The journal in {data} cannot be read: {error.strerror or error}.") from None
    told = asdict(report)
    problems = told.pop("problems")
    if as_json:
        out(json.dumps({**told, "problems": problems}, default=str))
    else:
        for name, value in told.items():
            out(f"{name.replace('_', ' ')}: {value}")
        for problem in problems:
            out("damaged: {file} at byte {offset}, position {position}: {text}".format(**problem))
    return ExitCode.CORRUPT if problems else ExitCode.CLEAN


def make_token(secret_file: Path, claims: dict[str, Any]) -> str:
    """A signed token for development and scripts.

    Raises:
        CommandFailed: the secret cannot be used.
    """
    from ..auth.keys import read_secret
    from ..auth.token import SECRET_BYTES_MIN, TokenKey

    try:
        return TokenKey(read_secret(secret_file, SECRET_BYTES_MIN)).sign(claims)
    except (OSError, ValueError) as error:
        raise CommandFailed(f"The secret cannot be used: {error}.", ExitCode.USAGE) from None
