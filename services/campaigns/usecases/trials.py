"""Test sends: a campaign's message to a few people before all get it (spec 6.11)."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1.audience_service_pb2 import AudienceMember
from touchpoint.messaging.v1.dispatch_service_pb2 import DispatchContent

from libs.errors import ResourceNotFound, Violations
from libs.ids import derived_id, new_id
from services.campaigns.clients.contents import TemplateMissing
from services.campaigns.clients.dispatch import Trial
from services.campaigns.domain.campaign import Campaign, Says
from services.campaigns.store.campaigns import CampaignStore
from services.campaigns.usecases.peers import Peers

MOST_NAMED: Final = 10
MOST_OF_A_SEGMENT: Final = 100
_LIFETIME: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TrialOrder:
    """Who shall get what; `addresses` are (channel, address)."""

    app_id: str
    campaign_id: str
    treatment_id: str = "0"
    addresses: tuple[tuple[str, str], ...] = ()
    endpoint_ids: tuple[str, ...] = ()
    segment_id: str = ""
    request_id: str = ""
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test did. `skipped` are (endpoint id, address, reason)."""

    dispatch_id: str
    message_count: int
    skipped: Sequence[tuple[str, str, str]]
    disabled_channels: Sequence[str] = ()


class Trials:
    """Sends tests."""

    def __init__(self, campaigns: CampaignStore, peers: Peers) -> None:
        self._campaigns = campaigns
        self._peers = peers

    async def send(self, order: TrialOrder, now: datetime) -> Tested:
        """Send a test, or only tell who would get it. Raises InvalidFields, ResourceNotFound."""
        campaign = await self._campaigns.get(order.app_id, order.campaign_id)
        says = _said(campaign, order)
        members = await self._members(order)
        due, skipped = _sorted(members, says)
        count = sum(len(group) for group in due.values())
        contents = await self._contents(order.treatment_id, says, now)
        if order.validate_only or not count:
            return Tested("", count, skipped)
        asked = order.request_id or new_id()
        trial = Trial(
            derived_id("test", order.app_id, order.campaign_id, asked),
            order.treatment_id,
            says.message_type,
            now + _LIFETIME,
            contents,
            due,
        )
        disabled = await self._peers.dispatch.test(order.app_id, trial)
        return Tested(trial.dispatch_id, count, skipped, disabled)

    async def _contents(
        self, treatment_id: str, says: Says, now: datetime
    ) -> Sequence[DispatchContent]:
        try:
            return await self._peers.contents.resolve(
                {treatment_id: says}, now, skip_on_missing_variable=False
            )
        except TemplateMissing as error:
            found = Violations()
            found.add("campaign_id", str(error))
            found.raise_if_any()
            raise

    async def _members(self, order: TrialOrder) -> list[AudienceMember]:
        if order.segment_id:
            return await self._of_segment(order)
        found, asked = Violations(), [self._endpoint(order, one) for one in order.endpoint_ids]
        known = await asyncio.gather(*asked)
        for place, member in enumerate(known):
            found.check(member, f"endpoint_ids[{place}]", "is not known")
        found.raise_if_any()
        bare = [_bare(channel, address) for channel, address in order.addresses]
        return bare + [member for member in known if member is not None]

    async def _endpoint(self, order: TrialOrder, endpoint_id: str) -> AudienceMember | None:
        try:
            return await self._peers.audience.endpoint(order.app_id, endpoint_id)
        except ResourceNotFound:
            return None

    async def _of_segment(self, order: TrialOrder) -> list[AudienceMember]:
        compiled = await self._peers.segments.compile(order.app_id, order.segment_id, 0)
        found = Violations()
        found.check(compiled is not None, "segment_id", "is not known")
        found.raise_if_any()
        most = MOST_OF_A_SEGMENT
        members = await self._peers.audience.few(order.app_id, compiled or b"", most)
        found.check(len(members) <= most, "segment_id", f"has more than {most} endpoints")
        found.raise_if_any()
        return members


def _said(campaign: Campaign, order: TrialOrder) -> Says:
    """What the treatment says. Raises InvalidFields."""
    found, says = Violations(), campaign.definition.all_says.get(order.treatment_id)
    found.check(says, "treatment_id", "is not one of the campaign's")
    named = len(order.addresses) + len(order.endpoint_ids)
    if order.segment_id:
        found.check(not named, "segment_id", "must not be given together with others")
    else:
        found.check(named, "endpoint_ids", "somebody must be named")
        fine = named <= MOST_NAMED
        found.check(fine, "endpoint_ids", f"at most {MOST_NAMED} with the addresses")
    for place, (channel, address) in enumerate(order.addresses):
        where = f"addresses[{place}]"
        found.check(address, f"{where}.address", "is needed")
        spoken = says is None or channel in says.routes
        found.check(spoken, f"{where}.channel_type", "the campaign says nothing on it")
    fine = not campaign.definition.is_in_app
    found.check(fine, "campaign_id", "is shown in apps: nothing of it is sent")
    found.raise_if_any()
    return campaign.definition.all_says[order.treatment_id]


def _sorted(
    members: Sequence[AudienceMember], says: Says
) -> tuple[dict[str, list[AudienceMember]], list[tuple[str, str, str]]]:
    """Who gets it, by channel, and who does not."""
    due: defaultdict[str, list[AudienceMember]] = defaultdict(list)
    skipped = []
    for member in members:
        channel = says.routes.get(_channel_of(member), "")
        reason = _refusal(member, channel)
        if reason:
            skipped.append((member.endpoint_id, member.address, reason))
        else:
            due[channel].append(member)
    return due, skipped


def _refusal(member: AudienceMember, channel: str) -> str:
    if member.inactive:
        return "INACTIVE"
    if member.opted_out:
        return "OPT_OUT"
    if not member.address:
        return "MISSING_ADDRESS"
    return "" if channel else "CHANNEL_MISMATCH"


def _bare(channel: str, address: str) -> AudienceMember:
    number = channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{channel}")
    return AudienceMember(channel_type=number, address=address)


def _channel_of(member: AudienceMember) -> str:
    return channel_pb2.ChannelType.Name(member.channel_type).removeprefix("CHANNEL_TYPE_")
