"""Gathers what the platform wrote down and what recipients got, to be held against each other."""

import asyncio
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from touchpoint.analytics.v1 import analytics_service_pb2 as analytics_pb
from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.messaging.v1 import message_pb2
from touchpoint.messaging.v1 import messaging_service_pb2 as messaging_pb

from examples.shop.campaign import CODE
from examples.shop.contacts import Contact
from examples.shop.platform import Platform
from examples.shop.sandbox import Arrived, Sandbox
from examples.shop.setting_up import STOP_REPLY, suppressed

SETTLE_SECONDS = 60.0
# The SMS centre repeats a receipt that came too early after a second.
STILL_LOOKS = 3


@dataclass(frozen=True)
class Evidence:
    """Both sides of a run. `blocked` are addresses that were suppressed before it began; `load` is
    how many programs wanted each processor meanwhile.
    """

    audience: Sequence[Contact]
    blocked: frozenset[str]
    run: campaign_pb2.CampaignActivity
    ledger: Sequence[message_pb2.Message]
    mails: Sequence[Arrived]
    texts: Sequence[Arrived]
    stop_replies: Sequence[Arrived]
    part_times: Sequence[int]
    suppressed: Mapping[str, str]
    events: Mapping[str, int]
    opt_outs: int
    load: float


@dataclass(frozen=True)
class Start:
    """What was there before the campaign."""

    at: datetime
    blocked: frozenset[str]
    parts: int

    @property
    def at_ms(self) -> int:
        return int(self.at.timestamp() * 1000)


async def settled(platform: Platform, sandbox: Sandbox, app_id: str, campaign_id: str) -> None:
    """Wait until every recipient has reacted and the figures stand still for a while."""
    before: object = None
    still = 0
    async with asyncio.timeout(SETTLE_SECONDS):
        while still < STILL_LOOKS:
            waiting = (await sandbox.stats())["reactions"]["waiting"]
            now = sorted(
                (one.event_type, one.treatment_id, one.count)
                for one in await event_counts(platform, app_id, campaign_id)
            )
            still = still + 1 if now == before and not waiting else 0
            before = now
            await asyncio.sleep(1)


async def event_counts(
    platform: Platform, app_id: str, campaign_id: str
) -> Sequence[analytics_pb.EventCount]:
    """Events of the campaign by type and treatment."""
    answer = await platform.analytics.GetCampaignEventCounts(
        analytics_pb.GetCampaignEventCountsRequest(application_id=app_id, campaign_id=campaign_id),
        metadata=platform.key,
    )
    return answer.counts


async def gathered(
    platform: Platform,
    sandbox: Sandbox,
    run: campaign_pb2.CampaignActivity,
    audience: Sequence[Contact],
    start: Start,
) -> Evidence:
    """Everything the checks look at."""
    app_id = run.application_id
    texts = await sandbox.messages("SMS", start.at_ms)
    return Evidence(
        audience,
        start.blocked,
        run,
        await _ledger(platform, run),
        [one for one in await sandbox.messages("EMAIL", start.at_ms) if CODE in one.body],
        [one for one in texts if CODE in one.body],
        [one for one in texts if one.body == STOP_REPLY],
        (await sandbox.part_times())[start.parts :],
        await suppressed(platform, app_id),
        _totals(await event_counts(platform, app_id, run.campaign_id)),
        await _opt_outs(platform, app_id, start.at),
        os.getloadavg()[0] / (os.cpu_count() or 1),
    )


async def _ledger(
    platform: Platform, run: campaign_pb2.CampaignActivity
) -> list[message_pb2.Message]:
    """Every row of the run, page by page."""
    rows: list[message_pb2.Message] = []
    token = ""
    while True:
        answer = await platform.messaging.ListMessages(
            messaging_pb.ListMessagesRequest(
                application_id=run.application_id,
                dispatch_id=run.activity_id,
                page_size=1000,
                page_token=token,
            ),
            metadata=platform.key,
        )
        rows.extend(answer.messages)
        token = answer.next_page_token
        if not token:
            return rows


def _totals(counts: Sequence[analytics_pb.EventCount]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for one in counts:
        totals[one.event_type] += one.count
    return dict(totals)


async def _opt_outs(platform: Platform, app_id: str, since: datetime) -> int:
    """How many people answered a text with STOP; they answer a number, not a campaign."""
    begin = Timestamp()
    begin.FromDatetime(since)
    answer = await platform.events.ListEvents(
        analytics_pb.ListEventsRequest(
            application_id=app_id, event_type="_SMS.OPTOUT", start_time=begin, page_size=1000
        ),
        metadata=platform.key,
    )
    return len(answer.events)
