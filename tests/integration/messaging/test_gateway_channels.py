"""Channels and the suppression list through the real gateway."""

from collections.abc import AsyncIterator

import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import channels_service_pb2 as pb

from libs.ids import new_id
from libs.vault import Vault
from services.messaging.store.channels import ChannelStore
from services.messaging.store.suppressions import suppression_key
from tests.integration.messaging.gateway_support import (
    EMAIL,
    METADATA,
    SMS,
    Gateway,
    running_gateway,
)
from tests.support.running import MASTER_KEY, refusal

pytestmark = pytest.mark.servers
STOP = pb.SUPPRESSION_REASON_STOP_KEYWORD
BOUNCE = pb.SUPPRESSION_REASON_BOUNCE
OPERATOR = pb.SUPPRESSION_REASON_OPERATOR
PEM = "-----BEGIN PRIVATE KEY-----\nsecret-key\n-----END PRIVATE KEY-----"


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as running:
        yield running


def an_email_channel(password: str = "", private_key: str = "") -> pb.EmailChannel:
    return pb.EmailChannel(
        enabled=True,
        from_address="Shop <hello@shop.example>",
        identity="shop.example",
        smtp=pb.SmtpProvider(
            host="mail.shop.example", port=587, username="shop", password=password
        ),
        dkim=pb.DkimKey(selector="s1", private_key=private_key),
        messages_per_second=50,
    )


async def update(gateway: Gateway, app_id: str, channel: pb.EmailChannel) -> pb.EmailChannel:
    answer = await gateway.channels.UpdateEmailChannel(
        pb.UpdateEmailChannelRequest(application_id=app_id, email_channel=channel),
        metadata=METADATA,
    )
    saved: pb.EmailChannel = answer.email_channel
    return saved


async def test_secrets_go_in_and_never_out(gateway: Gateway) -> None:
    app_id = new_id()
    saved = await update(gateway, app_id, an_email_channel("pass-word-1", PEM))
    read = await gateway.channels.GetEmailChannel(
        pb.GetEmailChannelRequest(application_id=app_id), metadata=METADATA
    )
    for shown in (saved, read.email_channel):
        assert (shown.smtp.password, shown.dkim.private_key) == ("", "")
        assert shown.status.has_credential
        assert shown.smtp.security == pb.SmtpProvider.SECURITY_STARTTLS
        assert (shown.smtp.connections, shown.smtp.verify_certificate) == (4, True)
    kept = str(await gateway.database["channels"].find_one({"app_id": app_id}))
    assert "pass-word-1" not in kept
    assert "secret-key" not in kept
    channel = await ChannelStore(gateway.database, Vault(MASTER_KEY)).email(app_id)
    assert channel is not None
    assert (channel.smtp.password, channel.dkim.private_key) == ("pass-word-1", PEM)
    assert "pass-word-1" not in repr(channel)


async def test_an_empty_secret_keeps_its_value(gateway: Gateway) -> None:
    app_id = new_id()
    await update(gateway, app_id, an_email_channel("pass-word-1", PEM))
    again = await update(gateway, app_id, an_email_channel("pass-word-2"))
    assert again.status.version == 2
    channel = await ChannelStore(gateway.database, Vault(MASTER_KEY)).email(app_id)
    assert channel is not None
    assert (channel.smtp.password, channel.dkim.private_key) == ("pass-word-2", PEM)


async def test_a_deleted_channel_is_off_and_forgets_its_secrets(gateway: Gateway) -> None:
    app_id = new_id()
    await update(gateway, app_id, an_email_channel("pass-word-1", PEM))
    delete = pb.DeleteChannelRequest(application_id=app_id, channel_type=EMAIL)
    gone = await gateway.channels.DeleteChannel(delete, metadata=METADATA)
    assert gone.channel.enabled
    kept = await gateway.database["channels"].find_one({"app_id": app_id})
    assert kept is not None
    assert "secrets" not in kept
    listed = await gateway.channels.ListChannels(
        pb.ListChannelsRequest(application_id=app_id), metadata=METADATA
    )
    assert [(c.channel_type, c.enabled, c.has_credential) for c in listed.channels] == [
        (EMAIL, False, False)
    ]
    for call in (
        gateway.channels.DeleteChannel(delete, metadata=METADATA),
        gateway.channels.GetEmailChannel(
            pb.GetEmailChannelRequest(application_id=app_id), metadata=METADATA
        ),
    ):
        with pytest.raises(aio.AioRpcError) as refused:
            await call
        assert refusal(refused.value).code == "NOT_FOUND"


