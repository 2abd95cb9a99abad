"""`python -m services.messaging gateway | worker --channel email|sms|push|... | migrate`."""

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from functools import partial
from importlib import import_module

from libs.chassis import config, logging
from libs.chassis.run import run
from services.messaging.config import Settings

# Named here and not asked of the worker's modules: the gateway imports none of them.
_CHANNELS = ("email", "sms", "push", "apns", "gcm", "adm", "baidu", "voice", "custom")


def main() -> None:
    """Run the target named on the command line. Each imports only what it needs."""
    arguments = _parser().parse_args()
    if arguments.target == "gateway":
        setup = import_module("services.messaging.setup.gateway").setup_gateway
        run(Settings, setup, "messaging-gateway")
    elif arguments.target == "worker":
        setup = import_module("services.messaging.setup.worker").setup
        run(Settings, partial(setup, channel=arguments.channel), f"messaging-{arguments.channel}")
    else:
        asyncio.run(_migrate())


async def _migrate() -> None:
    migrate = import_module("services.messaging.setup.gateway").migrate_database
    settings = config.load(Settings)
    logging.configure("messaging-migrate", settings.log_level, settings.log_format)
    async with AsyncExitStack() as stack:
        version = await migrate(settings, stack)
    sys.stdout.write(f"the database is at version {version}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.messaging")
    targets = parser.add_subparsers(dest="target", required=True)
    targets.add_parser("gateway", help="RPC in, queue out, clocks")
    targets.add_parser("migrate", help="change the database to what this version needs")
    worker = targets.add_parser("worker", help="hand the messages of one channel to its provider")
    worker.add_argument("--channel", choices=_CHANNELS, required=True)
    return parser


if __name__ == "__main__":
    main()
