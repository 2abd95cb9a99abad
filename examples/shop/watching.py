"""Follows a run while it sends: how many, how fast, how long still."""

import asyncio
import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from touchpoint.analytics.v1.analytics_service_pb2 import EventCount
from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.campaigns.v1 import campaigns_service_pb2 as pb

from examples.shop.evidence import event_counts
from examples.shop.platform import Platform
from examples.shop.sandbox import Sandbox
from examples.shop.screen import Screen, count

SMS_LIMIT: Final = 20
SECOND_US: Final = 1_000_000
MOST_SECONDS: Final = 240.0
BAR_WIDTH: Final = 72
_LOOK_SECONDS: Final = 0.5
_TELL_LOOKS: Final = 10  # without a terminal: a line every five seconds
_HANDED_OVER: Final = ("SENT", "DELIVERED", "FAILED")
_DELIVERED: Final = frozenset({"_email.delivered", "_SMS.SUCCESS"})
_OPEN: Final = ("QUEUED", "CLAIMED", "RETRY", "HELD", "UNKNOWN")
_OVER: Final = frozenset(
    {campaign_pb2.CampaignActivity.STATE_COMPLETED, campaign_pb2.CampaignActivity.STATE_CANCELLED}
)


@dataclass(frozen=True)
class Standing:
    """How a run stands, and how fast texts arrive."""

    states: Mapping[str, int]
    delivered: int
    seconds_left: int
    sms_rate: int

    @property
    def sent(self) -> int:
        return sum(self.states.get(state, 0) for state in _HANDED_OVER)

    @property
    def skipped(self) -> int:
        return self.states.get("SKIPPED", 0)

    @property
    def waiting(self) -> int:
        return sum(self.states.get(state, 0) for state in _OPEN)

    def line(self) -> str:
        """The same in one line, for logs."""
        return (
            f"sent {count(self.sent)} of {count(self.sent + self.waiting)}"
            f"  delivered {count(self.delivered)}  skipped {count(self.skipped)}"
            f"  SMS {self.sms_rate}/{SMS_LIMIT} a second  {self.seconds_left} s left"
        )


async def run_of(
    platform: Platform, app_id: str, campaign_id: str
) -> campaign_pb2.CampaignActivity | None:
    """The campaign's run; None while it has not begun."""
    answer = await platform.campaigns.ListCampaignActivities(
        pb.ListCampaignActivitiesRequest(application_id=app_id, campaign_id=campaign_id),
        metadata=platform.key,
    )
    return answer.activities[0] if answer.activities else None


async def follow(
    screen: Screen, platform: Platform, sandbox: Sandbox, app_id: str, campaign_id: str
) -> campaign_pb2.CampaignActivity:
    """Show the run until it is over; returns it."""
    looks = 0
    with _display(screen) as live:
        async with asyncio.timeout(MOST_SECONDS):
            while True:
                run = await run_of(platform, app_id, campaign_id)
                if run is not None:
                    events = await event_counts(platform, app_id, campaign_id)
                    standing = _standing(run, events, await sandbox.part_times())
                    live.update(_drawn(standing))
                    over = run.state in _OVER
                    if not screen.is_live and (over or looks % _TELL_LOOKS == 0):
                        screen.say(f"  {standing.line()}")
                    if over:
                        return run
                    looks += 1
                await asyncio.sleep(_LOOK_SECONDS)


def _display(screen: Screen) -> Live:
    # Where nobody watches, nothing is redrawn: the lines above are all there is.
    return Live(console=screen.console, auto_refresh=screen.is_live, transient=not screen.is_live)


def _standing(
    run: campaign_pb2.CampaignActivity,
    events: Sequence[EventCount],
    part_times: Sequence[int],
) -> Standing:
    delivered = sum(one.count for one in events if one.event_type in _DELIVERED)
    progress = run.progress
    return Standing(progress.state_counts, delivered, progress.seconds_left, _rate_now(part_times))


def _rate_now(part_times: Sequence[int]) -> int:
    """Parts in the second before the newest one."""
    if not part_times:
        return 0
    return len(part_times) - bisect.bisect_right(part_times, part_times[-1] - SECOND_US)


def _drawn(standing: Standing) -> Group:
    bar = Table.grid()  # a bar by itself does not end its line
    whole = max(standing.sent + standing.waiting, 1)
    bar.add_row(ProgressBar(total=whole, completed=standing.sent, width=BAR_WIDTH))
    return Group(bar, Text(standing.line()))


def most_in(times: Sequence[int], window_us: int) -> int:
    """The most arrivals in any window, wherever it begins; times in microseconds, ascending."""
    most = first = 0
    for last, time in enumerate(times):
        while time - times[first] >= window_us:
            first += 1
        most = max(most, last - first + 1)
    return most


def mean_rate(times: Sequence[int]) -> float:
    """Arrivals a second from the first to the last."""
    if len(times) < 2:
        return 0.0
    return (len(times) - 1) / max((times[-1] - times[0]) / SECOND_US, 1e-6)