async def test_the_sms_channel(gateway: Gateway) -> None:
    app_id = new_id()
    channel = pb.SmsChannel(
        enabled=True,
        sender_id="SHOP",
        origination_number="+1 206 555 0100",
        smpp=pb.SmppProvider(host="smsc.example", port=2775, system_id="s", password="p-w"),
        parts_per_second=100,
        replies=pb.KeywordReplies(help="Call us."),
    )
    await gateway.channels.UpdateSmsChannel(
        pb.UpdateSmsChannelRequest(application_id=app_id, sms_channel=channel), metadata=METADATA
    )
    read = await gateway.channels.GetSmsChannel(
        pb.GetSmsChannelRequest(application_id=app_id), metadata=METADATA
    )
    shown = read.sms_channel
    assert shown.origination_number == "+12065550100"
    assert (shown.smpp.password, shown.smpp.window) == ("", 10)
    assert shown.replies.help == "Call us."
    kept = await ChannelStore(gateway.database, Vault(MASTER_KEY)).sms(app_id)
    assert kept is not None
    assert kept.smpp.password == "p-w"


async def test_bad_settings_are_all_named_and_change_nothing(gateway: Gateway) -> None:
    app_id = new_id()
    bad = pb.EmailChannel(
        from_address="x",
        smtp=pb.SmtpProvider(host="h", security=9, connections=99),  # type: ignore[arg-type]
        messages_per_second=-1,
    )
    with pytest.raises(aio.AioRpcError) as refused:
        await update(gateway, app_id, bad)
    assert refusal(refused.value).fields == {
        "email_channel.from_address",
        "email_channel.smtp.port",
        "email_channel.smtp.security",
        "email_channel.smtp.connections",
        "email_channel.messages_per_second",
    }
    assert await gateway.database["channels"].find_one({"app_id": app_id}) is None


def destination(
    channel: channel_pb2.ChannelType.ValueType,
    address: str,
    reason: pb.SuppressionReason.ValueType = OPERATOR,
) -> pb.SuppressedDestination:
    return pb.SuppressedDestination(channel_type=channel, address=address, reason=reason)


async def put(gateway: Gateway, *destinations: pb.SuppressedDestination) -> int:
    request = pb.PutSuppressedDestinationsRequest(application_id="any", destinations=destinations)
    answer = await gateway.channels.PutSuppressedDestinations(request, metadata=METADATA)
    return int(answer.added_count)


async def delete(gateway: Gateway, *destinations: pb.SuppressedDestination) -> int:
    request = pb.DeleteSuppressedDestinationsRequest(
        application_id="any", destinations=destinations
    )
    answer = await gateway.channels.DeleteSuppressedDestinations(request, metadata=METADATA)
    return int(answer.deleted_count)


async def test_a_suppression_is_in_force_and_can_be_lifted(gateway: Gateway) -> None:
    one = destination(EMAIL, "Ann@Shop.example", BOUNCE)
    assert await put(gateway, one, one) == 1
    blocked = await gateway.suppressions.blocked("app", "EMAIL", [], ["ann@shop.example", "b@x.y"])
    assert dict(blocked.addresses) == {"ann@shop.example": "BOUNCE"}
    lately = await gateway.suppressions.blocked_lately("app", "EMAIL", 60)
    assert lately.has_address("ANN@shop.example")
    assert not (await gateway.suppressions.blocked_lately("app", "SMS", 60)).addresses
    assert await delete(gateway, one) == 1
    assert await delete(gateway, one) == 0


async def test_a_stop_can_only_be_taken_back_by_its_owner(gateway: Gateway) -> None:
    phone = destination(SMS, "+12065550199", STOP)
    other = destination(SMS, "+12065550198")
    await put(gateway, phone, destination(SMS, "+12065550199", OPERATOR), other)
    with pytest.raises(aio.AioRpcError) as refused:
        await delete(gateway, other, phone)
    assert refusal(refused.value).code == "FAILED_PRECONDITION"
    both = ["+12065550199", "+12065550198"]
    assert len((await gateway.suppressions.blocked("a", "SMS", [], both)).addresses) == 2
    assert await gateway.suppressions.restart("SMS", "+12065550199")
    assert not await gateway.suppressions.restart("SMS", "+12065550199")
    # What the operator put there is still in force, and now the operator can lift it.
    assert dict(
        (await gateway.suppressions.blocked("a", "SMS", [], both)).addresses
    ) == dict.fromkeys(both, "OPERATOR")
    assert await delete(gateway, other, phone) == 2
    await put(gateway, phone)
    assert await gateway.suppressions.restart("SMS", "+12065550199")
    assert not (await gateway.suppressions.blocked("a", "SMS", [], both)).addresses


