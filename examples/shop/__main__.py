"""`python -m examples.shop`: the demo. Ends with 0 when every check held."""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from examples.shop.generate import PEOPLE
from examples.shop.platform import connected
from examples.shop.sandbox import opened
from examples.shop.screen import Screen, screen
from examples.shop.stack import ROOT, NoPlatform, find_or_start
from examples.shop.story import Demo

CHART = ROOT / "build" / "demo" / "campaign.png"
# Fewer than this many people would leave some of the file's kinds of contact without an example.
FEWEST_PEOPLE = 150


def main() -> int:
    """Find or start the platform, tell the story, count what failed."""
    arguments = _parser().parse_args()
    people = min(max(arguments.people, FEWEST_PEOPLE), PEOPLE)
    shown, begun = screen(), time.monotonic()
    shown.say("Touchpoint: a shop writes to its customers. Nothing leaves this machine.")
    variables = _platform(shown)
    if variables is None:
        return 1
    asyncio.run(_tell(shown, variables, people, arguments.chart.resolve()))
    return _ended(shown, time.monotonic() - begun)


def _platform(shown: Screen) -> Mapping[str, str] | None:
    shown.quiet("Looking for the platform; if none runs, one is started (MongoDB, RabbitMQ, ten")
    shown.quiet("services and a sandbox), which takes a moment.")
    try:
        found = find_or_start()
    except NoPlatform as failure:
        shown.say(f"The platform did not start.\n{failure}")
        return None
    shown.say("It was started." if found.started_here else "It was running already.")
    return found.variables


async def _tell(shown: Screen, variables: Mapping[str, str], people: int, chart: Path) -> None:
    async with (
        connected(variables) as platform,
        opened(variables["TOUCHPOINT_SANDBOX_URL"]) as sandbox,
    ):
        await Demo(shown, platform, sandbox, variables, people, chart).run()


def _ended(shown: Screen, seconds: float) -> int:
    shown.say("")
    if shown.failed:
        shown.say(f"{len(shown.failed)} of the checks above failed. ({seconds:.0f} s)")
        return 1
    held = "Every check that could be judged held" if shown.unjudged else "Every check held"
    shown.say(f"{held}. ({seconds:.0f} s)")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.shop", description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE, help="only the first so many")
    parser.add_argument("--chart", type=Path, default=CHART, help="where the chart is written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
