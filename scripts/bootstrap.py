"""What every ``make`` target does first: install and build whatever is not up to date, then run the target.

Standard library only, and readable by any Python 3, so that an old one gets a sentence instead of a syntax error: the
annotations here are strings for its sake.
"""

import os
import sys

if sys.version_info < (3, 7):  # noqa: UP036
    sys.exit("Postroad needs Python 3.11 or newer; this is %s. Try: make PYTHON=python3.12" % sys.version.split()[0])  # noqa: UP031

import machine
from recipe import setup_steps
from step import Failed, build_all

ROOT = machine.ROOT
VENV_PYTHON = str(ROOT / ".venv" / "bin" / "python")
NEEDS_BROWSER = {"test", "test-long"}
NEEDS_SERVERS = {"test", "test-long", "test-engines"}


def command_of(target: "str", args: "list[str]") -> "list[str] | None":
    """The program behind a target; None for ``setup``, which is done when all is built."""
    if target == "setup":
        return None
    if target == "demo":
        return [machine.node(), str(ROOT / "web" / "demo" / "dist" / "stage.js"), *args]
    scripts = {"check": "check.py", "dev": "dev.py", "bench": "bench.py", "lock": "lock.py", "test": "run_tests.py"}
    scripts["test-engines"] = "test_engines.py"
    if target == "test-long":
        return [VENV_PYTHON, str(ROOT / "scripts" / "run_tests.py"), "--long", *args]
    if target not in scripts:
        raise Failed(f"There is no target {target!r}; `make help` lists them.")
    return [VENV_PYTHON, str(ROOT / "scripts" / scripts[target]), *args]


def engine_of(args: "list[str]") -> "str":
    """The engine that the demo is asked to run on."""
    for at, arg in enumerate(args):
        if arg == "--engine" and at + 1 < len(args):
            return args[at + 1]
        if arg.startswith("--engine="):
            return arg[len("--engine=") :]
    return "embedded"


def main(argv: "list[str]") -> "int":
    target, args = (argv[0], argv[1:]) if argv else ("setup", [])
    os.chdir(ROOT)
    try:
        python = machine.python()
        node_version = machine.check_node()
        if target == "demo":
            machine.provide_engine(engine_of(args))
        built = build_all(setup_steps(python, node_version))
        if target in NEEDS_BROWSER:
            machine.provide_chromium()
        if target in NEEDS_SERVERS:
            machine.provide_test_programs()
        command = command_of(target, args)
    except Failed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; the next start goes on from here.", file=sys.stderr)
        return 130
    if command is None:
        print("Everything is up to date." if not built else "Ready. `make demo` starts it, `make test` tests it.")
        return 0
    sys.stdout.flush()
    # The target takes the place of this process, so that signals and the exit code are its own.
    os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
