"""A gateway that wants a token, beside the demo: the console of somebody who runs Postroad where others can reach it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from postroad.gateway.auth.token import TokenKey
from services import eventually

SECRET = b"end-to-end tests sign with this secret"
RIGHTS = {verb: ["#"] for verb in ("publish", "peek", "manage", "redrive")}


@dataclass(frozen=True, slots=True)
class Guarded:
    url: str

    def token(self, *, seconds: float = 600, secret: bytes = SECRET) -> str:
        """A token for everything, good for so long."""
        return TokenKey(secret).sign({"sub": "ada", "exp": time.time() + seconds, "rights": RIGHTS})


@contextmanager
def guarded_gateway(folder: Path) -> Iterator[Guarded]:
    secret, log = folder / "secret", folder / "log"
    secret.write_bytes(SECRET)
    secret.chmod(0o600)
    command = [str(Path(sys.executable).with_name("postroad")), "serve", "--port", "0", "--data", str(folder / "data")]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--auth-secret-file", str(secret)], stdout=out, stderr=subprocess.STDOUT)
    try:
        said = eventually(
            log.read_text, lambda text: "is ready on" in text or process.poll() is not None, "the guarded gateway"
        )
        assert "is ready on" in said, said
        yield Guarded(said.split("is ready on ")[1].split()[0])
    finally:
        process.terminate()
        process.wait(20)
