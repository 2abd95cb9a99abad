"""Templates and settings: what a run or an in-app campaign says, resolved when it starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import grpc
from grpc import aio
from touchpoint.applications.v1 import application_pb2
from touchpoint.applications.v1 import applications_service_pb2 as applications_pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as applications_rpc
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import dispatch_service_pb2 as dispatch_pb
from touchpoint.messaging.v1 import message_pb2
from touchpoint.templates.v1 import template_pb2
from touchpoint.templates.v1 import templates_service_pb2 as templates_pb
from touchpoint.templates.v1 import templates_service_pb2_grpc as templates_rpc

from services.campaigns.clients.push import inline_push, template_push
from services.campaigns.domain.campaign import (
    CUSTOM,
    CustomDelivery,
    EmailMessage,
    Limits,
    QuietTime,
    Says,
    SmsMessage,
    TemplateReference,
)

Templates = Mapping[str, template_pb2.Template]
_KINDS = {
    "email_template": template_pb2.TEMPLATE_TYPE_EMAIL,
    "sms_template": template_pb2.TEMPLATE_TYPE_SMS,
    "push_template": template_pb2.TEMPLATE_TYPE_PUSH,
    "in_app_template": template_pb2.TEMPLATE_TYPE_INAPP,
}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the application sets for campaigns created in it (spec 1.6)."""

    limits: Limits | None
    quiet_time: QuietTime | None
    skip_on_missing_variable: bool


class SettingsClient:
    """Calls ApplicationsService."""

    def __init__(self, channel: aio.Channel) -> None:
        self._stub = applications_rpc.ApplicationsServiceStub(channel)

    async def defaults(self, app_id: str) -> Defaults:
        """The application's defaults. Raises the peer's NOT_FOUND for an unknown one."""
        answer = await self._stub.GetApplicationSettings(
            applications_pb.GetApplicationSettingsRequest(application_id=app_id)
        )
        found = answer.settings
        limits, quiet = found.limits, found.quiet_time
        skip = application_pb2.MISSING_VARIABLE_POLICY_SKIP_MESSAGE
        return Defaults(
            limits=Limits(
                limits.daily,
                limits.total,
                limits.session,
                limits.messages_per_second,
                limits.maximum_duration,
            )
            if found.HasField("limits")
            else None,
            quiet_time=QuietTime(quiet.start, quiet.end) if found.HasField("quiet_time") else None,
            skip_on_missing_variable=found.on_missing_variable == skip,
        )


class TemplateMissing(Exception):
    """A template, or the version asked for, does not exist; the text says which."""


class ContentsClient:
    """Calls TemplatesService and builds what the gateway renders."""

    def __init__(self, channel: aio.Channel) -> None:
        self._stub = templates_rpc.TemplatesServiceStub(channel)

    async def missing(self, says: Says) -> list[str]:
        """Fields of the template configuration that name a template that does not exist."""
        missing = []
        for field, reference in says.templates.items():
            try:
                await self._template(reference, _KINDS[field])
            except TemplateMissing:
                missing.append(field)
        return missing

    async def resolve(
        self, all_says: Mapping[str, Says], planned: datetime, *, skip_on_missing_variable: bool
    ) -> list[dispatch_pb.DispatchContent]:
        """Content of every treatment and channel for the run planned then. Raises
        TemplateMissing.
        """
        contents = []
        for treatment_id, says in all_says.items():
            # Fetched once, so that every channel of a treatment says the same version.
            templates = {
                field: await self._template(reference, _KINDS[field])
                for field, reference in says.templates.items()
            }
            for channel, content in _contents(says, templates).items():
                content.skip_on_missing_variable = skip_on_missing_variable
                if content.HasField("custom"):
                    content.custom.scheduled_time.FromDatetime(planned)
                contents.append(
                    dispatch_pb.DispatchContent(
                        treatment_id=treatment_id,
                        channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{channel}"),
                        content=content,
                    )
                )
        return contents

    async def in_app(self, says: Says) -> bytes:
        """The serialized in-app message of a treatment. Raises TemplateMissing."""
        if says.in_app is not None:
            return says.in_app
        template = await self._template(says.in_app_template, template_pb2.TEMPLATE_TYPE_INAPP)
        return template.in_app.SerializeToString()

    async def _template(
        self, reference: TemplateReference | None, kind: template_pb2.TemplateType.ValueType
    ) -> template_pb2.Template:
        if reference is None:
            raise TemplateMissing("no template is named")
        request = templates_pb.GetTemplateRequest(
            template_name=reference.name, template_type=kind, version=reference.version
        )
        try:
            return (await self._stub.GetTemplate(request)).template
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                version = f" version {reference.version}" if reference.version else ""
                raise TemplateMissing(f"template {reference.name}{version} is missing") from error
            raise


def _contents(says: Says, templates: Templates) -> dict[str, message_pb2.MessageContent]:
    """What a treatment says, by channel, for every channel it says something on."""
    contents = {}
    for channel in sorted(says.channels):
        if content := _content(says, channel, templates):
            contents[channel] = content
    if not contents:
        names = ", ".join(one.name for one in says.templates.values())
        raise TemplateMissing(f"template {names} has no part for any push service")
    return contents


def _content(says: Says, channel: str, templates: Templates) -> message_pb2.MessageContent | None:
    """Inline content wins over a template (spec 8.2)."""
    unsubscribable = says.message_type == "PROMOTIONAL"
    if channel == "EMAIL":
        if says.email is not None:
            return _inline_email(says.email, unsubscribable=unsubscribable)
        return _template_email(templates["email_template"], unsubscribable=unsubscribable)
    if channel == "SMS":
        return _inline_sms(says.sms) if says.sms else _template_sms(templates["sms_template"])
    if says.custom_delivery and channel == CUSTOM:
        return _custom(says.custom_delivery, says.custom_data or "")
    if message := says.push.of(channel):
        return inline_push(message, channel)
    return template_push(templates["push_template"], channel)


def _inline_email(email: EmailMessage, *, unsubscribable: bool) -> message_pb2.MessageContent:
    return message_pb2.MessageContent(
        email=message_pb2.EmailContent(
            subject=email.title,
            html=email.html_body,
            text=email.body,
            from_address=email.from_address,
            headers=[channel_pb2.MessageHeader(name=n, value=v) for n, v in email.headers],
            tracked=True,
            unsubscribable=unsubscribable,
        )
    )


def _template_email(
    template: template_pb2.Template, *, unsubscribable: bool
) -> message_pb2.MessageContent:
    return message_pb2.MessageContent(
        email=message_pb2.EmailContent(
            subject=template.email.subject,
            html=template.email.html_part,
            text=template.email.text_part,
            headers=template.email.headers,
            tracked=True,
            unsubscribable=unsubscribable,
        ),
        default_substitutions=template.default_substitutions,
    )


def _inline_sms(sms: SmsMessage) -> message_pb2.MessageContent:
    return message_pb2.MessageContent(
        sms=message_pb2.SmsContent(
            body=sms.body,
            origination_number=sms.origination_number,
            sender_id=sms.sender_id,
            entity_id=sms.entity_id,
            template_id=sms.template_id,
        )
    )


def _custom(delivery: CustomDelivery, data: str) -> message_pb2.MessageContent:
    custom = message_pb2.CustomContent(delivery_uri=delivery.delivery_uri, data=data)
    return message_pb2.MessageContent(custom=custom)


def _template_sms(template: template_pb2.Template) -> message_pb2.MessageContent:
    return message_pb2.MessageContent(
        sms=message_pb2.SmsContent(body=template.sms.body),
        default_substitutions=template.default_substitutions,
    )
