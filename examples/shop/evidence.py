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
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import message_pb2
from touchpoint.messaging.v1 import messaging_service_pb2 as messaging_pb

from examples.shop.campaign import CODE
from examples.shop.contacts import Contact
from examples.shop.platform import Platform
from examples.shop.sandbox import Arrived, Sandbox
from examples.shop.setting_up import STOP_REPLY, suppressed

MOST_LOOKS = 60
STILL_LOOKS = 2


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


async def settled(
    platform: Platform, sandbox: Sandbox, run: campaign_pb2.CampaignActivity, start: Start
) -> None:
    """Wait until every recipient has reacted and the figures stand still for a while.

    After a minute it is over all the same: the checks say what is missing.
    """
    before: object = None
    still, looks = 0, 0
    while still < STILL_LOOKS and looks < MOST_LOOKS:
        now = sorted(
            (one.event_type, one.treatment_id, one.count)
            for one in await event_counts(platform, run.application_id, run.campaign_id)
        )
        is_still = now == before and not await _is_awaited(platform, sandbox, run, start)
        still = still + 1 if is_still else 0
        before, looks = now, looks + 1
        await asyncio.sleep(1)


async def _is_awaited(
    platform: Platform, sandbox: Sandbox, run: campaign_pb2.CampaignActivity, start: Start
) -> bool:
    """Whether somebody has still to react, a receipt to come, or a STOP to be answered."""
    if (await sandbox.stats())["reactions"]["waiting"]:
        return True
    answered = len(_stop_replies(await sandbox.messages("SMS", start.at_ms)))
    if answered != await _opt_outs(platform, run.application_id, start.at):
        return True
    return await _texts_without_receipt(platform, run)


async def _texts_without_receipt(platform: Platform, run: campaign_pb2.CampaignActivity) -> bool:
    rows = await _ledger(platform, run, message_pb2.MESSAGE_STATE_SENT)
    return any(row.channel_type == channel_pb2.CHANNEL_TYPE_SMS for row in rows)


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
        _stop_replies(texts),
        (await sandbox.part_times())[start.parts :],
        await suppressed(platform, app_id),
        _totals(await event_counts(platform, app_id, run.campaign_id)),
        await _opt_outs(platform, app_id, start.at),
        os.getloadavg()[0] / (os.cpu_count() or 1),
    )


async def _ledger(
    platform: Platform,
    run: campaign_pb2.CampaignActivity,
    state: message_pb2.MessageState.ValueType = message_pb2.MESSAGE_STATE_UNSPECIFIED,
) -> list[message_pb2.Message]:
    """Every row of the run, or those in a state, page by page."""
    rows: list[message_pb2.Message] = []
    token = ""
    while True:
        answer = await platform.messaging.ListMessages(
            messaging_pb.ListMessagesRequest(
                application_id=run.application_id,
                dispatch_id=run.activity_id,
                state=state,
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


def _stop_replies(texts: Sequence[Arrived]) -> list[Arrived]:
    return [one for one in texts if one.body == STOP_REPLY]


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
