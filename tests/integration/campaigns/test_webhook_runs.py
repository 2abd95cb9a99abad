"""Campaigns by webhook: what the real gateway is given, refused URLs, and a whole run."""

import json
from collections.abc import AsyncIterator

import pytest
from grpc import aio
from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.campaigns.v1 import campaigns_service_pb2 as pb
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2

from tests.integration.campaigns.conftest import Shop
from tests.integration.messaging.gateway_support import until
from tests.support.desk import worker
from tests.support.running import common, refusal
from tests.support.sandboxes import Sandbox, sandbox

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]
FIELD = "campaign.custom_delivery_configuration.delivery_uri"
TYPES = ("CUSTOM", "EMAIL", "SMS", "GCM")


@pytest.fixture(scope="module")
async def box(
    shop: Shop, mongo_uri: str, amqp_url: str, database_prefix: str
) -> AsyncIterator[Sandbox]:
    given = common(mongo_uri, amqp_url, database_prefix)
    hosts = shop.settings.webhook_allowed_hosts
    async with sandbox() as made, worker(given, "custom", webhook_allowed_hosts=hosts):
        yield made


async def _set_up(shop: Shop) -> tuple[str, str]:
    """An application with an endpoint of each type, and its segment."""
    app_id = await shop.application()
    for name in TYPES:
        endpoint = endpoint_pb2.Endpoint(
            endpoint_id=name.lower(),
            address={"EMAIL": "a@shop.example", "SMS": "+12065550142"}.get(name, f"to-{name}"),
            channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{name}"),
        )
        await shop.put(app_id, endpoint)
    return app_id, await shop.segment(app_id)


def _campaign(segment_id: str, url: str, *types: str) -> campaign_pb2.Campaign:
    numbers = [channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{one}") for one in types]
    return campaign_pb2.Campaign(
        name="Hook",
        segment_id=segment_id,
        schedule=campaign_pb2.Schedule(start_time="IMMEDIATE"),
        message_configuration=campaign_pb2.MessageConfiguration(
            custom_message=campaign_pb2.CampaignCustomMessage(data="{{not}} rendered")
        ),
        custom_delivery_configuration=campaign_pb2.CustomDeliveryConfiguration(
            delivery_uri=url, endpoint_types=numbers
        ),
    )


async def _ended(
    shop: Shop, app_id: str, made: campaign_pb2.Campaign
) -> campaign_pb2.CampaignActivity:
    request = pb.ListCampaignActivitiesRequest(application_id=app_id, campaign_id=made.campaign_id)
    completed = campaign_pb2.CampaignActivity.STATE_COMPLETED

    async def over() -> list[campaign_pb2.CampaignActivity]:
        found = (await shop.stub.ListCampaignActivities(request)).activities
        return [one for one in found if one.state == completed]

    [run] = await until(over)
    return run


@pytest.mark.parametrize(
    ("types", "reached"), [((), {"custom"}), (("EMAIL", "PUSH"), {"email", "gcm"})]
)
async def test_endpoints_of_chosen_types_are_delivered_and_others_pass(
    shop: Shop, box: Sandbox, types: tuple[str, ...], reached: set[str]
) -> None:
    app_id, segment_id = await _set_up(shop)
    url = f"http://127.0.0.1:{box.ports.push}/webhooks/{app_id}/r"
    made = await shop.create(app_id, _campaign(segment_id, url, *types))
    assert made.custom_delivery_configuration.delivery_uri == url
    run = await _ended(shop, app_id, made)
    assert run.successful_endpoint_count == len(reached)
    assert run.progress.reason_counts == {"CHANNEL_MISMATCH": len(TYPES) - len(reached)}
    took = [one for one in await box.messages("CUSTOM") if one["from"] == app_id]
    assert {one["to"] for one in took} == reached
    document = json.loads(took[0]["body"])
    assert document["Data"] == "{{not}} rendered"
    assert (document["CampaignId"], document["ActivityId"]) == (made.campaign_id, run.activity_id)
    assert document["ScheduledTime"] == run.scheduled_start.ToJsonString()
    assert set(document["Endpoints"]) == reached
    for name, endpoint in document["Endpoints"].items():
        assert endpoint["ChannelType"] == name.upper()


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.2/", "https://10.1.2.3/", "http://8.8.8.8/", "https://no-such.invalid/"],
)
async def test_a_url_that_must_not_be_called_is_refused_by_its_field(shop: Shop, url: str) -> None:
    app_id, segment_id = await _set_up(shop)
    with pytest.raises(aio.AioRpcError) as refused:
        await shop.create(app_id, _campaign(segment_id, url))
    assert refusal(refused.value).fields == {FIELD}


async def test_a_function_is_refused_by_its_field(shop: Shop) -> None:
    app_id, segment_id = await _set_up(shop)
    arn = "arn:aws:lambda:us-east-1:111122223333:function:take"
    with pytest.raises(aio.AioRpcError) as refused:
        await shop.create(app_id, _campaign(segment_id, arn))
    assert refusal(refused.value).fields == {FIELD}
    assert "function" in str(refused.value)
