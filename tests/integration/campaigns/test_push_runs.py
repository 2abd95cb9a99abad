"""Runs of campaigns by push: what the real gateway is given for each service."""

import pytest
from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.campaigns.v1 import campaigns_service_pb2 as pb
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.messaging.v1 import channels_service_pb2, message_pb2
from touchpoint.templates.v1 import template_pb2

from libs.ids import new_id
from services.messaging.store.contents import ContentStore
from tests.integration.campaigns.conftest import Shop
from tests.integration.messaging.gateway_support import until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]
State = campaign_pb2.CampaignState
SERVICES = ("APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "GCM", "ADM", "BAIDU")


def _endpoint(channel: str) -> endpoint_pb2.Endpoint:
    return endpoint_pb2.Endpoint(
        endpoint_id=channel.lower(),
        address=f"token-of-{channel}",
        channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{channel}"),
    )


async def _set_up(shop: Shop, *channels: str) -> tuple[str, str]:
    """An application with an endpoint on each channel and one channel that is on; its segment."""
    app_id = await shop.application()
    await shop.put(app_id, *map(_endpoint, channels))
    adm = channels_service_pb2.AdmChannel(enabled=True, client_id="id", client_secret="secret")
    await shop.gateway.channels.UpdateAdmChannel(
        channels_service_pb2.UpdateAdmChannelRequest(application_id=app_id, adm_channel=adm)
    )
    return app_id, await shop.segment(app_id)


async def _run(shop: Shop, app_id: str, campaign: campaign_pb2.Campaign) -> str:
    """Create a campaign that starts at once; the id of its run, once its audience is read."""
    campaign.name = "Push"
    campaign.schedule.start_time = "IMMEDIATE"
    made = await shop.create(app_id, campaign)
    request = pb.ListCampaignActivitiesRequest(application_id=app_id, campaign_id=made.campaign_id)

    async def read() -> str:
        found = (await shop.stub.ListCampaignActivities(request)).activities
        return found[0].activity_id if found and found[0].progress.fan_out_done else ""

    return await until(read)


async def _said(shop: Shop, activity_id: str) -> dict[str, message_pb2.MessageContent]:
    """The content of each channel type that something was queued for."""
    store, said = ContentStore(shop.gateway.database), {}
    for batch in await shop.gateway.published(activity_id):
        assert batch.message_type == channel_pb2.MESSAGE_TYPE_PROMOTIONAL
        name = channel_pb2.ChannelType.Name(batch.channel_type).removeprefix("CHANNEL_TYPE_")
        assert [one.address for one in batch.recipients] == [f"token-of-{name}"]
        body = await store.get(batch.content_id)
        assert body is not None
        said[name] = message_pb2.MessageContent.FromString(body)
    return said


async def test_every_service_gets_its_own_message_or_the_default(shop: Shop) -> None:
    app_id, segment_id = await _set_up(shop, *SERVICES, "EMAIL")
    inline = campaign_pb2.MessageConfiguration(
        default_message=campaign_pb2.CampaignPushMessage(
            title="Sale", body="For {{Id}}", time_to_live=1_000_000
        ),
        apns_message=campaign_pb2.CampaignPushMessage(
            silent_push=True, json_body='{"a": "b", "c": {"d": 1}}'
        ),
        gcm_message=campaign_pb2.CampaignPushMessage(
            body="Android", action=channel_pb2.PUSH_ACTION_DEEP_LINK, url="shop://sale"
        ),
    )
    campaign = campaign_pb2.Campaign(segment_id=segment_id, message_configuration=inline)
    activity_id = await _run(shop, app_id, campaign)
    said = {name: one.push for name, one in (await _said(shop, activity_id)).items()}
    assert set(said) == set(SERVICES)
    for name in SERVICES[:4]:
        assert said[name].silent_push
        assert said[name].json_body == '{"a": "b", "c": {"d": 1}}'
    assert (said["GCM"].body, said["GCM"].url) == ("Android", "shop://sale")
    assert (said["ADM"].title, said["ADM"].body) == ("Sale", "For {{Id}}")
    assert not said["ADM"].HasField("time_to_live")
    assert said["BAIDU"].time_to_live == 604_800
    rows = await shop.gateway.rows(activity_id)
    mail = rows["token-of-EMAIL/email"]
    assert (mail["state"], mail["reason"]) == ("SKIPPED", "CHANNEL_MISMATCH")


async def test_a_template_speaks_for_services_without_a_message(shop: Shop) -> None:
    app_id, segment_id = await _set_up(shop, "APNS", "GCM", "ADM")
    name = new_id()
    shop.shelf.put(
        template_pb2.Template(
            template_name=name,
            template_type=template_pb2.TEMPLATE_TYPE_PUSH,
            push=template_pb2.PushTemplateContent(
                adm=template_pb2.AndroidPushTemplate(body="Hi {{Name}}", sound="default")
            ),
            default_substitutions={"Name": "you"},
        )
    )
    campaign = campaign_pb2.Campaign(segment_id=segment_id)
    campaign.message_configuration.apns_message.body = "Apple"
    campaign.template_configuration.push_template.name = name
    activity_id = await _run(shop, app_id, campaign)
    said = await _said(shop, activity_id)
    assert set(said) == {"APNS", "ADM"}
    assert said["APNS"].push.body == "Apple"
    assert (said["ADM"].push.body, said["ADM"].push.sound) == ("Hi {{Name}}", "default")
    assert dict(said["ADM"].default_substitutions) == {"Name": "you"}
    row = (await shop.gateway.rows(activity_id))["token-of-GCM/gcm"]
    assert (row["state"], row["reason"]) == ("SKIPPED", "CHANNEL_MISMATCH")


@pytest.mark.parametrize(
    ("given", "reason"),
    [("message", "GCM"), ("part", "GCM"), ("no part", "push service")],
)
async def test_a_campaign_that_can_send_to_nobody_says_why(
    shop: Shop, given: str, reason: str
) -> None:
    app_id, segment_id = await _set_up(shop, "GCM")  # which is off
    campaign = campaign_pb2.Campaign(name="Off", segment_id=segment_id)
    campaign.schedule.start_time = "IMMEDIATE"
    if given == "message":
        campaign.message_configuration.gcm_message.body = "Hi"
    else:
        template = template_pb2.Template(
            template_name=new_id(), template_type=template_pb2.TEMPLATE_TYPE_PUSH
        )
        if given == "part":
            template.push.gcm.body = "Hi"
        shop.shelf.put(template)
        campaign.template_configuration.push_template.name = template.template_name
    made = await shop.create(app_id, campaign)

    async def invalid() -> bool:
        found = await shop.get(app_id, made.campaign_id)
        return found.state == State.CAMPAIGN_STATE_INVALID

    await until(invalid)
    assert reason in (await shop.get(app_id, made.campaign_id)).state_reason
