"""Keeps the server of an engine running until it is told to end: ``python scripts/engine_server.py redis --data FOLDER``.

Says ``ready URL`` once it serves. A server that dies is started again at the same address; SIGTERM or SIGINT shuts it down.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from engines import ENGINES, server_of


class Ended(Exception):
    """Somebody wants it to end."""


def end(*_: object) -> None:
    # Once is enough: a second signal must not interrupt the shutting down.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    raise Ended


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=sorted(ENGINES))
    parser.add_argument("--data", type=Path, required=True, help="the server's folder; made when it is not there")
    options = parser.parse_args()
    server = server_of(options.engine, options.data.resolve())
    from servers import Missing

    try:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, end)
        server.start()
        print(f"ready {server.url}", flush=True)
        while server.process is not None:
            code = server.process.wait()
            print(f"{options.engine} ended with {code}; starting it again", flush=True)
            server.start()
    except Ended:
        return 0
    except Missing as missing:
        print(f"{missing}.", file=sys.stderr, flush=True)
        return 1
    finally:
        server.shut_down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
