"""In-app messages: what an app may show, and the states of the campaigns behind them."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

from libs.chassis.logging import get_logger
from libs.errors import VersionConflict
from services.campaigns.clients.audience import Question, Standing, question
from services.campaigns.clients.contents import TemplateMissing
from services.campaigns.domain import states
from services.campaigns.domain.campaign import Campaign
from services.campaigns.domain.in_app import is_on, precedence, treatments_by_cohort
from services.campaigns.store.campaigns import CampaignStore
from services.campaigns.usecases.peers import Peers

_MOST_KEPT: Final = 1000
_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A campaign for an endpoint: its treatment, and the serialized message of that."""

    campaign: Campaign
    treatment_id: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Offer:
    """A campaign that works: whom it means, and what it says, by treatment."""

    campaign: Campaign
    audience: bytes
    treatment_of: Sequence[str]
    messages: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Offers:
    """The in-app campaigns of an application, most important first, and who they are for."""

    kept_until: float
    offers: Sequence[Offer]
    question: Question


class InAppMessages:
    """Answers apps. What an application offers is kept a few seconds, so that a read costs one call
    to the endpoints service; a change of a campaign, segment or template is seen after that time.
    """

    def __init__(self, campaigns: CampaignStore, peers: Peers, kept_seconds: float) -> None:
        self._campaigns = campaigns
        self._peers = peers
        self._kept_seconds = kept_seconds
        self._kept: dict[str, Offers] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def of_endpoint(self, app_id: str, endpoint_id: str, now: datetime) -> list[Shown]:
        """What an endpoint may be shown. Raises ResourceNotFound.

        One that has opted out is shown nothing, nor is the holdout of a campaign.
        """
        known = await self._offers(app_id, now)
        standing = await self._peers.audience.standing(app_id, endpoint_id, known.question)
        return shown(known.offers, standing, now)

    async def _offers(self, app_id: str, now: datetime) -> Offers:
        known = self._fresh(app_id)
        if known is None:
            lock = self._locks.setdefault(app_id, asyncio.Lock())
            async with lock:  # readers at the same time share one look
                known = self._fresh(app_id) or await self._loaded(app_id, now)
        return known

    def _fresh(self, app_id: str) -> Offers | None:
        known = self._kept.get(app_id)
        return known if known is not None and known.kept_until > time.monotonic() else None

    async def _loaded(self, app_id: str, now: datetime) -> Offers:
        until = time.monotonic() + self._kept_seconds
        soon = now + timedelta(seconds=self._kept_seconds)
        found = await self._campaigns.in_app(app_id, soon)
        ordered = sorted(found, key=precedence)
        made = await asyncio.gather(*(self._offer(campaign, now) for campaign in ordered))
        offers = [one for one in made if one is not None]
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        known = Offers(until, offers, question([one.audience for one in offers]))
        self._kept[app_id] = known
        return known

    async def _offer(self, campaign: Campaign, now: datetime) -> Offer | None:
        """The campaign ready to be shown; one that no longer works becomes INVALID."""
        definition = campaign.definition
        audience = await self._peers.segments.compile(
            campaign.application_id, definition.segment_id, definition.segment_version
        )
        if audience is None:
            await self._invalidate(campaign, f"segment {definition.segment_id} is missing", now)
            return None
        try:
            messages = {
                treatment_id: await self._peers.contents.in_app(says)
                for treatment_id, says in definition.all_says.items()
            }
        except TemplateMissing as error:
            await self._invalidate(campaign, str(error), now)
            return None
        return Offer(campaign, audience, treatments_by_cohort(campaign), messages)

    async def _invalidate(self, campaign: Campaign, reason: str, now: datetime) -> None:
        get_logger().warning("campaign_invalidated", campaign_id=campaign.campaign_id, cause=reason)
        await _save(self._campaigns, states.unfit(campaign, reason, now))


def shown(offers: Sequence[Offer], standing: Standing, now: datetime) -> list[Shown]:
    """What an endpoint is shown of the offers, in their order."""
    if standing.opted_out:
        return []
    found = []
    for offer, admitted in zip(offers, standing.admitted, strict=True):
        treatment_id = offer.treatment_of[standing.cohort]
        if admitted and treatment_id and is_on(offer.campaign, now):
            found.append(Shown(offer.campaign, treatment_id, offer.messages[treatment_id]))
    return found


class InAppStates:
    """Lets the states of in-app campaigns follow their times. They have no runs."""

    def __init__(self, campaigns: CampaignStore) -> None:
        self._campaigns = campaigns

    async def follow(self, now: datetime) -> bool:
        """Begin those whose start has come, complete those whose end has; False without any."""
        over = [states.ended(one, now) for one in await self._campaigns.ended_in_app(now, _AT_ONCE)]
        due = [states.shown(one) for one in await self._campaigns.due_in_app(now, _AT_ONCE)]
        for campaign in (*over, *due):
            await _save(self._campaigns, campaign)
        return bool(over or due)


async def _save(campaigns: CampaignStore, campaign: Campaign) -> None:
    try:
        await campaigns.save(campaign)
    except VersionConflict:
        return  # an operator or another process was faster; the next look tells
