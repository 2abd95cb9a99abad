"""What an author writes: defaults, checks against rules and against what exists, estimates."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from libs.errors import QuotaExceeded, Violations
from libs.handlebars import TemplateSyntaxError, compile_template
from libs.labels import check_tags
from services.campaigns.clients.contents import (
    Defaults,
)
from services.campaigns.domain import schedule, validation
from services.campaigns.domain.campaign import Campaign, CampaignState, Definition, Limits
from services.campaigns.store.campaigns import CampaignStore
from services.campaigns.usecases.peers import Peers


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
        self, campaigns: CampaignStore, peers: Peers, sms_per_second: int, most_active: int
    ) -> None:
        self._campaigns = campaigns
        self._peers = peers
        self._sms_per_second = sms_per_second
        self._most_active = most_active

    async def draft(
        self, app_id: str, given: Definition, tags: Mapping[str, str], now: datetime
    ) -> Campaign:
        """A campaign not kept yet, with the application's defaults. Raises InvalidFields."""
        defaults = await self._peers.settings.defaults(app_id)
        definition = with_defaults(given, defaults)
        found = validation.check(definition)
        check_tags(found, "campaign.tags", tags)
        start = schedule.start_of(definition.schedule, now, found)
        await self._check_references(app_id, definition, found)
        _check_syntax(definition, found)
        found.raise_if_any()
        state = CampaignState.PAUSED if definition.is_paused else CampaignState.SCHEDULED
        return Campaign("", app_id, definition, 1, state, start, now, now, tags=tags)

    async def create(self, campaign: Campaign) -> Campaign:
        """Keep a new campaign. Raises QuotaExceeded."""
        if await self._campaigns.count_active() >= self._most_active:
            raise QuotaExceeded("active campaigns", self._most_active)
        return await self._campaigns.add(campaign)

    async def estimate(self, campaign: Campaign) -> CampaignEstimate:
        """Whom a run would reach now, and how long it would take at the limits in force."""
        definition = campaign.definition
        found = await self._peers.segments.estimate(
            campaign.application_id, definition.segment_id, definition.segment_version
        )
        reached = {c: n for c, n in found.by_channel.items() if c in definition.channels}
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
            path = _path(treatment_id)
            for field in await self._peers.contents.missing(says):
                found.add(f"{path}template_configuration.{field}", "there is no such template")


def with_defaults(given: Definition, defaults: Defaults) -> Definition:
    """The definition with what the application says at this moment (spec 1.6)."""
    limits, planned = given.limits, given.schedule
    if limits == Limits() and defaults.limits:
        limits = defaults.limits
    if planned.quiet_time is None and defaults.quiet_time:
        planned = replace(planned, quiet_time=defaults.quiet_time)
    skip = defaults.skip_on_missing_variable
    return replace(given, limits=limits, schedule=planned, skip_on_missing_variable=skip)


def _path(treatment_id: str) -> str:
    number = int(treatment_id)
    return f"campaign.additional_treatments[{number - 1}]." if number else "campaign."


def _check_syntax(definition: Definition, found: Violations) -> None:
    for treatment_id, says in definition.all_says.items():
        path = f"{_path(treatment_id)}message_configuration."
        texts: dict[str, str] = {}
        if email := says.email:
            texts |= {
                "email_message.title": email.title,
                "email_message.body": email.body,
                "email_message.html_body": email.html_body,
            }
        if sms := says.sms:
            texts["sms_message.body"] = sms.body
        for field, text in texts.items():
            try:
                compile_template(text, escape=False)
            except TemplateSyntaxError as error:
                found.add(path + field, str(error))
