"""In-app campaigns: what is allowed, when they are on, and who is shown which treatment."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from touchpoint.campaigns.v1 import campaign_pb2 as pb
from touchpoint.common.v1 import channel_pb2, in_app_pb2
from touchpoint.endpoints.v1 import endpoint_filter_pb2 as filters
from touchpoint.segmentation.v1 import segment_pb2

from libs.errors import Violations
from services.campaigns.clients.audience import Standing, question
from services.campaigns.clients.contents import Defaults
from services.campaigns.domain import states
from services.campaigns.domain.audience import HOLDOUT, plan
from services.campaigns.domain.campaign import (
    IN_APP_EVENT,
    Campaign,
    CampaignState,
    Definition,
    EmailMessage,
    Limits,
    QuietTime,
    Says,
    Schedule,
    TemplateReference,
    Treatment,
)
from services.campaigns.domain.in_app import is_on, precedence, treatments_by_cohort
from services.campaigns.domain.push import PushMessage, PushMessages
from services.campaigns.domain.schedule import start_of
from services.campaigns.domain.validation import check
from services.campaigns.servicer.in_app_contents import check_contents
from services.campaigns.servicer.mapping import campaign_to_proto, definition_from_proto
from services.campaigns.store.documents import campaign_document, from_campaign_document
from services.campaigns.usecases.author import with_defaults
from services.campaigns.usecases.in_app import Offer, shown

NOW = datetime(2026, 4, 28, 9, 0, tzinfo=UTC)
SHOWS = Says(in_app=b"message")
SCHEDULE = Schedule("IMMEDIATE", frequency=IN_APP_EVENT, event_filter=b"filter")
GOOD = Definition("Banner", "s1", SHOWS, SCHEDULE)


def _campaign(definition: Definition = GOOD, **more: Any) -> Campaign:
    state = more.pop("state", CampaignState.SCHEDULED)
    made = Campaign("c", "a", definition, 1, state, NOW, NOW, NOW)
    return replace(made, **more)


def _split(holdout: int, shares: list[int]) -> Definition:
    treatments = tuple(Treatment(str(n), share, SHOWS) for n, share in enumerate(shares, start=1))
    return replace(GOOD, holdout_percent=holdout, treatments=treatments)


def _wrong(definition: Definition) -> set[str]:
    return {one.field.removeprefix("campaign.") for one in check(definition).found}


def test_a_good_in_app_campaign_has_no_violations() -> None:
    assert _wrong(GOOD) == set()
    template = Says(in_app_template=TemplateReference("banner"))
    assert _wrong(replace(GOOD, says=template)) == set()


def test_an_in_app_campaign_is_alone_and_its_caps_are_small() -> None:
    bad = replace(
        GOOD,
        says=Says(
            email=EmailMessage("t", "b"),
            push=PushMessages(gcm=PushMessage(body="b")),
            in_app=b"m",
            sms_template=TemplateReference("x"),
            in_app_template=TemplateReference("y"),
        ),
        schedule=replace(SCHEDULE, event_filter=b""),
        limits=Limits(daily=11, session=11, total=11),
        treatments=(Treatment("1", 10, Says(email=EmailMessage("t", "b"))),),
        priority=6,
    )
    assert _wrong(bad) == {
        "schedule.event_filter",
        "limits.daily",
        "limits.session",
        "limits.total",
        "message_configuration.email_message",
        "message_configuration.gcm_message",
        "template_configuration.sms_template",
        "template_configuration.in_app_template",
        "additional_treatments[0].message_configuration.email_message",
        "additional_treatments[0].message_configuration.in_app_message",
        "priority",
    }


def test_what_only_in_app_campaigns_have_is_refused_elsewhere() -> None:
    says = Says(in_app=b"m", email=EmailMessage("t", "b"))
    once = Schedule("IMMEDIATE", event_filter=b"filter")
    bad = replace(GOOD, says=says, schedule=once, limits=Limits(session=1))
    assert _wrong(bad) == {
        "schedule.event_filter",
        "limits.session",
        "message_configuration.in_app_message",
    }
    template = replace(
        GOOD, says=Says(in_app_template=TemplateReference("y")), schedule=Schedule("IMMEDIATE")
    )
    assert _wrong(template) == {"template_configuration.in_app_template"}


@pytest.mark.parametrize(
    ("minutes", "frequency", "fine"),
    [(16, IN_APP_EVENT, True), (15, IN_APP_EVENT, True), (10, IN_APP_EVENT, False), (0, "ONCE", 1)],
)
def test_an_in_app_campaign_starts_a_quarter_of_an_hour_ahead(
    minutes: int, frequency: str, *, fine: bool
) -> None:
    found = Violations()
    start = (NOW + timedelta(minutes=minutes)).isoformat()
    start_of(replace(SCHEDULE, start_time=start, frequency=frequency), NOW, found)
    assert (found.found == ()) is bool(fine)


def test_an_in_app_campaign_may_start_at_once() -> None:
    found = Violations()
    assert start_of(SCHEDULE, NOW, found) == NOW
    assert not found.found


def test_defaults_fit_the_kind_of_campaign() -> None:
    limits = Limits(daily=50, total=5, session=20)
    defaults = Defaults(limits, None, skip_on_missing_variable=False)
    taken = with_defaults(GOOD, defaults)
    assert taken.limits == Limits(daily=10, total=5, session=10)
    assert taken.priority == 3
    assert with_defaults(replace(GOOD, priority=1), defaults).priority == 1
    sends = Definition("n", "s", Says(email=EmailMessage("t", "b")), Schedule("IMMEDIATE"))
    assert with_defaults(sends, defaults).limits == Limits(daily=50, total=5)
    assert with_defaults(sends, defaults).priority == 0


END = (NOW + timedelta(hours=1)).isoformat()


@pytest.mark.parametrize("state", list(CampaignState))
@pytest.mark.parametrize(
    ("minutes", "in_time"), [(-1, False), (0, True), (59, True), (60, False), (61, False)]
)
def test_a_campaign_is_on_between_its_times(
    state: CampaignState, minutes: int, *, in_time: bool
) -> None:
    definition = replace(GOOD, schedule=replace(SCHEDULE, end_time=END))
    on = is_on(_campaign(definition, state=state), NOW + timedelta(minutes=minutes))
    goes = state in {CampaignState.SCHEDULED, CampaignState.EXECUTING}
    assert on == (in_time and goes)


def test_a_campaign_without_an_end_stays_on() -> None:
    assert is_on(_campaign(), NOW + timedelta(days=1000))


def test_the_states_follow_the_times() -> None:
    on = states.shown(_campaign())
    assert on.state is CampaignState.EXECUTING
    over = states.ended(on, NOW)
    assert (over.state, over.state_reason) == (
        CampaignState.COMPLETED,
        "its end_time has passed",
    )
    broken = states.unfit(on, "template x is missing", NOW)
    assert (broken.state, broken.state_reason) == (CampaignState.INVALID, "template x is missing")


@given(
    st.uuids(),
    st.integers(min_value=0, max_value=40),
    st.lists(st.integers(min_value=1, max_value=15), max_size=4),
)
def test_apps_see_the_split_of_sends(campaign: object, holdout: int, shares: list[int]) -> None:
    definition = _split(holdout, shares)
    made = replace(_campaign(definition), campaign_id=str(campaign))
    seen, sent = treatments_by_cohort(made), plan(str(campaign), definition).treatment_of
    assert [one or HOLDOUT for one in seen] == list(sent)
    counted = Counter(seen)
    assert counted[""] == holdout
    assert [counted[str(n)] for n in range(1, len(shares) + 1)] == shares
    assert counted["0"] == 100 - holdout - sum(shares)


@given(
    given_offers=st.lists(
        st.tuples(st.booleans(), st.integers(0, 40), st.integers(1, 5)), max_size=6
    ),
    cohort=st.integers(min_value=0, max_value=99),
    opted_out=st.booleans(),
)
def test_an_endpoint_is_shown_its_treatment_of_what_it_is_in(
    given_offers: list[tuple[bool, int, int]], cohort: int, *, opted_out: bool
) -> None:
    offers, admitted = [], []
    for number, (is_in, holdout, priority) in enumerate(given_offers):
        definition = replace(_split(holdout, [30]), priority=priority)
        campaign = replace(_campaign(definition), campaign_id=f"c{number}")
        messages = {"0": b"own", "1": b"other"}
        offers.append(Offer(campaign, b"", treatments_by_cohort(campaign), messages))
        admitted.append(is_in)
    found = shown(offers, Standing(cohort, opted_out, admitted), NOW)
    expected = [
        (offer.campaign.campaign_id, offer.treatment_of[cohort])
        for offer, is_in in zip(offers, admitted, strict=True)
        if is_in and offer.treatment_of[cohort] and not opted_out
    ]
    assert [(one.campaign.campaign_id, one.treatment_id) for one in found] == expected
    assert all(one.message == {"0": b"own", "1": b"other"}[one.treatment_id] for one in found)
    assert shown(offers, Standing(cohort, False, admitted), NOW - timedelta(seconds=1)) == []  # noqa: FBT003


def test_the_most_important_come_first_then_the_newest() -> None:
    def made(name: str, priority: int, hours: int) -> Campaign:
        created = NOW + timedelta(hours=hours)
        definition = replace(GOOD, priority=priority)
        return replace(_campaign(definition), campaign_id=name, creation_date=created)

    several = [made("old", 2, 0), made("new", 2, 1), made("last", 5, 9), made("first", 1, -5)]
    ordered = [one.campaign_id for one in sorted(several, key=precedence)]
    assert ordered == ["first", "new", "old", "last"]


def _audience(parts: int) -> bytes:
    text = filters.EndpointFilter(imported=filters.ImportTest(segment_id="x"))
    all_of = filters.FilterGroup(filters=[text] * parts)
    return filters.EndpointFilter(all_of=all_of).SerializeToString()


@given(st.lists(st.integers(min_value=0, max_value=4000), max_size=8))
def test_a_question_covers_every_audience_in_parts_that_are_taken(sizes: list[int]) -> None:
    made = question([_audience(size) for size in sizes])
    assert sum(count for _, count in made.parts) == len(sizes)
    assert made.parts
    for part, count in made.parts:
        if count > 1:
            nodes = 1 + sum(1 + len(one.all_of.filters) for one in part.any_of.filters)
            assert len(part.any_of.filters) == count
            assert nodes <= 5000


def test_documents_keep_in_app_and_push() -> None:
    definition = replace(
        GOOD,
        says=Says(in_app=b"\x00m", in_app_template=TemplateReference("t", 2)),
        schedule=replace(SCHEDULE, end_time=END, quiet_time=QuietTime("22:00", "06:00")),
        treatments=(
            Treatment("1", 5, Says(push=PushMessages(apns=PushMessage("t", time_to_live=0)))),
            Treatment("2", 5, Says(push_template=TemplateReference("p"))),
        ),
    )
    kept = campaign_document(_campaign(definition))
    assert kept["end_time"] == NOW + timedelta(hours=1)
    assert from_campaign_document(kept) == _campaign(definition)


def test_documents_from_before_are_still_read() -> None:
    before = Definition("n", "s", Says(email=EmailMessage("t", "b")), Schedule("IMMEDIATE"))
    kept = campaign_document(_campaign(before))
    for name in ("push", "push_template", "in_app", "in_app_template"):
        del kept["definition"]["says"][name]
    for name in ("frequency", "event_filter"):
        del kept["definition"]["schedule"][name]
    del kept["end_time"]
    assert from_campaign_document(kept) == _campaign(before)


def _proto() -> pb.Campaign:
    made = pb.Campaign(name="n", segment_id="s", priority=2)
    message = made.message_configuration.in_app_message
    message.layout = in_app_pb2.IN_APP_LAYOUT_OVERLAYS
    message.content.add(image_url="https://x.example/a.png")
    made.schedule.start_time = "IMMEDIATE"
    made.schedule.frequency = pb.Schedule.FREQUENCY_IN_APP_EVENT
    made.schedule.event_filter.filter_type = pb.CampaignEventFilter.FILTER_TYPE_ENDPOINT
    dimensions = made.schedule.event_filter.dimensions
    dimensions.event_type.values.append("purchase")
    dimensions.attributes["brand"].values.append("a")
    dimensions.metrics[
        "price"
    ].comparison_operator = segment_pb2.MetricDimension.COMPARISON_OPERATOR_GREATER_THAN
    return made


def test_what_was_written_is_shown_again() -> None:
    campaign = _proto()
    campaign.additional_treatments.add(size_percent=10).message_configuration.CopyFrom(
        campaign.message_configuration
    )
    campaign.limits.session = 3
    encoded = campaign_to_proto(_campaign(definition_from_proto(campaign)))
    for field in ("message_configuration", "schedule", "limits", "priority"):
        assert getattr(encoded, field) == getattr(campaign, field)
    assert encoded.additional_treatments[0].message_configuration == campaign.message_configuration
    assert check_contents(campaign).found == ()


def test_push_that_was_written_is_shown_again() -> None:
    campaign = pb.Campaign(name="n", segment_id="s")
    campaign.schedule.start_time = "IMMEDIATE"
    campaign.schedule.frequency = pb.Schedule.FREQUENCY_ONCE
    campaign.message_configuration.default_message.CopyFrom(
        pb.CampaignPushMessage(title="t", json_body="{}", silent_push=True, time_to_live=0)
    )
    campaign.message_configuration.baidu_message.CopyFrom(
        pb.CampaignPushMessage(body="b", action=channel_pb2.PUSH_ACTION_URL, url="u", media_url="m")
    )
    campaign.template_configuration.push_template.name = "p"
    encoded = campaign_to_proto(_campaign(definition_from_proto(campaign)))
    for field in ("message_configuration", "template_configuration", "schedule"):
        assert getattr(encoded, field) == getattr(campaign, field)


def test_bad_events_and_messages_name_every_field() -> None:
    campaign = _proto()
    campaign.message_configuration.in_app_message.layout = in_app_pb2.IN_APP_LAYOUT_UNSPECIFIED
    other = campaign.additional_treatments.add()
    other.message_configuration.in_app_message.layout = in_app_pb2.IN_APP_LAYOUT_CAROUSEL
    event = campaign.schedule.event_filter
    event.filter_type = 9  # type: ignore[assignment]  # no kind of ours
    event.dimensions.event_type.values[:] = []
    event.dimensions.event_type.dimension_type = segment_pb2.SetDimension.DIMENSION_TYPE_VERSION_GT
    event.dimensions.attributes["brand"].values[:] = ["x" * 101]
    event.dimensions.attributes["none"].SetInParent()
    event.dimensions.metrics["weight"].value = float("nan")
    filter_path, first = "schedule.event_filter.", "message_configuration.in_app_message."
    assert {one.field.removeprefix("campaign.") for one in check_contents(campaign).found} == {
        f"{first}layout",
        f"additional_treatments[0].{first}content",
        f"{filter_path}filter_type",
        f"{filter_path}dimensions.event_type",
        f"{filter_path}dimensions.event_type.dimension_type",
        f"{filter_path}dimensions.attributes[brand].values[0]",
        f"{filter_path}dimensions.attributes[none].values",
        f"{filter_path}dimensions.metrics",
        f"{filter_path}dimensions.metrics[weight].comparison_operator",
        f"{filter_path}dimensions.metrics[weight].value",
    }
