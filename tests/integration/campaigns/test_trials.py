"""Test sends: a few people get a campaign's message, and the gateway has it as it has any other."""

from typing import Any

import pytest
from grpc import aio
from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.campaigns.v1 import campaigns_service_pb2 as pb
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.messaging.v1 import channels_service_pb2

from libs.ids import new_id
from tests.integration.campaigns.conftest import Shop
from tests.support.running import refusal

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]
EMAIL, SMS = channel_pb2.CHANNEL_TYPE_EMAIL, channel_pb2.CHANNEL_TYPE_SMS


def person(name: str, **more: Any) -> endpoint_pb2.Endpoint:
    return endpoint_pb2.Endpoint(
        endpoint_id=name, address=f"{name}@mail.example", channel_type=EMAIL, **more
    )


async def campaign(shop: Shop, *people: endpoint_pb2.Endpoint) -> tuple[str, str, str]:
    """An application with people and a campaign for later; ids of it, its segment and itself."""
    app_id = await shop.application()
    if people:
        await shop.put(app_id, *people)
    email = channels_service_pb2.EmailChannel(enabled=True, from_address="a@shop.example")
    await shop.gateway.channels.UpdateEmailChannel(
        channels_service_pb2.UpdateEmailChannelRequest(application_id=app_id, email_channel=email)
    )
    segment_id = await shop.segment(app_id)
    said = campaign_pb2.MessageConfiguration(
        email_message=campaign_pb2.CampaignEmailMessage(title="Hi {{Id}}", body="text")
    )
    other = campaign_pb2.MessageConfiguration(
        email_message=campaign_pb2.CampaignEmailMessage(title="Other", body="text")
    )
    made = await shop.create(
        app_id,
        campaign_pb2.Campaign(
            name="Later",
            segment_id=segment_id,
            message_configuration=said,
            schedule=campaign_pb2.Schedule(start_time="2099-01-01T00:00:00Z"),
            additional_treatments=[
                campaign_pb2.Treatment(size_percent=50, message_configuration=other)
            ],
        ),
    )
    return app_id, segment_id, made.campaign_id


async def tried(shop: Shop, app_id: str, campaign_id: str, **more: Any) -> Any:
    request = pb.SendTestMessagesRequest(application_id=app_id, campaign_id=campaign_id, **more)
    return await shop.stub.SendTestMessages(request)


def address(name: str) -> pb.TestAddress:
    return pb.TestAddress(channel_type=EMAIL, address=f"{name}@mail.example")


async def test_addresses_and_endpoints_get_it_and_the_others_are_told(shop: Shop) -> None:
    opted_out = person("bob", opt_out=endpoint_pb2.OPT_OUT_ALL)
    phone = endpoint_pb2.Endpoint(endpoint_id="tel", address="+12065550100", channel_type=SMS)
    app_id, _, campaign_id = await campaign(shop, person("ann"), opted_out, phone)
    answer = await tried(
        shop, app_id, campaign_id, addresses=[address("qa")], endpoint_ids=["ann", "bob", "tel"]
    )
    assert answer.message_count == 2
    assert {one.endpoint_id: one.reason for one in answer.skipped} == {
        "bob": "OPT_OUT", "tel": "CHANNEL_MISMATCH",
    }  # fmt: skip
    rows = await shop.gateway.rows(answer.dispatch_id)
    assert set(rows) == {"qa@mail.example/", "ann@mail.example/ann"}
    # Nothing of it is the campaign's, whose figures stay those of its audience.
    assert {row["campaign_id"] for row in rows.values()} == {""}
    [batch] = await shop.gateway.published(answer.dispatch_id)
    by_address = {one.address: one for one in batch.recipients}
    kept = endpoint_pb2.Endpoint.FromString(by_address["ann@mail.example"].endpoint)
    assert kept.endpoint_id == "ann"
    assert not by_address["qa@mail.example"].endpoint


async def test_a_small_segment_gets_a_treatment_and_a_repeat_sends_nothing(shop: Shop) -> None:
    app_id, segment_id, campaign_id = await campaign(shop, person("a"), person("b"))
    asked = {"segment_id": segment_id, "treatment_id": "1", "request_id": "r1"}
    dry = await tried(shop, app_id, campaign_id, validate_only=True, **asked)
    assert (dry.dispatch_id, dry.message_count) == ("", 2)
    first = await tried(shop, app_id, campaign_id, **asked)
    again = await tried(shop, app_id, campaign_id, **asked)
    assert first.dispatch_id == again.dispatch_id
    rows = await shop.gateway.rows(first.dispatch_id)
    assert {row["treatment_id"] for row in rows.values()} == {"1"}
    assert len(rows) == 2
    assert len(await shop.gateway.published_ids(first.dispatch_id)) == 2
    fresh = await tried(shop, app_id, campaign_id, segment_id=segment_id)
    assert fresh.dispatch_id != first.dispatch_id


async def test_a_segment_of_more_than_a_hundred_is_refused(shop: Shop) -> None:
    app_id, segment_id, campaign_id = await campaign(shop)
    await shop.put(app_id, *(person(f"p{n}") for n in range(100)))
    assert (await tried(shop, app_id, campaign_id, segment_id=segment_id)).message_count == 100
    await shop.put(app_id, person("p100"))
    with pytest.raises(aio.AioRpcError) as caught:
        await tried(shop, app_id, campaign_id, segment_id=segment_id)
    assert refusal(caught.value).fields == {"segment_id"}


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({}, {"endpoint_ids"}),
        ({"endpoint_ids": ["x"] * 11}, {"endpoint_ids"}),
        ({"endpoint_ids": ["nobody", "none"]}, {"endpoint_ids[0]", "endpoint_ids[1]"}),
        ({"segment_id": "none"}, {"segment_id"}),
        ({"segment_id": "s", "endpoint_ids": ["x"]}, {"segment_id"}),
        ({"treatment_id": "9", "addresses": [address("a")]}, {"treatment_id"}),
        (
            {"addresses": [pb.TestAddress(channel_type=SMS), pb.TestAddress(address="a")]},
            {"addresses[0].address", "addresses[0].channel_type", "addresses[1].channel_type"},
        ),
    ],
)
async def test_every_bad_field_is_named(
    shop: Shop, asked: dict[str, Any], fields: set[str]
) -> None:
    app_id, _, campaign_id = await campaign(shop)
    with pytest.raises(aio.AioRpcError) as caught:
        await tried(shop, app_id, campaign_id, **asked)
    assert refusal(caught.value).fields == fields


async def test_a_channel_that_is_off_is_told(shop: Shop) -> None:
    app_id, _, campaign_id = await campaign(shop)
    await shop.gateway.channels.DeleteChannel(
        channels_service_pb2.DeleteChannelRequest(application_id=app_id, channel_type=EMAIL)
    )
    answer = await tried(shop, app_id, campaign_id, addresses=[address("a")])
    assert list(answer.disabled_channels) == [EMAIL]
    with pytest.raises(aio.AioRpcError):
        await tried(shop, app_id, new_id(), addresses=[address("a")])
