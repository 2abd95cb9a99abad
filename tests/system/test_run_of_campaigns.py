"""Campaigns over public RPCs on the running platform: schedules, control, versions, audience."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from grpc import aio
from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.campaigns.v1 import campaigns_service_pb2 as pb
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import message_pb2
from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as segmentation_pb
from touchpoint.segmentation.v1 import segmentation_service_pb2_grpc as segmentation_rpc
from touchpoint.templates.v1 import template_pb2
from touchpoint.templates.v1 import templates_service_pb2 as templates_pb
from touchpoint.templates.v1 import templates_service_pb2_grpc as templates_rpc

from libs.ids import new_id
from tests.support.customer import Customer, Exported, customer, until
from tests.support.running import refusal

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
CampaignState = campaign_pb2.CampaignState
ActivityState = campaign_pb2.CampaignActivity.State
QUIET = channel_pb2.QuietTime(start="00:00", end="23:59")


@pytest.fixture
async def client(platform_variables: dict[str, str]) -> AsyncIterator[Customer]:
    async with customer(Exported(platform_variables)) as made:
        await made.set_up_channels(parts_per_second=200)
        yield made


def _people(count: int, **columns: str) -> list[dict[str, str]]:
    mark = new_id()[:8]
    return [
        {
            "Id": f"{mark}-{n}",
            "ChannelType": "EMAIL",
            "Address": f"{mark}-{n}@example.com",
            "User.UserId": f"{mark}-u{n}",
            **columns,
        }
        for n in range(count)
    ]


async def _everybody(client: Customer, people: list[dict[str, str]]) -> str:
    job = await client.import_rows(people)
    assert not job.total_failures, list(job.failures)
    return await client.segment("All", segment_pb2.SegmentDimensions())


async def _campaign(client: Customer, campaign_id: str) -> campaign_pb2.Campaign:
    answer = await client.campaigns().GetCampaign(
        pb.GetCampaignRequest(application_id=client.application_id, campaign_id=campaign_id)
    )
    found: campaign_pb2.Campaign = answer.campaign
    return found


async def _run(client: Customer, campaign_id: str) -> campaign_pb2.CampaignActivity:
    await until(lambda: client.run_is_over(campaign_id), 60, "the run")
    activity = await client.activity(campaign_id)
    assert activity is not None
    return activity


def _ask(client: Customer, campaign_id: str, kind: Any) -> Any:
    return kind(application_id=client.application_id, campaign_id=campaign_id)


async def _received(client: Customer, people: list[dict[str, str]]) -> dict[str, int]:
    prefix = people[0]["Address"].split("-")[0]
    return dict(await client.sandbox(f"/counts?channel=EMAIL&prefix={prefix}"))


async def test_a_campaign_waits_for_its_start(client: Customer) -> None:
    people = _people(3)
    segment_id = await _everybody(client, people)
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    schedule = campaign_pb2.Schedule(start_time=start.isoformat())
    campaign_id = await client.send(segment_id, schedule=schedule)
    assert (await _campaign(client, campaign_id)).state == CampaignState.CAMPAIGN_STATE_SCHEDULED
    assert await client.activity(campaign_id) is None
    activity = await _run(client, campaign_id)
    assert activity.scheduled_start.ToDatetime(tzinfo=UTC) == start
    assert activity.start.ToDatetime(tzinfo=UTC) >= start
    assert await _received(client, people) == {p["Address"]: 1 for p in people}
    done = await _campaign(client, campaign_id)
    assert done.state == CampaignState.CAMPAIGN_STATE_COMPLETED


async def test_a_held_run_stops_sending_and_goes_on_without_repeats(client: Customer) -> None:
    people = _people(120)
    segment_id = await _everybody(client, people)
    limits = channel_pb2.CampaignLimits(messages_per_second=20)
    campaign_id = await client.send(segment_id, limits=limits)

    async def some() -> bool:
        return len(await _received(client, people)) > 5

    await until(some, 60, "the first mails")
    await client.campaigns().PauseCampaign(_ask(client, campaign_id, pb.PauseCampaignRequest))
    await asyncio.sleep(2)  # what the promise allows: workers obey within two seconds
    held = await _received(client, people)
    assert len(held) < len(people)
    paused = await _campaign(client, campaign_id)
    assert paused.state == CampaignState.CAMPAIGN_STATE_PAUSED
    await asyncio.sleep(1.5)
    assert await _received(client, people) == held
    await client.campaigns().ResumeCampaign(_ask(client, campaign_id, pb.ResumeCampaignRequest))
    activity = await _run(client, campaign_id)
    assert activity.result == campaign_pb2.CampaignActivity.RESULT_SUCCESS
    assert await _received(client, people) == {p["Address"]: 1 for p in people}


async def test_a_stopped_run_cancels_what_no_provider_has(client: Customer) -> None:
    people = _people(100)
    segment_id = await _everybody(client, people)
    limits = channel_pb2.CampaignLimits(messages_per_second=10)
    campaign_id = await client.send(segment_id, limits=limits)

    async def some() -> bool:
        return len(await _received(client, people)) > 2

    await until(some, 60, "the first mails")
    await client.campaigns().StopCampaign(_ask(client, campaign_id, pb.StopCampaignRequest))
    activity = await client.activity(campaign_id)
    assert activity is not None
    assert activity.state == ActivityState.STATE_CANCELLED

    async def settled() -> bool:
        states = {m.state for m in await client.messages(activity.activity_id)}
        return states <= {
            message_pb2.MESSAGE_STATE_SENT,
            message_pb2.MESSAGE_STATE_DELIVERED,
            message_pb2.MESSAGE_STATE_CANCELLED,
        }

    await until(settled, 30, "the rest to be cancelled")
    rows = await client.messages(activity.activity_id)
    sent = [m for m in rows if m.state != message_pb2.MESSAGE_STATE_CANCELLED]
    stopped = [m for m in rows if m.reason == message_pb2.MESSAGE_REASON_STOPPED]
    assert len(sent) + len(stopped) == len(rows)
    assert sum((await _received(client, people)).values()) == len(sent) < len(people)
    with pytest.raises(aio.AioRpcError) as caught:
        await client.campaigns().ResumeCampaign(_ask(client, campaign_id, pb.ResumeCampaignRequest))
    assert refusal(caught.value).reason == "STATE_CONFLICT"


async def test_an_empty_segment_says_so(client: Customer) -> None:
    segment_id = await client.segment("Nobody", segment_pb2.SegmentDimensions())
    campaign_id = await client.send(segment_id)
    activity = await _run(client, campaign_id)
    assert activity.result == campaign_pb2.CampaignActivity.RESULT_FAIL
    assert "SEGMENT_EMPTY" in (await _campaign(client, campaign_id)).state_reason


async def test_holdout_treatments_and_quiet_time_are_counted_and_get_nothing(
    client: Customer,
) -> None:
    people = _people(300, **{"Demographic.Timezone": ""})
    people += _people(10, **{"Demographic.Timezone": "Asia/Tokyo"})
    segment_id = await _everybody(client, people)
    campaign_id = await client.send(
        segment_id,
        holdout_percent=20,
        schedule=campaign_pb2.Schedule(start_time="IMMEDIATE", quiet_time=QUIET),
        additional_treatments=[
            campaign_pb2.Treatment(
                size_percent=40,
                message_configuration=campaign_pb2.MessageConfiguration(
                    email_message=campaign_pb2.CampaignEmailMessage(title="B", body="B")
                ),
            )
        ],
    )
    activity = await _run(client, campaign_id)
    rows = await client.messages(activity.activity_id)
    reasons = dict(activity.progress.reason_counts)
    sent = [m for m in rows if m.state == message_pb2.MESSAGE_STATE_SENT]
    assert len(rows) == len(people) == activity.progress.targeted_count
    assert 30 <= reasons["HOLDOUT"] <= 90
    assert 1 <= reasons["QUIET_TIME"] <= 10
    assert len(sent) + reasons["HOLDOUT"] + reasons["QUIET_TIME"] == len(people)
    assert activity.execution_metrics["TREATMENT_HOLDOUT"] == reasons["HOLDOUT"]
    assert {m.treatment_id for m in sent} == {"0", "1"}
    first = await client.sandbox(f"/messages?channel=EMAIL&to={people[0]['Address']}")
    assert len(first) == (people[0]["Address"] in {m.address for m in sent})


async def test_a_bound_template_version_is_used_whatever_is_active(client: Customer) -> None:
    name = new_id()
    stub = templates_rpc.TemplatesServiceStub(client.channels["templates"])
    for body in ("one {{FirstName}}", "two {{FirstName}}"):
        content = template_pb2.EmailTemplateContent(subject="Hi", text_part=body)
        template = template_pb2.Template(
            template_name=name,
            template_type=template_pb2.TEMPLATE_TYPE_EMAIL,
            email=content,
            default_substitutions={"FirstName": "there"},
        )
        if body.startswith("one"):
            await stub.CreateTemplate(templates_pb.CreateTemplateRequest(template=template))
        else:
            await stub.UpdateTemplate(
                templates_pb.UpdateTemplateRequest(template=template, create_new_version=True)
            )
    people = _people(1)
    segment_id = await _everybody(client, people)
    for version, said in ((0, "one there"), (2, "two there")):
        reference = campaign_pb2.TemplateReference(name=name, version=version)
        campaign = campaign_pb2.Campaign(
            name="Bound",
            segment_id=segment_id,
            template_configuration=campaign_pb2.TemplateConfiguration(email_template=reference),
            schedule=campaign_pb2.Schedule(start_time="IMMEDIATE"),
        )
        answer = await client.campaigns().CreateCampaign(
            pb.CreateCampaignRequest(application_id=client.application_id, campaign=campaign)
        )
        await _run(client, answer.campaign.campaign_id)
        found = await client.sandbox(f"/messages?channel=EMAIL&to={people[0]['Address']}&limit=1")
        assert said in found[0]["body"]


async def test_versions_edits_and_a_repeated_request(client: Customer) -> None:
    segment_id = await _everybody(client, _people(1))
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    campaign = campaign_pb2.Campaign(
        name="First",
        segment_id=segment_id,
        message_configuration=campaign_pb2.MessageConfiguration(
            sms_message=campaign_pb2.CampaignSmsMessage(body="Hi")
        ),
        schedule=campaign_pb2.Schedule(start_time=later),
    )
    request = pb.CreateCampaignRequest(
        application_id=client.application_id, campaign=campaign, request_id=new_id()
    )
    made = [(await client.campaigns().CreateCampaign(request)).campaign for _ in range(2)]
    assert made[0].campaign_id == made[1].campaign_id
    campaign.name = "Second"
    updated = await client.campaigns().UpdateCampaign(
        pb.UpdateCampaignRequest(
            application_id=client.application_id,
            campaign_id=made[0].campaign_id,
            campaign=campaign,
        )
    )
    assert updated.campaign.version == 2
    listed = await client.campaigns().ListCampaignVersions(
        _ask(client, made[0].campaign_id, pb.ListCampaignVersionsRequest)
    )
    assert [(c.version, c.name) for c in listed.campaigns] == [(2, "Second"), (1, "First")]
    await client.campaigns().DeleteCampaign(
        _ask(client, made[0].campaign_id, pb.DeleteCampaignRequest)
    )
    with pytest.raises(aio.AioRpcError) as caught:
        await _campaign(client, made[0].campaign_id)
    assert refusal(caught.value).code == "NOT_FOUND"


async def test_bad_campaigns_name_every_field_and_missing_references(client: Customer) -> None:
    campaign = campaign_pb2.Campaign(
        name="",
        segment_id=new_id(),
        message_configuration=campaign_pb2.MessageConfiguration(
            email_message=campaign_pb2.CampaignEmailMessage(title="{{#if", body="x")
        ),
        template_configuration=campaign_pb2.TemplateConfiguration(
            sms_template=campaign_pb2.TemplateReference(name="nowhere")
        ),
        schedule=campaign_pb2.Schedule(start_time="2020-01-01T00:00:00Z"),
    )
    with pytest.raises(aio.AioRpcError) as caught:
        await client.campaigns().CreateCampaign(
            pb.CreateCampaignRequest(application_id=client.application_id, campaign=campaign)
        )
    assert refusal(caught.value).fields == {
        "campaign.name",
        "campaign.segment_id",
        "campaign.schedule.start_time",
        "campaign.message_configuration.email_message.title",
        "campaign.template_configuration.sms_template",
    }
    campaign.schedule.frequency = campaign_pb2.Schedule.FREQUENCY_DAILY
    with pytest.raises(aio.AioRpcError) as caught:
        await client.campaigns().CreateCampaign(
            pb.CreateCampaignRequest(application_id=client.application_id, campaign=campaign)
        )
    assert refusal(caught.value).code == "UNIMPLEMENTED"


async def test_a_dry_run_counts_and_sends_nothing(client: Customer) -> None:
    people = _people(7)
    segment_id = await _everybody(client, people)
    campaign = campaign_pb2.Campaign(
        name="Dry",
        segment_id=segment_id,
        message_configuration=campaign_pb2.MessageConfiguration(
            email_message=campaign_pb2.CampaignEmailMessage(title="t", body="b")
        ),
        schedule=campaign_pb2.Schedule(start_time="IMMEDIATE"),
    )
    answer = await client.campaigns().CreateCampaign(
        pb.CreateCampaignRequest(
            application_id=client.application_id, campaign=campaign, validate_only=True
        )
    )
    assert (answer.estimate.total_count, answer.estimate.reachable_count) == (7, 7)
    assert answer.campaign.campaign_id == ""
    listed = await client.campaigns().ListCampaigns(
        pb.ListCampaignsRequest(application_id=client.application_id)
    )
    assert list(listed.campaigns) == []
    assert await _received(client, people) == {}


async def test_two_applications_never_see_each_others_campaigns(
    client: Customer, platform_variables: dict[str, str]
) -> None:
    segment_id = await _everybody(client, _people(1))
    campaign_id = await client.send(segment_id)
    await _run(client, campaign_id)
    async with customer(Exported(platform_variables)) as other:
        for kind, method in (
            (pb.GetCampaignRequest, "GetCampaign"),
            (pb.PauseCampaignRequest, "PauseCampaign"),
            (pb.StopCampaignRequest, "StopCampaign"),
            (pb.DeleteCampaignRequest, "DeleteCampaign"),
        ):
            with pytest.raises(aio.AioRpcError) as caught:
                await getattr(other.campaigns(), method)(_ask(other, campaign_id, kind))
            assert refusal(caught.value).code == "NOT_FOUND"
        assert await other.activity(campaign_id) is None


async def test_campaigns_go_with_their_segment(client: Customer) -> None:
    segment_id = await _everybody(client, _people(1))
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    schedule = campaign_pb2.Schedule(start_time=later)
    campaign_id = await client.send(segment_id, schedule=schedule)
    stub = segmentation_rpc.SegmentationServiceStub(client.channels["segmentation"])
    await stub.DeleteSegment(
        segmentation_pb.DeleteSegmentRequest(
            application_id=client.application_id, segment_id=segment_id
        )
    )

    async def gone() -> bool:
        listed = await client.campaigns().ListCampaigns(
            pb.ListCampaignsRequest(
                application_id=client.application_id,
                state=CampaignState.CAMPAIGN_STATE_DELETED,
            )
        )
        return [c.campaign_id for c in listed.campaigns] == [campaign_id]

    await until(gone, 20, "the campaign to be deleted")
