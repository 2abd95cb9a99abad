"""What is allowed in a campaign, when it starts, and what may happen to it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import StateConflict, Violations
from libs.labels import check_tags
from services.campaigns.clients.contents import Defaults
from services.campaigns.domain import states
from services.campaigns.domain.activity import Totals, verdict
from services.campaigns.domain.campaign import (
    Campaign,
    CampaignState,
    Definition,
    EmailMessage,
    Limits,
    QuietTime,
    Says,
    Schedule,
    SmsMessage,
    TemplateReference,
    Treatment,
)
from services.campaigns.domain.schedule import expiry, parse_instant, start_of
from services.campaigns.domain.validation import check
from services.campaigns.store.documents import campaign_document, from_campaign_document
from services.campaigns.usecases.author import with_defaults

NOW = datetime(2026, 4, 28, 9, 0, tzinfo=UTC)
SAYS = Says(email=EmailMessage(title="t", body="b"), sms_template=TemplateReference("hello", 2))
GOOD = Definition("Spring", "s1", SAYS, Schedule("IMMEDIATE"))


def _campaign(state: CampaignState, definition: Definition = GOOD) -> Campaign:
    return Campaign("c", "a", definition, 1, state, NOW, NOW, NOW)


def test_a_good_definition_has_no_violations() -> None:
    assert check(GOOD).found == ()


def test_every_bad_field_is_named() -> None:
    bad = Definition(
        name=" ",
        segment_id="",
        says=Says(
            email=EmailMessage(),
            sms=SmsMessage(body="x" * 1601, sender_id="far too long a name"),
            sms_template=TemplateReference("", -1),
        ),
        schedule=Schedule("IMMEDIATE", quiet_time=QuietTime("24:00", "07:00")),
        limits=Limits(daily=101, maximum_duration=59),
        holdout_percent=90,
        treatments=(Treatment("1", 20, Says()),),
    )
    assert {v.field.removeprefix("campaign.") for v in check(bad).found} == {
        "name",
        "segment_id",
        "limits.daily",
        "limits.maximum_duration",
        "schedule.quiet_time.start",
        "message_configuration.email_message.title",
        "message_configuration.email_message.body",
        "message_configuration.sms_message.body",
        "message_configuration.sms_message.sender_id",
        "template_configuration.sms_template",
        "template_configuration.sms_template.name",
        "template_configuration.sms_template.version",
        "additional_treatments[0].message_configuration",
        "additional_treatments",
    }


def test_tags_are_checked() -> None:
    found = Violations()
    check_tags(found, "campaign.tags", {"aws:x": "1", "fine": "v" * 257, "good": "v"})
    assert {v.field for v in found.found} == {"campaign.tags[aws:x]", "campaign.tags[fine]"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-04-28T09:00:00-0700", datetime(2026, 4, 28, 16, 0, tzinfo=UTC)),
        ("2026-04-28T09:00:00.000Z", NOW),
        ("2026-04-28T09:00:00", None),
        ("2026-04-28", None),
        ("tomorrow", None),
    ],
)
def test_instants_need_an_offset(text: str, expected: datetime | None) -> None:
    assert parse_instant(text) == expected


def test_starts_in_the_past_and_ends_before_the_start_are_refused() -> None:
    found = Violations()
    past = (NOW - timedelta(hours=1)).isoformat()
    assert start_of(Schedule("IMMEDIATE"), NOW, found) == NOW
    assert not found.found
    start_of(Schedule(past, past), NOW, found)
    assert [v.field for v in found.found] == [
        "campaign.schedule.start_time",
        "campaign.schedule.end_time",
    ]
    missing = Violations()
    start_of(Schedule("", "soon"), NOW, missing)
    assert len(missing.found) == 2


def test_a_run_expires_at_the_first_of_its_ends() -> None:
    end = (NOW + timedelta(hours=2)).isoformat()
    assert expiry(Schedule("IMMEDIATE"), Limits(), NOW) is None
    assert expiry(Schedule("IMMEDIATE", end), Limits(), NOW) == NOW + timedelta(hours=2)
    limits = Limits(maximum_duration=600)
    assert expiry(Schedule("IMMEDIATE", end), limits, NOW) == NOW + timedelta(minutes=10)


def test_edits_are_allowed_only_before_the_first_send() -> None:
    waiting = _campaign(CampaignState.SCHEDULED)
    later = NOW + timedelta(days=1)
    edited = states.edited(waiting, replace(GOOD, name="New"), later, NOW, sent=False)
    assert (edited.version, edited.definition.name, edited.start_time) == (2, "New", later)
    with pytest.raises(StateConflict):
        states.edited(waiting, GOOD, NOW, NOW, sent=True)
    with pytest.raises(StateConflict):
        states.edited(_campaign(CampaignState.COMPLETED), GOOD, NOW, NOW, sent=False)


@pytest.mark.parametrize("state", list(CampaignState))
def test_what_an_operator_may_do_in_each_state(state: CampaignState) -> None:
    campaign = _campaign(state)
    active = {CampaignState.SCHEDULED, CampaignState.EXECUTING, CampaignState.PENDING_NEXT_RUN}
    over = {CampaignState.COMPLETED, CampaignState.DELETED}
    assert _allowed(lambda: states.paused(campaign, NOW)) == (
        state in active | {CampaignState.PAUSED}
    )
    assert _allowed(lambda: states.resumed(campaign, NOW, running=True)) == (
        state in active | {CampaignState.PAUSED}
    )
    assert _allowed(lambda: states.stopped(campaign, NOW)) == (state not in over)


def _allowed(act: Callable[[], Campaign]) -> bool:
    try:
        act()
    except StateConflict:
        return False
    return True


def test_a_resumed_campaign_goes_on_where_it_was() -> None:
    paused = _campaign(CampaignState.PAUSED, replace(GOOD, is_paused=True))
    running = states.resumed(paused, NOW, running=True)
    waiting = states.resumed(paused, NOW, running=False)
    assert running.state is CampaignState.EXECUTING
    assert waiting.state is CampaignState.SCHEDULED
    assert not waiting.definition.is_paused


def test_the_verdict_names_an_empty_segment() -> None:
    assert verdict(Totals(0, done=True, metrics={}), 0)[1].startswith("SEGMENT_EMPTY")
    assert verdict(Totals(5, done=True, metrics={}), 0)[0] == "FAIL"
    assert verdict(Totals(5, done=True, metrics={}), 3) == ("SUCCESS", "")


def test_documents_keep_everything() -> None:
    definition = replace(
        GOOD,
        limits=Limits(1, 2, 3, 4, 60),
        schedule=Schedule("IMMEDIATE", "2027-01-01T00:00:00Z", QuietTime("22:00", "06:00")),
        treatments=(
            Treatment("1", 10, Says(sms=SmsMessage("b", "TRANSACTIONAL", "+1", "S", "e", "t"))),
            Treatment("2", 10, Says(email=EmailMessage("t", "b", "h", "f", (("X", "1"),)))),
        ),
    )
    campaign = replace(_campaign(CampaignState.PAUSED, definition), tags={"a": "b"}, request_id="r")
    assert from_campaign_document(campaign_document(campaign)) == campaign


def test_the_applications_defaults_are_taken_when_a_campaign_is_written() -> None:
    quiet, limits = QuietTime("22:00", "06:00"), Limits(total=1)
    defaults = Defaults(limits, quiet, skip_on_missing_variable=True)
    taken = with_defaults(GOOD, defaults)
    assert (taken.limits, taken.schedule.quiet_time) == (limits, quiet)
    assert taken.skip_on_missing_variable
    own = replace(
        GOOD,
        limits=Limits(total=5),
        schedule=Schedule("IMMEDIATE", quiet_time=QuietTime("01:00", "02:00")),
    )
    kept = with_defaults(own, defaults)
    assert (kept.limits, kept.schedule) == (own.limits, own.schedule)
