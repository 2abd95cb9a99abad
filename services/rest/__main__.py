"""The REST edge as a process; `python -m services.rest routes` prints its routes."""

import sys

from libs.chassis.run import run
from services.rest.config import Settings
from services.rest.domain.model import load_model
from services.rest.domain.operations import OPERATIONS
from services.rest.setup import setup


def print_routes() -> None:
    """One line an operation: method, path, name, and the RPC that serves it."""
    for name, action in sorted(load_model().actions.items(), key=lambda item: item[1].path):
        row = OPERATIONS.get(name)
        served = row.rpc if row else "not built: answers 501"
        sys.stdout.write(f"{action.method:7}{action.path:90}{name:40}{served}\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["routes"]:
        print_routes()
    else:
        run(Settings, setup, "rest")