async def test_the_list_is_paged_newest_first(gateway: Gateway) -> None:
    addresses = [f"list{number:02}@shop.example" for number in range(7)]
    for address in addresses:
        await put(gateway, destination(EMAIL, address, pb.SUPPRESSION_REASON_COMPLAINT))
    found: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        answer = await gateway.channels.ListSuppressedDestinations(
            pb.ListSuppressedDestinationsRequest(
                application_id="any",
                channel_type=EMAIL,
                reason=pb.SUPPRESSION_REASON_COMPLAINT,
                page_size=3,
                page_token=token,
            ),
            metadata=METADATA,
        )
        found += [one.address for one in answer.destinations]
        token, pages = answer.next_page_token, pages + 1
    assert found == addresses[::-1]
    assert pages == 3


async def test_bad_destinations_are_all_named(gateway: Gateway) -> None:
    with pytest.raises(aio.AioRpcError) as refused:
        await put(
            gateway,
            destination(EMAIL, "x"),
            destination(channel_pb2.CHANNEL_TYPE_GCM, "t", pb.SUPPRESSION_REASON_UNSPECIFIED),
        )
    assert refusal(refused.value).fields == {
        "destinations[0].address",
        "destinations[1].channel_type",
        "destinations[1].reason",
    }


async def test_new_opt_outs_are_found_by_the_index(gateway: Gateway) -> None:
    plan = await gateway.database.command(
        "explain",
        {
            "find": "optouts",
            "filter": {"$expr": {"$gte": ["$at", {"$subtract": ["$$NOW", 3000]}]}},
        },
        verbosity="queryPlanner",
    )
    assert "optouts_at" in str(plan)
    assert suppression_key("EMAIL", "A@x.y") == "EMAIL/a@x.y"


async def test_fallbacks_keep_their_secrets_by_whom_they_are_for(gateway: Gateway) -> None:
    app_id, sid = new_id(), "AC" + "0" * 32
    first = pb.SmsProvider(twilio=pb.TwilioProvider(account_sid=sid, auth_token="twilio-secret"))
    second = pb.SmsProvider(smpp=pb.SmppProvider(host="b.example", port=1, password="smpp-secret"))

    async def save(*fallbacks: pb.SmsProvider) -> pb.SmsChannel:
        answer = await gateway.channels.UpdateSmsChannel(
            pb.UpdateSmsChannelRequest(
                application_id=app_id, sms_channel=pb.SmsChannel(enabled=True, fallbacks=fallbacks)
            ),
            metadata=METADATA,
        )
        saved: pb.SmsChannel = answer.sms_channel
        return saved

    saved = await save(first, second)
    assert "secret" not in str(saved)
    assert [one.WhichOneof("provider") for one in saved.fallbacks] == ["twilio", "smpp"]
    first.twilio.auth_token = second.smpp.password = ""
    await save(second, first)
    kept = await ChannelStore(gateway.database, Vault(MASTER_KEY)).sms(app_id)
    assert kept is not None
    told = [
        getattr(one, "password", "") or getattr(one, "auth_token", "") for one in kept.fallbacks
    ]
    assert told == ["smpp-secret", "twilio-secret"]
    second.smpp.host = "c.example"
    await save(second)
    kept = await ChannelStore(gateway.database, Vault(MASTER_KEY)).sms(app_id)
    assert kept is not None
    assert [getattr(one, "password", None) for one in kept.fallbacks] == [""]


async def test_bad_fallbacks_are_named(gateway: Gateway) -> None:
    wrong = pb.SmsProvider(twilio=pb.TwilioProvider(account_sid="x"))
    request = pb.UpdateSmsChannelRequest(
        application_id="app",
        sms_channel=pb.SmsChannel(
            smpp=pb.SmppProvider(host="a.example", port=1),
            twilio=wrong.twilio,
            fallbacks=[wrong, pb.SmsProvider(smpp=pb.SmppProvider()), wrong, wrong, wrong],
        ),
    )
    with pytest.raises(aio.AioRpcError) as caught:
        await gateway.channels.UpdateSmsChannel(request, metadata=METADATA)
    twilios = {f"sms_channel.fallbacks[{n}].twilio.account_sid" for n in (0, 2, 3, 4)}
    assert refusal(caught.value).fields == twilios | {
        "sms_channel.smpp",
        "sms_channel.twilio.account_sid",
        "sms_channel.fallbacks",
        "sms_channel.fallbacks[1].smpp.host",
    }
