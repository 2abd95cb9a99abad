"""Push and voice channels through the real gateway: settings in, secrets never out."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import StatusCode, aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import channels_service_pb2 as pb

from libs.ids import new_id
from libs.vault import Vault
from services.messaging.domain.push_channels import ApnsChannel, GcmChannel
from services.messaging.domain.voice_channel import VoiceChannel
from services.messaging.store.channels import ChannelStore
from tests.integration.messaging.gateway_support import METADATA, Gateway, running_gateway
from tests.support.keys import certificate, p256_key, pem, rsa_key, service_json
from tests.support.running import MASTER_KEY, refusal

pytestmark = pytest.mark.servers
APNS = channel_pb2.CHANNEL_TYPE_APNS
APNS_SANDBOX = channel_pb2.CHANNEL_TYPE_APNS_SANDBOX
FLAT = {
    "gcm": pb.GcmChannel(enabled=True, service_json=service_json(), messages_per_second=7),
    "adm": pb.AdmChannel(enabled=True, client_id="app-1", client_secret="adm-secret"),
    "baidu": pb.BaiduChannel(enabled=True, api_key="app-2", secret_key="baidu-secret"),
    "voice": pb.VoiceChannel(
        enabled=True,
        origination_number="+1 206 555 0100",
        language_code="en-US",
        twilio=pb.TwilioProvider(account_sid="AC" + "0" * 32, auth_token="voice-secret"),
    ),
}


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as running:
        yield running


def store(gateway: Gateway) -> ChannelStore:
    return ChannelStore(gateway.database, Vault(MASTER_KEY))


def apple(**changes: Any) -> pb.ApnsChannel:
    channel = pb.ApnsChannel(
        enabled=True,
        bundle_id="com.example.shop",
        team_id="TEAM012345",
        token_key_id="KEY0123456",
        token_key=pem(p256_key()),
    )
    channel.MergeFrom(pb.ApnsChannel(**changes))
    return channel


async def update(gateway: Gateway, app_id: str, kind: str, channel: Any, **more: Any) -> Any:
    name = kind.title()
    request = getattr(pb, f"Update{name}ChannelRequest")(
        application_id=app_id, **{f"{kind}_channel": channel}, **more
    )
    rpc = getattr(gateway.channels, f"Update{name}Channel")
    return getattr(await rpc(request, metadata=METADATA), f"{kind}_channel")


async def get(gateway: Gateway, app_id: str, kind: str, **more: Any) -> Any:
    name = kind.title()
    request = getattr(pb, f"Get{name}ChannelRequest")(application_id=app_id, **more)
    rpc = getattr(gateway.channels, f"Get{name}Channel")
    return getattr(await rpc(request, metadata=METADATA), f"{kind}_channel")


async def refused(call: Any) -> frozenset[str]:
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is StatusCode.INVALID_ARGUMENT
    return refusal(caught.value).fields


@pytest.mark.parametrize("kind", FLAT)
async def test_a_channel_is_set_up_shown_without_secrets_and_deleted(
    gateway: Gateway, kind: str
) -> None:
    app_id = new_id()
    saved = await update(gateway, app_id, kind, FLAT[kind])
    assert saved.enabled
    assert saved.status.has_credential
    assert saved.status.version == 1
    assert "secret" not in str(saved)
    assert "PRIVATE" not in str(saved)
    assert await get(gateway, app_id, kind) == saved
    [document] = await gateway.database["channels"].find({"app_id": app_id}).to_list(None)
    assert f"{kind}-secret" not in str(document)
    assert "PRIVATE" not in str(document)
    kind_type = channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{kind.upper()}")
    gone = pb.DeleteChannelRequest(application_id=app_id, channel_type=kind_type)
    await gateway.channels.DeleteChannel(gone, metadata=METADATA)
    [document] = await gateway.database["channels"].find({"app_id": app_id}).to_list(None)
    assert not {"secrets", "settings"} & set(document)
    with pytest.raises(aio.AioRpcError) as caught:
        await get(gateway, app_id, kind)
    assert caught.value.code() is StatusCode.NOT_FOUND


async def test_empty_secrets_keep_their_value_and_what_they_told(gateway: Gateway) -> None:
    app_id = new_id()
    first = await update(gateway, app_id, "gcm", FLAT["gcm"])
    assert (first.project_id, first.has_fcm_service_credentials) == ("shop-1", True)
    again = await update(gateway, app_id, "gcm", pb.GcmChannel(enabled=True))
    assert (again.project_id, again.status.version) == ("shop-1", 2)
    kept = await store(gateway).channel(app_id, "GCM")
    assert isinstance(kept, GcmChannel)
    assert kept.service_json == service_json()
    other = await update(
        gateway, app_id, "gcm", pb.GcmChannel(service_json=service_json(project_id="shop-2"))
    )
    assert (other.project_id, other.enabled) == ("shop-2", False)


async def test_apples_four_channels_are_settings_of_their_own(gateway: Gateway) -> None:
    app_id = new_id()
    await update(gateway, app_id, "apns", apple(), channel_type=APNS)
    key = p256_key()
    own = pb.ApnsChannel(
        enabled=True,
        bundle_id="com.example.beta",
        certificate=certificate(key),
        private_key=pem(key),
    )
    saved = await update(gateway, app_id, "apns", own, channel_type=APNS_SANDBOX)
    assert saved.certificate_expire_time.seconds > saved.status.creation_date.seconds
    assert not saved.has_token_key
    first = await get(gateway, app_id, "apns", channel_type=APNS)
    assert (first.bundle_id, first.has_token_key) == ("com.example.shop", True)
    kept = await store(gateway).channel(app_id, "APNS_SANDBOX")
    assert isinstance(kept, ApnsChannel)
    assert (kept.private_key, kept.token_key) == (pem(key), "")
    listed = await gateway.channels.ListChannels(
        pb.ListChannelsRequest(application_id=app_id), metadata=METADATA
    )
    assert {one.channel_type for one in listed.channels} == {APNS, APNS_SANDBOX}


async def test_every_bad_field_of_an_apple_channel_is_named(gateway: Gateway) -> None:
    app_id = new_id()
    bad = apple(
        bundle_id="no bundle",
        team_id="short",
        token_key=pem(rsa_key()),
        certificate=certificate(p256_key(), days=-1),
        private_key="nothing",
        default_authentication_method="PASSWORD",
        messages_per_second=-1,
    )
    found = await refused(update(gateway, app_id, "apns", bad, channel_type=APNS))
    assert found == {
        f"apns_channel.{name}"
        for name in (
            "bundle_id",
            "team_id",
            "token_key",
            "certificate",
            "private_key",
            "default_authentication_method",
            "messages_per_second",
        )
    }
    assert await gateway.database["channels"].count_documents({"app_id": app_id}) == 0


async def test_a_key_that_is_not_the_certificates_is_refused(gateway: Gateway) -> None:
    bad = apple(certificate=certificate(p256_key()), private_key=pem(rsa_key()))
    found = await refused(update(gateway, new_id(), "apns", bad, channel_type=APNS))
    assert found == {"apns_channel.private_key"}


async def test_an_apple_channel_needs_one_way_to_tell_who_we_are(gateway: Gateway) -> None:
    nothing = pb.ApnsChannel(enabled=True, default_authentication_method="certificate")
    found = await refused(update(gateway, new_id(), "apns", nothing, channel_type=APNS))
    assert found == {
        "apns_channel.bundle_id",
        "apns_channel.token_key",
        "apns_channel.default_authentication_method",
    }
    found = await refused(update(gateway, new_id(), "apns", apple()))
    assert found == {"channel_type"}


@pytest.mark.parametrize(
    ("kind", "channel", "fields"),
    [
        ("gcm", pb.GcmChannel(enabled=True), {"service_json"}),
        ("gcm", pb.GcmChannel(enabled=True, api_key="legacy"), {"api_key"}),
        ("gcm", pb.GcmChannel(service_json="{}"), {"service_json"}),
        ("gcm", pb.GcmChannel(service_json=service_json(private_key="x")), {"service_json"}),
        (
            "gcm",
            pb.GcmChannel(default_authentication_method="KEY"),
            {"default_authentication_method"},
        ),
        ("adm", pb.AdmChannel(enabled=True), {"client_id", "client_secret"}),
        ("baidu", pb.BaiduChannel(enabled=True), {"api_key", "secret_key"}),
        (
            "voice",
            pb.VoiceChannel(
                origination_number="12",
                language_code="english",
                voice_id="no voice",
                twilio=pb.TwilioProvider(account_sid="AC1"),
                calls_per_minute=-1,
            ),
            {
                "origination_number",
                "language_code",
                "voice_id",
                "twilio.account_sid",
                "twilio.auth_token",
                "calls_per_minute",
            },
        ),
        (
            "voice",
            pb.VoiceChannel(
                twilio=pb.TwilioProvider(account_sid="AC" + "0" * 32, auth_token="t"),
                aws=pb.AwsVoiceProvider(
                    region="moon", access_key_id="k", event_topic_arn="x", max_price_per_minute="-1"
                ),
            ),
            {
                "aws",
                "aws.region",
                "aws.secret_access_key",
                "aws.event_topic_arn",
                "aws.max_price_per_minute",
            },
        ),
        (
            "voice",
            pb.VoiceChannel(aws=pb.AwsVoiceProvider(region="eu-central-1")),
            {"aws.access_key_id"},
        ),
    ],
)
async def test_every_bad_field_of_the_others_is_named(
    gateway: Gateway, kind: str, channel: Any, fields: set[str]
) -> None:
    app_id = new_id()
    found = await refused(update(gateway, app_id, kind, channel))
    assert found == {f"{kind}_channel.{name}" for name in fields}
    assert await gateway.database["channels"].count_documents({"app_id": app_id}) == 0


async def test_a_voice_channel_may_wait_for_its_account(gateway: Gateway) -> None:
    saved = await update(gateway, new_id(), "voice", pb.VoiceChannel(enabled=True))
    assert saved.enabled
    assert not saved.status.has_credential


async def test_a_voice_channel_over_amazon_keeps_its_secret(gateway: Gateway) -> None:
    app_id = new_id()
    given = pb.AwsVoiceProvider(
        region="eu-central-1",
        access_key_id="AKIA",
        secret_access_key="voice-secret",
        configuration_set="calls",
        event_topic_arn="arn:aws:sns:eu-central-1:123456789012:events",
        max_price_per_minute="0.05",
    )
    await update(gateway, app_id, "voice", pb.VoiceChannel(enabled=True, aws=given))
    given.ClearField("secret_access_key")
    again = await update(gateway, app_id, "voice", pb.VoiceChannel(enabled=True, aws=given))
    assert again.aws == given
    assert again.status.has_credential
    kept = await store(gateway).channel(app_id, "VOICE")
    assert isinstance(kept, VoiceChannel)
    assert kept.aws is not None
    assert kept.aws.secret_access_key == "voice-secret"
