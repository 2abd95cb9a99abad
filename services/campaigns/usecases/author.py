"""What an author writes: defaults, checks against rules and against what exists, estimates."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from libs.chassis.urls import check_url
from libs.errors import QuotaExceeded, UrlForbidden, Violations
from libs.labels import check_tags
from services.campaigns.clients.contents import (
    Defaults,
)
from services.campaigns.domain import schedule, validation
from services.campaigns.domain.campaign import Campaign, CampaignState, Definition, Limits
from services.campaigns.domain.in_app import DEFAULT_PRIORITY, own_limits
from services.campaigns.store.campaigns import CampaignStore
from services.campaigns.usecases.peers import Peers
from services.campaigns.usecases.syntax import check_syntax, path_of


@dataclass(frozen=True, slots=True)
class Draft:
    """What an author wrote, and what is wrong with those parts that are passed on unread."""

    definition: Definition
    tags: Mapping[str, str]
    unread: Violations


@dataclass(frozen=True, slots=True)
class Quotas:
    """Campaigns at a time: active ones of the installation, in-app ones of an application."""

    active: int
    in_app: int


@dataclass(frozen=True, slots=True)
class CampaignEstimate:
    """What a run of a campaign would do now."""

    total: int
    reachable: int
    by_channel: Mapping[str, int]
    duration_seconds: int


class Author:
    """Checks what an author wrote, against the rules and against what exists."""

    def __init__(
        self,
        campaigns: CampaignStore,
        peers: Peers,
        sms_per_second: int,
        quotas: Quotas,
        webhook_hosts: Collection[str] = (),
    ) -> None:
        self._campaigns = campaigns
        self._peers = peers
        self._sms_per_second = sms_per_second
        self._quotas = quotas
        self._webhook_hosts = webhook_hosts

    async def draft(self, app_id: str, given: Draft, now: datetime) -> Campaign:
        """A campaign not kept yet, with the application's defaults. Raises InvalidFields."""
        defaults = await self._peers.settings.defaults(app_id)
        definition = with_defaults(given.definition, defaults)
        found = validation.check(definition)
        found.extend(given.unread.found)
        check_tags(found, "campaign.tags", given.tags)
        start = schedule.start_of(definition.schedule, now, found)
        await self._check_references(app_id, definition, found)
        await self._check_webhooks(definition, found)
        check_syntax(definition, found)
        found.raise_if_any()
        state = CampaignState.PAUSED if definition.is_paused else CampaignState.SCHEDULED
        return Campaign("", app_id, definition, 1, state, start, now, now, tags=given.tags)

    async def create(self, campaign: Campaign, now: datetime) -> Campaign:
        """Keep a new campaign. Raises QuotaExceeded."""
        if await self._campaigns.count_active() >= self._quotas.active:
            raise QuotaExceeded("active campaigns", self._quotas.active)
        await self.check_in_app_quota(campaign, now)
        return await self._campaigns.add(campaign)

    async def check_in_app_quota(self, campaign: Campaign, now: datetime) -> None:
        """Raise QuotaExceeded when the application may have no further in-app campaign."""
        if not campaign.definition.is_in_app:
            return
        count = await self._campaigns.count_in_app(campaign.application_id, now)
        if count >= self._quotas.in_app:
            raise QuotaExceeded("in-app campaigns", self._quotas.in_app)

    async def estimate(self, campaign: Campaign) -> CampaignEstimate:
        """Whom a run would reach now, and how long it would take at the limits in force."""
        definition = campaign.definition
        found = await self._peers.segments.estimate(
            campaign.application_id, definition.segment_id, definition.segment_version
        )
        if definition.is_in_app:  # apps ask themselves, on whatever channel their endpoint is
            return CampaignEstimate(found.total, found.total, found.by_channel, 0)
        reached = {c: n for c, n in found.by_channel.items() if c in definition.reaches}
        reachable = min(found.eligible, sum(reached.values()))
        rate = definition.limits.messages_per_second
        seconds = [reached.get("SMS", 0) / self._sms_per_second]
        seconds += [reachable / rate] if rate else []
        return CampaignEstimate(found.total, reachable, found.by_channel, math.ceil(max(seconds)))

    async def _check_references(
        self, app_id: str, definition: Definition, found: Violations
    ) -> None:
        if definition.segment_id:
            exists = await self._peers.segments.exists(
                app_id, definition.segment_id, definition.segment_version
            )
            found.check(exists, "campaign.segment_id", "there is no such segment or version")
        for treatment_id, says in definition.all_says.items():
            path = path_of(treatment_id)
            for field in await self._peers.contents.missing(says):
                found.add(f"{path}template_configuration.{field}", "there is no such template")

    async def _check_webhooks(self, definition: Definition, found: Violations) -> None:
        """Whether those URLs that are fine as URLs may be called."""
        bad = {violation.field for violation in found.found}
        for treatment_id, says in definition.all_says.items():
            field = f"{path_of(treatment_id)}custom_delivery_configuration.delivery_uri"
            if says.custom_delivery is None or field in bad:
                continue
            try:
                await check_url(field, says.custom_delivery.delivery_uri, self._webhook_hosts)
            except UrlForbidden as error:
                found.extend(error.violations)


def with_defaults(given: Definition, defaults: Defaults) -> Definition:
    """The definition with what the application says at this moment (spec 1.6)."""
    limits, planned = given.limits, given.schedule
    if limits == Limits() and defaults.limits:
        limits = own_limits(defaults.limits, in_app=given.is_in_app)
    if planned.quiet_time is None and defaults.quiet_time:
        planned = replace(planned, quiet_time=defaults.quiet_time)
    return replace(
        given,
        limits=limits,
        schedule=planned,
        priority=given.priority or (DEFAULT_PRIORITY if given.is_in_app else 0),
        skip_on_missing_variable=defaults.skip_on_missing_variable,
    )
