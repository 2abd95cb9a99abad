"""GetInAppMessages and the life of in-app campaigns, with the real services around them."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from grpc import aio
from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.campaigns.v1 import campaigns_service_pb2 as pb
from touchpoint.common.v1 import channel_pb2, in_app_pb2
from touchpoint.endpoints.v1 import (
    endpoint_pb2,
    endpoints_service_pb2,
    endpoints_service_pb2_grpc,
)
from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.templates.v1 import template_pb2

from libs.ids import new_id
from services.campaigns.domain.audience import HOLDOUT, plan
from services.campaigns.servicer.mapping import definition_from_proto
from services.campaigns.setup import setup
from tests.integration.campaigns.conftest import Shop
from tests.integration.messaging.gateway_support import until
from tests.support.running import refusal, running

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]
State = campaign_pb2.CampaignState


def _message(header: str) -> in_app_pb2.InAppMessage:
    words = in_app_pb2.InAppMessageHeaderConfig(
        header=header, alignment=in_app_pb2.IN_APP_ALIGNMENT_LEFT, text_color="#000000"
    )
    return in_app_pb2.InAppMessage(
        layout=in_app_pb2.IN_APP_LAYOUT_TOP_BANNER,
        content=[in_app_pb2.InAppMessageContent(header_config=words)],
        custom_config={"a": "b"},
    )


def _filter() -> campaign_pb2.CampaignEventFilter:
    return campaign_pb2.CampaignEventFilter(
        filter_type=campaign_pb2.CampaignEventFilter.FILTER_TYPE_ENDPOINT,
        dimensions=campaign_pb2.EventDimensions(
            event_type=segment_pb2.SetDimension(values=["purchase"])
        ),
    )


def _campaign(segment_id: str, header: str = "Hi", **more: Any) -> campaign_pb2.Campaign:
    made = campaign_pb2.Campaign(name=header, segment_id=segment_id)
    made.schedule.start_time = "IMMEDIATE"
    made.schedule.frequency = campaign_pb2.Schedule.FREQUENCY_IN_APP_EVENT
    made.schedule.event_filter.CopyFrom(_filter())
    made.MergeFrom(campaign_pb2.Campaign(**more))
    if not made.template_configuration.HasField("in_app_template"):
        made.message_configuration.in_app_message.CopyFrom(_message(header))
    return made


def _endpoint(endpoint_id: str, color: str = "red", **more: Any) -> endpoint_pb2.Endpoint:
    return endpoint_pb2.Endpoint(
        endpoint_id=endpoint_id,
        address=f"{endpoint_id}@shop.example",
        channel_type=channel_pb2.CHANNEL_TYPE_EMAIL,
        attributes={"color": channel_pb2.StringList(values=[color])},
        **more,
    )


def _color(value: str) -> dict[str, Any]:
    return {"attributes": {"color": segment_pb2.AttributeDimension(values=[value])}}


def _headers(found: list[Any]) -> list[str]:
    return [one.in_app_message.content[0].header_config.header for one in found]


async def test_an_app_gets_what_its_endpoint_is_meant_by(shop: Shop) -> None:
    app_id = await shop.application()
    await shop.put(app_id, _endpoint("one", "red"), _endpoint("two", "blue"))
    red, all_of_them = await shop.segment(app_id, **_color("red")), await shop.segment(app_id)
    end = (shop.clock.now() + timedelta(days=30)).replace(microsecond=0)
    await shop.create(app_id, _campaign(all_of_them, "low", priority=5))
    await shop.create(app_id, _campaign(all_of_them, "older"))
    shop.clock.advance(timedelta(seconds=1))
    await shop.create(app_id, _campaign(all_of_them, "newer"))
    schedule = campaign_pb2.Schedule(
        end_time=end.isoformat(), quiet_time=channel_pb2.QuietTime(start="22:00", end="06:00")
    )
    limits = channel_pb2.CampaignLimits(daily=1, session=2, total=3)
    first = await shop.create(
        app_id, _campaign(red, "first", priority=1, schedule=schedule, limits=limits)
    )
    found = await shop.shown(app_id, "one")
    assert _headers(found) == ["first", "newer", "older", "low"]
    assert _headers(await shop.shown(app_id, "two")) == ["newer", "older", "low"]
    top = found[0]
    assert (top.campaign_id, top.treatment_id, top.priority) == (first.campaign_id, "0", 1)
    assert (top.daily_cap, top.session_cap, top.total_cap) == (1, 2, 3)
    assert top.in_app_message == _message("first")
    assert top.schedule.end_date.ToSeconds() == int(end.timestamp())
    assert top.schedule.event_filter == _filter()
    assert (top.schedule.quiet_time.start, top.schedule.quiet_time.end) == ("22:00", "06:00")
    assert found[1].priority == 3


async def test_an_unknown_endpoint_is_not_found_with_and_without_campaigns(shop: Shop) -> None:
    app_id = await shop.application()
    for _ in range(2):
        with pytest.raises(aio.AioRpcError) as caught:
            await shop.shown(app_id, "nobody")
        refused = refusal(caught.value)
        assert (refused.code, refused.metadata["resource"]) == ("NOT_FOUND", "endpoint")
        await shop.create(app_id, _campaign(await shop.segment(app_id)))
    with pytest.raises(aio.AioRpcError) as caught:
        await shop.shown("", "")
    assert refusal(caught.value).fields == {"application_id", "endpoint_id"}


async def test_one_who_has_opted_out_is_shown_nothing(shop: Shop) -> None:
    app_id = await shop.application()
    await shop.put(app_id, _endpoint("out", opt_out=endpoint_pb2.OPT_OUT_ALL), _endpoint("in"))
    await shop.create(app_id, _campaign(await shop.segment(app_id)))
    assert await shop.shown(app_id, "out") == []
    assert _headers(await shop.shown(app_id, "in")) == ["Hi"]


async def test_treatments_and_holdout_are_those_of_the_split(shop: Shop) -> None:
    app_id = await shop.application()
    names = [f"e{number}" for number in range(60)]
    await shop.put(app_id, *map(_endpoint, names))
    other = campaign_pb2.Treatment(size_percent=40)
    other.message_configuration.in_app_message.CopyFrom(_message("other"))
    written = _campaign(
        await shop.segment(app_id), "own", holdout_percent=30, additional_treatments=[other]
    )
    made = await shop.create(app_id, written)
    chosen = plan(made.campaign_id, definition_from_proto(made)).treatment_of
    cohorts = await _cohorts(shop, app_id, names)
    seen: Counter[str] = Counter()
    for name in names:
        found = await shop.shown(app_id, name)
        expected = chosen[cohorts[name]]
        seen[expected] += 1
        if expected == HOLDOUT:
            assert found == []
        else:
            assert [one.treatment_id for one in found] == [expected]
            assert _headers(found) == [{"0": "own", "1": "other"}[expected]]
    assert set(seen) == {HOLDOUT, "0", "1"}


async def _cohorts(shop: Shop, app_id: str, names: list[str]) -> dict[str, int]:
    stub: Any = endpoints_service_pb2_grpc.EndpointsServiceStub(shop.endpoints.channel)
    cohorts = {}
    for name in names:
        request = endpoints_service_pb2.GetEndpointRequest(application_id=app_id, endpoint_id=name)
        cohorts[name] = int((await stub.GetEndpoint(request)).endpoint.cohort_id)
    return cohorts


async def test_a_campaign_is_on_from_its_start_to_its_end(shop: Shop) -> None:
    app_id = await shop.application()
    await shop.put(app_id, _endpoint("one"))
    segment_id, start = await shop.segment(app_id), shop.clock.now() + timedelta(minutes=20)
    schedule = campaign_pb2.Schedule(
        start_time=start.isoformat(), end_time=(start + timedelta(hours=1)).isoformat()
    )
    made = await shop.create(app_id, _campaign(segment_id, schedule=schedule))

    async def stands(state: State.ValueType) -> bool:
        return (await shop.get(app_id, made.campaign_id)).state == state

    assert made.state == State.CAMPAIGN_STATE_SCHEDULED
    assert await shop.shown(app_id, "one") == []
    shop.clock.advance(timedelta(minutes=21))
    assert _headers(await shop.shown(app_id, "one")) == ["Hi"]
    await until(lambda: stands(State.CAMPAIGN_STATE_EXECUTING))
    request = pb.PauseCampaignRequest(application_id=app_id, campaign_id=made.campaign_id)
    await shop.stub.PauseCampaign(request)
    await until(lambda: _gone(shop, app_id))
    resume = pb.ResumeCampaignRequest(application_id=app_id, campaign_id=made.campaign_id)
    await shop.stub.ResumeCampaign(resume)
    await until(lambda: stands(State.CAMPAIGN_STATE_EXECUTING))
    assert _headers(await shop.shown(app_id, "one")) == ["Hi"]
    shop.clock.advance(timedelta(hours=1))
    assert await shop.shown(app_id, "one") == []
    await until(lambda: stands(State.CAMPAIGN_STATE_COMPLETED))
    activities = await shop.stub.ListCampaignActivities(
        pb.ListCampaignActivitiesRequest(application_id=app_id, campaign_id=made.campaign_id)
    )
    assert not activities.activities


async def _gone(shop: Shop, app_id: str) -> bool:
    return await shop.shown(app_id, "one") == []


async def test_a_paused_campaign_is_over_at_its_end_too(shop: Shop) -> None:
    app_id = await shop.application()
    end = (shop.clock.now() + timedelta(hours=1)).isoformat()
    written = _campaign(
        await shop.segment(app_id), is_paused=True, schedule=campaign_pb2.Schedule(end_time=end)
    )
    made = await shop.create(app_id, written)
    assert made.state == State.CAMPAIGN_STATE_PAUSED
    shop.clock.advance(timedelta(hours=1))

    async def over() -> bool:
        found = await shop.get(app_id, made.campaign_id)
        return found.state == State.CAMPAIGN_STATE_COMPLETED

    await until(over)


async def test_templates_are_shown_and_a_missing_one_invalidates(shop: Shop) -> None:
    app_id, name = await shop.application(), new_id()
    await shop.put(app_id, _endpoint("one"))
    reference = campaign_pb2.TemplateConfiguration(
        in_app_template=campaign_pb2.TemplateReference(name=name)
    )
    written = _campaign(await shop.segment(app_id), template_configuration=reference)
    with pytest.raises(aio.AioRpcError) as caught:
        await shop.create(app_id, written)
    assert refusal(caught.value).fields == {"campaign.template_configuration.in_app_template"}
    kind = template_pb2.TEMPLATE_TYPE_INAPP
    shop.shelf.put(
        template_pb2.Template(template_name=name, template_type=kind, in_app=_message("T"))
    )
    made = await shop.create(app_id, written)
    assert _headers(await shop.shown(app_id, "one")) == ["T"]
    shop.shelf.templates.clear()
    await until(lambda: _gone(shop, app_id))

    async def is_invalid() -> bool:
        assert await shop.shown(app_id, "one") == []
        broken = await shop.get(app_id, made.campaign_id)
        return broken.state == State.CAMPAIGN_STATE_INVALID and name in broken.state_reason

    # A read that finds it out while the campaign's start is noted leaves it to the next read.
    await until(is_invalid)


async def test_what_is_offered_is_kept_for_a_while(shop: Shop) -> None:
    app_id = await shop.application()
    await shop.put(app_id, _endpoint("one"))
    slow = shop.settings.model_copy(update={"in_app_kept_seconds": 3600.0})
    async with running(slow, lambda had, opened: setup(had, opened, shop.clock)) as service:
        assert await shop.shown(app_id, "one", service.channel) == []
        await shop.create(app_id, _campaign(await shop.segment(app_id)))
        assert await shop.shown(app_id, "one", service.channel) == []
        assert _headers(await shop.shown(app_id, "one")) == ["Hi"]


async def test_an_application_has_twenty_five_that_are_not_over(shop: Shop) -> None:
    app_id, segments = await shop.application(), []
    segments.append(await shop.segment(app_id))
    end = (shop.clock.now() + timedelta(minutes=30)).isoformat()
    short = _campaign(segments[0], "short", schedule=campaign_pb2.Schedule(end_time=end))
    long = _campaign(segments[0], "long")
    await shop.create(app_id, short)
    made = [await shop.create(app_id, long) for _ in range(24)]
    with pytest.raises(aio.AioRpcError) as caught:
        await shop.create(app_id, long)
    refused = refusal(caught.value)
    assert (refused.reason, refused.metadata["limit"]) == ("QUOTA_EXCEEDED", "25")
    other = await shop.application()
    await shop.create(other, _campaign(await shop.segment(other)))
    shop.clock.advance(timedelta(minutes=31))
    await shop.create(app_id, long)  # the short one is over
    delete = pb.DeleteCampaignRequest(application_id=app_id, campaign_id=made[0].campaign_id)
    await shop.stub.DeleteCampaign(delete)
    await shop.create(app_id, long)
    await _becomes_in_app(shop, app_id, long)


async def _becomes_in_app(shop: Shop, app_id: str, long: campaign_pb2.Campaign) -> None:
    """A campaign that sends may not become one too many by an edit."""
    later = (shop.clock.now() + timedelta(days=1)).isoformat()
    sends = campaign_pb2.Campaign(name="S", segment_id=long.segment_id)
    sends.schedule.start_time = later
    sends.message_configuration.sms_message.body = "Hi"
    kept = await shop.create(app_id, sends)
    with pytest.raises(aio.AioRpcError) as caught:
        await shop.stub.UpdateCampaign(
            pb.UpdateCampaignRequest(
                application_id=app_id, campaign_id=kept.campaign_id, campaign=long
            )
        )
    assert refusal(caught.value).reason == "QUOTA_EXCEEDED"


async def test_bad_in_app_campaigns_name_every_field(shop: Shop) -> None:
    app_id = await shop.application()
    soon = (shop.clock.now() + timedelta(minutes=5)).isoformat()
    written = _campaign(await shop.segment(app_id), priority=9)
    written.schedule.start_time = soon
    written.schedule.event_filter.dimensions.event_type.values[:] = []
    written.message_configuration.in_app_message.layout = in_app_pb2.IN_APP_LAYOUT_UNSPECIFIED
    written.message_configuration.sms_message.body = "Hi"
    written.limits.daily = 11
    with pytest.raises(aio.AioRpcError) as caught:
        await shop.create(app_id, written)
    assert {one.removeprefix("campaign.") for one in refusal(caught.value).fields} == {
        "priority",
        "limits.daily",
        "schedule.start_time",
        "schedule.event_filter.dimensions.event_type",
        "message_configuration.in_app_message.layout",
        "message_configuration.sms_message",
    }


async def test_an_estimate_counts_everybody(shop: Shop) -> None:
    app_id = await shop.application()
    await shop.put(app_id, _endpoint("one"), _endpoint("two", "blue"))
    request = pb.CreateCampaignRequest(
        application_id=app_id,
        campaign=_campaign(await shop.segment(app_id)),
        validate_only=True,
    )
    estimate = (await shop.stub.CreateCampaign(request)).estimate
    assert (estimate.total_count, estimate.reachable_count) == (2, 2)
    assert estimate.duration_seconds == 0
