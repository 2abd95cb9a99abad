"""Campaigns of in-app messages: what is allowed in them, and when they are on (spec 6.7)."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from libs.errors import Violations
from services.campaigns.domain.audience import COHORTS, HOLDOUT, plan
from services.campaigns.domain.campaign import Campaign, CampaignState, Definition, Limits, Says
from services.campaigns.domain.schedule import parse_instant

CAPS: Final = ("daily", "session", "total")
MOST_TIMES: Final = 10
DEFAULT_PRIORITY: Final = 3
"""Ours: the middle. Pinpoint publishes the range only."""
_ON: Final = frozenset({CampaignState.SCHEDULED, CampaignState.EXECUTING})
_ELSEWHERE: Final = "only with frequency IN_APP_EVENT"
_ALONE: Final = "an in-app campaign says nothing on other channels"


def check_in_app(found: Violations, definition: Definition) -> None:
    """Note what is wrong with an in-app campaign, and what only one may have in any other."""
    if not definition.is_in_app:
        _check_other(found, definition)
        return
    found.check(definition.schedule.event_filter, "schedule.event_filter", "is required")
    for name in CAPS:
        fine = 0 <= getattr(definition.limits, name) <= MOST_TIMES
        found.check(fine, f"limits.{name}", f"0 to {MOST_TIMES} in an in-app campaign")
    for path, says in _paths(definition):
        for field in _sent(says):
            found.add(f"{path}{field}", _ALONE)
        shows = says.in_app is not None or says.in_app_template
        found.check(shows, f"{path}message_configuration.in_app_message", "is required")


def _check_other(found: Violations, definition: Definition) -> None:
    found.check(not definition.schedule.event_filter, "schedule.event_filter", _ELSEWHERE)
    found.check(not definition.limits.session, "limits.session", _ELSEWHERE)
    for path, says in _paths(definition):
        inline = f"{path}message_configuration.in_app_message"
        found.check(says.in_app is None, inline, _ELSEWHERE)
        template = f"{path}template_configuration.in_app_template"
        found.check(not says.in_app_template, template, _ELSEWHERE)


def _paths(definition: Definition) -> list[tuple[str, Says]]:
    others = enumerate(definition.treatments)
    return [
        ("", definition.says),
        *((f"additional_treatments[{number}].", one.says) for number, one in others),
    ]


def _sent(says: Says) -> list[str]:
    """Fields of a treatment that speak on a channel that is sent on."""
    inline = [name for name in ("email", "sms") if getattr(says, name) is not None]
    inline += ["custom"] if says.custom_data is not None else []
    inline += [service for service, _ in says.push.given()]
    templates = [name for name in says.templates if name != "in_app_template"]
    return [
        *(f"message_configuration.{name}_message" for name in inline),
        *(f"template_configuration.{name}" for name in templates),
        *(["custom_delivery_configuration"] if says.custom_delivery else []),
    ]


def own_limits(limits: Limits, *, in_app: bool) -> Limits:
    """An application's default limits as a campaign may have them."""
    if not in_app:
        return replace(limits, session=0)
    return replace(limits, **{name: min(getattr(limits, name), MOST_TIMES) for name in CAPS})


def end_of(definition: Definition) -> datetime | None:
    """When the campaign is over; None means: when somebody stops it."""
    end = definition.schedule.end_time
    return parse_instant(end) if end else None


def is_on(campaign: Campaign, now: datetime) -> bool:
    """Whether apps show the campaign now. Its times count, not how soon its state follows them."""
    end = end_of(campaign.definition)
    begun = campaign.state in _ON and campaign.start_time <= now
    return begun and (end is None or now < end)


def treatments_by_cohort(campaign: Campaign) -> tuple[str, ...]:
    """The treatment of each cohort, by the very split of sends; empty for the holdout."""
    chosen = plan(campaign.campaign_id, campaign.definition).treatment_of
    return tuple("" if chosen[n] == HOLDOUT else chosen[n] for n in range(COHORTS))


def precedence(campaign: Campaign) -> tuple[int, float, str]:
    """Sorts the most important campaign first, then the newest."""
    newest = -campaign.creation_date.timestamp()
    return (campaign.definition.priority, newest, campaign.campaign_id)
