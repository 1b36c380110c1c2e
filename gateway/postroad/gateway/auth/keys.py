"""Secrets from files: never from the command line, never logged."""

from __future__ import annotations

import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path


def read_secret(file: Path, bytes_min: int) -> bytes:
    """A secret, without the newline an editor may have added.

    Raises:
        ValueError: too short. OSError: not readable.
    """
    secret = file.read_bytes().rstrip(b"\r\n")
    if len(secret) < bytes_min:
        raise ValueError(f"{file} must hold at least {bytes_min} bytes of secret")
    return secret


def kept_secret(file: Path) -> bytes:
    """The secret in ``file``, readable by its owner only; made at first use.

    It is written beside and linked into place whole, so a crash leaves either none or a good one.
    """
    try:
        return read_secret(file, 32)
    except FileNotFoundError:
        pass
    secret = urlsafe_b64encode(secrets.token_bytes(32))
    made = file.with_name(f"{file.name}.{os.getpid()}.new")
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secret + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(made, file)
    return secret
