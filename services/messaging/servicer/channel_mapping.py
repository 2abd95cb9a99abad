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
    smtp = email.smtp
    return channels.EmailChannel(
        email.enabled,
        email.from_address,
        email.identity,
        channels.Smtp(
            smtp.host,
            smtp.port,
            SECURITY.get(smtp.security, channels.Security.STARTTLS),
            smtp.username,
            smtp.password,
            smtp.verify_certificate if smtp.HasField("verify_certificate") else True,
            channels.connections_of(smtp.connections),
            smtp.return_path_domain,
        ),
        channels.Dkim(email.dkim.selector, email.dkim.private_key),
        email.messages_per_second,
    )


def email_to_proto(state: channels.ChannelStatus, email: channels.EmailChannel) -> pb.EmailChannel:
    smtp = email.smtp
    security = pb.SmtpProvider.Security.Value(f"SECURITY_{smtp.security}")
    return pb.EmailChannel(
        status=status(state),
        enabled=email.enabled,
        from_address=email.from_address,
        identity=email.identity,
        smtp=pb.SmtpProvider(
            host=smtp.host,
            port=smtp.port,
            security=security,
            username=smtp.username,
            verify_certificate=smtp.verify_certificate,
            connections=smtp.connections,
            return_path_domain=smtp.return_path_domain,
        ),
        dkim=pb.DkimKey(selector=email.dkim.selector),
        messages_per_second=email.messages_per_second,
    )


def sms_from_proto(sms: pb.SmsChannel) -> channels.SmsChannel:
    smpp = sms.smpp
    return channels.SmsChannel(
        sms.enabled,
        sms.sender_id,
        normalized(SMS, sms.origination_number),
        channels.Smpp(
            smpp.host,
            smpp.port,
            smpp.system_id,
            smpp.password,
            smpp.system_type,
            channels.window_of(smpp.window),
            smpp.tls,
        ),
        sms.parts_per_second,
        channels.Replies(sms.replies.stop, sms.replies.help, sms.replies.start),
    )


def sms_to_proto(state: channels.ChannelStatus, sms: channels.SmsChannel) -> pb.SmsChannel:
    smpp = sms.smpp
    return pb.SmsChannel(
        status=status(state),
        enabled=sms.enabled,
        sender_id=sms.sender_id,
        origination_number=sms.origination_number,
        smpp=pb.SmppProvider(
            host=smpp.host,
            port=smpp.port,
            system_id=smpp.system_id,
            system_type=smpp.system_type,
            window=smpp.window,
            tls=smpp.tls,
        ),
        parts_per_second=sms.parts_per_second,
        replies=pb.KeywordReplies(
            stop=sms.replies.stop, help=sms.replies.help, start=sms.replies.start
        ),
    )
