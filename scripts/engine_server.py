"""Keeps the server of an engine running until it is told to end: ``python scripts/engine_server.py redis --data FOLDER``.

Says ``ready`` and, as JSON, the ``url`` and the ``environment`` of its clients once it serves. A server that dies is started again at the same address; SIGTERM or SIGINT shuts it down.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from engines import ENGINES, SERVERS, server_of


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
    sys.path.insert(0, str(SERVERS))
    from servers import Missing

    try:
        server, environment = server_of(options.engine, options.data.resolve())
    except Missing as missing:
        return give_up(missing)
    try:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, end)
        server.start()
        print("ready", json.dumps({"url": server.url, "environment": environment}), flush=True)
        while server.process is not None:
            code = server.process.wait()
            print(f"{options.engine} ended with {code}; starting it again", flush=True)
            server.start()
    except Ended:
        return 0
    except Missing as missing:
        return give_up(missing)
    finally:
        server.shut_down()
    return 0


def give_up(missing: Exception) -> int:
    print(f"{missing}.", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
