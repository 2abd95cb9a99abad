"""Push and voice channels between the wire and the domain; secrets only ever go inwards."""

from touchpoint.messaging.v1 import channels_service_pb2 as pb

from libs.timestamps import to_timestamp
from services.messaging.domain.push_channels import (
    AdmChannel,
    ApnsChannel,
    BaiduChannel,
    GcmChannel,
    authentication_of,
)
from services.messaging.domain.recipients import SMS, normalized
from services.messaging.domain.voice_channel import VoiceChannel
from services.messaging.servicer.channel_mapping import status
from services.messaging.store.channels import Shown


def apns_from_proto(given: pb.ApnsChannel) -> ApnsChannel:
    return ApnsChannel(
        given.enabled,
        given.bundle_id,
        given.team_id,
        given.token_key_id,
        given.token_key,
        given.certificate,
        given.private_key,
        authentication_of(given.default_authentication_method),
        None,
        given.messages_per_second,
    )


def apns_to_proto(shown: Shown, channel: ApnsChannel) -> pb.ApnsChannel:
    return pb.ApnsChannel(
        status=status(shown.status),
        enabled=channel.enabled,
        bundle_id=channel.bundle_id,
        team_id=channel.team_id,
        token_key_id=channel.token_key_id,
        default_authentication_method=channel.authentication,
        has_token_key="token_key" in shown.kept,
        certificate_expire_time=to_timestamp(channel.certificate_expire_time),
        messages_per_second=channel.messages_per_second,
    )


def gcm_from_proto(given: pb.GcmChannel) -> GcmChannel:
    return GcmChannel(
        given.enabled, given.service_json, messages_per_second=given.messages_per_second
    )


def gcm_to_proto(shown: Shown, channel: GcmChannel) -> pb.GcmChannel:
    return pb.GcmChannel(
        status=status(shown.status),
        enabled=channel.enabled,
        default_authentication_method="TOKEN",
        has_fcm_service_credentials="service_json" in shown.kept,
        project_id=channel.project_id,
        messages_per_second=channel.messages_per_second,
    )


def adm_from_proto(given: pb.AdmChannel) -> AdmChannel:
    return AdmChannel(
        given.enabled, given.client_id, given.client_secret, given.messages_per_second
    )


def adm_to_proto(shown: Shown, channel: AdmChannel) -> pb.AdmChannel:
    return pb.AdmChannel(
        status=status(shown.status),
        enabled=channel.enabled,
        client_id=channel.client_id,
        messages_per_second=channel.messages_per_second,
    )


def baidu_from_proto(given: pb.BaiduChannel) -> BaiduChannel:
    return BaiduChannel(given.enabled, given.api_key, given.secret_key, given.messages_per_second)


def baidu_to_proto(shown: Shown, channel: BaiduChannel) -> pb.BaiduChannel:
    return pb.BaiduChannel(
        status=status(shown.status),
        enabled=channel.enabled,
        api_key=channel.api_key,
        messages_per_second=channel.messages_per_second,
    )


def voice_from_proto(given: pb.VoiceChannel) -> VoiceChannel:
    return VoiceChannel(
        given.enabled,
        normalized(SMS, given.origination_number),
        given.language_code,
        given.voice_id,
        given.twilio.account_sid,
        given.twilio.auth_token,
        given.calls_per_minute,
        given.aws.region,
        given.aws.access_key_id,
        given.aws.secret_access_key,
        given.aws.configuration_set,
        given.aws.event_topic_arn,
        given.aws.max_price_per_minute,
    )


def voice_to_proto(shown: Shown, channel: VoiceChannel) -> pb.VoiceChannel:
    return pb.VoiceChannel(
        status=status(shown.status),
        enabled=channel.enabled,
        origination_number=channel.origination_number,
        language_code=channel.language_code,
        voice_id=channel.voice_id,
        twilio=pb.TwilioProvider(account_sid=channel.account_sid),
        calls_per_minute=channel.calls_per_minute,
        aws=_aws_voice(channel),
    )


def _aws_voice(channel: VoiceChannel) -> pb.AwsVoiceProvider | None:
    if channel.aws is None:
        return None
    return pb.AwsVoiceProvider(
        region=channel.region,
        access_key_id=channel.access_key_id,
        configuration_set=channel.configuration_set,
        event_topic_arn=channel.event_topic_arn,
        max_price_per_minute=channel.max_price_per_minute,
    )
