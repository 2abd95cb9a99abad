"""Channel settings between the wire and the domain; secrets only ever go inwards."""

from typing import Final

from touchpoint.messaging.v1 import channels_service_pb2 as pb

from libs.timestamps import to_timestamp
from services.messaging.domain import channels
from services.messaging.domain.recipients import SMS, normalized
from services.messaging.servicer.names import CHANNELS

SECURITY: Final = {
    pb.SmtpProvider.SECURITY_UNSPECIFIED: channels.Security.STARTTLS,
    pb.SmtpProvider.SECURITY_STARTTLS: channels.Security.STARTTLS,
    pb.SmtpProvider.SECURITY_TLS: channels.Security.TLS,
    pb.SmtpProvider.SECURITY_NONE: channels.Security.NONE,
}


def status(one: channels.ChannelStatus) -> pb.ChannelStatus:
    return pb.ChannelStatus(
        application_id=one.app_id,
        channel_type=CHANNELS.number(one.channel_type),
        enabled=one.enabled,
        has_credential=one.has_credential,
        version=one.version,
        creation_date=to_timestamp(one.create_time),
        last_modified_date=to_timestamp(one.update_time),
    )


def email_from_proto(email: pb.EmailChannel) -> channels.EmailChannel:
    return channels.EmailChannel(
        email.enabled,
        email.from_address,
        email.identity,
        _smtp_from(email.smtp),
        channels.Dkim(email.dkim.selector, email.dkim.private_key),
        email.messages_per_second,
        tuple(
            _aws_from(one.ses) if one.HasField("ses") else _smtp_from(one.smtp)
            for one in email.fallbacks
        ),
        _aws_from(email.ses) if email.HasField("ses") else None,
    )


def email_to_proto(state: channels.ChannelStatus, email: channels.EmailChannel) -> pb.EmailChannel:
    return pb.EmailChannel(
        status=status(state),
        enabled=email.enabled,
        from_address=email.from_address,
        identity=email.identity,
        smtp=_smtp_to(email.smtp),
        dkim=pb.DkimKey(selector=email.dkim.selector),
        messages_per_second=email.messages_per_second,
        ses=_ses_to(email.ses) if email.ses else None,
        fallbacks=[
            pb.EmailProvider(ses=_ses_to(one))
            if isinstance(one, channels.Aws)
            else pb.EmailProvider(smtp=_smtp_to(one))
            for one in email.fallbacks
        ],
    )


def sms_from_proto(sms: pb.SmsChannel) -> channels.SmsChannel:
    return channels.SmsChannel(
        sms.enabled,
        sms.sender_id,
        normalized(SMS, sms.origination_number),
        _smpp_from(sms.smpp),
        sms.parts_per_second,
        channels.Replies(sms.replies.stop, sms.replies.help, sms.replies.start),
        _twilio_from(sms.twilio) if sms.HasField("twilio") else None,
        tuple(_sms_provider_from(one) for one in sms.fallbacks),
        _aws_from(sms.aws) if sms.HasField("aws") else None,
    )


def sms_to_proto(state: channels.ChannelStatus, sms: channels.SmsChannel) -> pb.SmsChannel:
    return pb.SmsChannel(
        status=status(state),
        enabled=sms.enabled,
        sender_id=sms.sender_id,
        origination_number=sms.origination_number,
        smpp=_smpp_to(sms.smpp),
        parts_per_second=sms.parts_per_second,
        replies=pb.KeywordReplies(
            stop=sms.replies.stop, help=sms.replies.help, start=sms.replies.start
        ),
        twilio=_twilio_to(sms.twilio) if sms.twilio else None,
        aws=_aws_to(sms.aws) if sms.aws else None,
        fallbacks=[_sms_provider_to(one) for one in sms.fallbacks],
    )


def _sms_provider_from(
    one: pb.SmsProvider,
) -> channels.Smpp | channels.Twilio | channels.Aws:
    if one.HasField("twilio"):
        return _twilio_from(one.twilio)
    return _aws_from(one.aws) if one.HasField("aws") else _smpp_from(one.smpp)


def _sms_provider_to(one: channels.Smpp | channels.Twilio | channels.Aws) -> pb.SmsProvider:
    if isinstance(one, channels.Twilio):
        return pb.SmsProvider(twilio=_twilio_to(one))
    if isinstance(one, channels.Aws):
        return pb.SmsProvider(aws=_aws_to(one))
    return pb.SmsProvider(smpp=_smpp_to(one))


def _aws_from(aws: pb.SesProvider | pb.AwsSmsProvider) -> channels.Aws:
    return channels.Aws(
        aws.region,
        aws.access_key_id,
        aws.secret_access_key,
        aws.configuration_set,
        aws.event_topic_arn,
    )


def _ses_to(aws: channels.Aws) -> pb.SesProvider:
    return pb.SesProvider(
        region=aws.region,
        access_key_id=aws.access_key_id,
        configuration_set=aws.configuration_set,
        event_topic_arn=aws.event_topic_arn,
    )


def _aws_to(aws: channels.Aws) -> pb.AwsSmsProvider:
    return pb.AwsSmsProvider(
        region=aws.region,
        access_key_id=aws.access_key_id,
        configuration_set=aws.configuration_set,
        event_topic_arn=aws.event_topic_arn,
    )


def _smtp_from(smtp: pb.SmtpProvider) -> channels.Smtp:
    return channels.Smtp(
        smtp.host,
        smtp.port,
        SECURITY.get(smtp.security, channels.Security.STARTTLS),
        smtp.username,
        smtp.password,
        smtp.verify_certificate if smtp.HasField("verify_certificate") else True,
        channels.connections_of(smtp.connections),
        smtp.return_path_domain,
    )


def _smtp_to(smtp: channels.Smtp) -> pb.SmtpProvider:
    return pb.SmtpProvider(
        host=smtp.host,
        port=smtp.port,
        security=pb.SmtpProvider.Security.Value(f"SECURITY_{smtp.security}"),
        username=smtp.username,
        verify_certificate=smtp.verify_certificate,
        connections=smtp.connections,
        return_path_domain=smtp.return_path_domain,
    )


def _smpp_from(smpp: pb.SmppProvider) -> channels.Smpp:
    return channels.Smpp(
        smpp.host,
        smpp.port,
        smpp.system_id,
        smpp.password,
        smpp.system_type,
        channels.window_of(smpp.window),
        smpp.tls,
    )


def _smpp_to(smpp: channels.Smpp) -> pb.SmppProvider:
    return pb.SmppProvider(
        host=smpp.host,
        port=smpp.port,
        system_id=smpp.system_id,
        system_type=smpp.system_type,
        window=smpp.window,
        tls=smpp.tls,
    )


def _twilio_from(twilio: pb.TwilioProvider) -> channels.Twilio:
    return channels.Twilio(twilio.account_sid, twilio.auth_token)


def _twilio_to(twilio: channels.Twilio) -> pb.TwilioProvider:
    return pb.TwilioProvider(account_sid=twilio.account_sid)
