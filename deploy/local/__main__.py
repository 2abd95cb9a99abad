"""`python -m deploy.local up|down|status|servers|guard`: the local stack from the command line."""

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.local import environment, guard, stack
from deploy.local.mongodb import NoServerHere
from deploy.local.procfile import BadProcfile
from deploy.local.server import ServerFailed
from deploy.local.stack import Layout

ROOT = Path(__file__).resolve().parents[2]
KNOWN_FAILURES = (stack.NotStarted, ServerFailed, NoServerHere, BadProcfile)


def main() -> int:
    """Run one command; 0 when it did what it says, 1 with a message when it did not."""
    arguments = _parser().parse_args()
    layout = Layout(
        arguments.folder.resolve(), ROOT, arguments.procfile.resolve(), arguments.local_env
    )
    # Without this SIGTERM would end us at once and leave behind what we had started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    command: Callable[[Layout, argparse.Namespace], int] = arguments.command
    try:
        return command(layout, arguments)
    except KNOWN_FAILURES as failure:
        print(failure, file=sys.stderr)
        return 1


def _up(layout: Layout, _: argparse.Namespace) -> int:
    stack.up(layout, _given())
    print(f"Touchpoint is up. Addresses and keys: . {layout.env_file}")
    return 0


def _servers(layout: Layout, _: argparse.Namespace) -> int:
    stack.start_servers(layout, _given())
    print(f"MongoDB and RabbitMQ are up. Addresses: . {layout.env_file}")
    return 0


def _down(layout: Layout, _: argparse.Namespace) -> int:
    killed = stack.down(layout)
    print("Touchpoint is down." + (f" Had to be killed: {', '.join(killed)}." if killed else ""))
    return 0


def _status(layout: Layout, _: argparse.Namespace) -> int:
    """Print a line for each process; 0 only when there are some and all run."""
    found = stack.status(layout)
    for name, runs in found.items():
        print(f"{name:20} {'running' if runs else 'ended'}")
    if not found:
        print("Nothing is up here.")
    return 0 if found and all(found.values()) else 1


def _guard(layout: Layout, arguments: argparse.Namespace) -> int:
    guard.end_with(layout.folder, arguments.owner)
    return 0


def _given() -> dict[str, str]:
    names = ("MONGO_URI", "AMQP_URL")
    variables = environment.inherited()
    return {name: variables[name] for name in names if variables.get(name)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / ".touchpoint")
    parser.add_argument("--procfile", type=Path, default=ROOT / "deploy" / "Procfile")
    parser.add_argument("--local-env", type=Path, default=ROOT / "deploy" / "local.env")
    commands = parser.add_subparsers(required=True)
    for name, run, purpose in (
        ("up", _up, "start the servers and every deployable of the process table"),
        ("down", _down, "end everything that up or servers started, and delete its data"),
        ("status", _status, "list the processes and whether they run"),
        ("servers", _servers, "start MongoDB and RabbitMQ only, on the ports of local.env"),
    ):
        commands.add_parser(name, help=purpose).set_defaults(command=run)
    guarded = commands.add_parser("guard", help="end the stack when process OWNER ends")
    guarded.add_argument("owner", type=int)
    guarded.set_defaults(command=_guard)
    return parser


if __name__ == "__main__":
    sys.exit(main())
