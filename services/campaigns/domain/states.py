"""What may happen to a campaign in which state (spec 8.9)."""

from dataclasses import replace
from datetime import datetime

from libs.errors import StateConflict
from services.campaigns.domain.campaign import Campaign, CampaignState, Definition

_S = CampaignState
EDITABLE = frozenset({_S.SCHEDULED, _S.PAUSED, _S.INVALID})
ACTIVE = frozenset({_S.SCHEDULED, _S.EXECUTING, _S.PENDING_NEXT_RUN})
OVER = frozenset({_S.COMPLETED, _S.DELETED, _S.STOPPED})


def _refuse(campaign: Campaign, verb: str) -> StateConflict:
    state = campaign.state.value
    return StateConflict("campaign", state, f"a campaign that is {state} cannot be {verb}")


def edited(
    campaign: Campaign, definition: Definition, start: datetime, now: datetime, *, sent: bool
) -> Campaign:
    """The next version. Refused once anything was sent."""
    if sent or campaign.state not in EDITABLE:
        raise _refuse(campaign, "edited")
    return replace(
        campaign,
        definition=definition,
        version=campaign.version + 1,
        state=_S.PAUSED if definition.is_paused else _S.SCHEDULED,
        state_reason="",
        start_time=start,
        last_modified_date=now,
    )


def paused(campaign: Campaign, now: datetime) -> Campaign:
    """Held; pausing what is paused changes nothing."""
    if campaign.state is _S.PAUSED:
        return campaign
    if campaign.state not in ACTIVE:
        raise _refuse(campaign, "paused")
    return _moved(campaign, _S.PAUSED, "paused by an operator", now)


def resumed(campaign: Campaign, now: datetime, *, running: bool) -> Campaign:
    """Going on: a run in progress continues, a waiting one starts when due (or at once if late)."""
    if campaign.state in ACTIVE:
        return campaign
    if campaign.state is not _S.PAUSED:
        raise _refuse(campaign, "resumed")
    definition = replace(campaign.definition, is_paused=False)
    resumed_campaign = replace(campaign, definition=definition)
    return _moved(resumed_campaign, _S.EXECUTING if running else _S.SCHEDULED, "", now)


def stopped(campaign: Campaign, now: datetime) -> Campaign:
    """Ended for good; stopping what is stopped changes nothing."""
    if campaign.state is _S.STOPPED:
        return campaign
    if campaign.state in OVER:
        raise _refuse(campaign, "stopped")
    return _moved(campaign, _S.STOPPED, "stopped by an operator", now)


def shown(campaign: Campaign) -> Campaign:
    """An in-app campaign whose start has come: apps that ask are told of it."""
    return replace(campaign, state=_S.EXECUTING, state_reason="")


def ended(campaign: Campaign, now: datetime) -> Campaign:
    """An in-app campaign whose end has come."""
    return _moved(campaign, _S.COMPLETED, "its end_time has passed", now)


def unfit(campaign: Campaign, reason: str, now: datetime) -> Campaign:
    """A campaign that no longer works; going on takes an edit."""
    return _moved(campaign, _S.INVALID, reason, now)


def deleted(campaign: Campaign, reason: str, now: datetime) -> Campaign:
    """Gone, whatever it was doing."""
    return _moved(campaign, _S.DELETED, reason, now)


def _moved(campaign: Campaign, state: CampaignState, reason: str, now: datetime) -> Campaign:
    return replace(campaign, state=state, state_reason=reason, last_modified_date=now)
