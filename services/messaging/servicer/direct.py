"""The two direct sends: recipients looked up, contents made, answers remembered by request id."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from touchpoint.messaging.v1 import messaging_service_pb2 as pb
from touchpoint.templates.v1 import template_pb2

from libs.errors import DependencyUnavailable, InvalidFields, Violation
from libs.ids import derived_id
from services.messaging.clients.outbox import Recipient
from services.messaging.clients.peers import Peers
from services.messaging.clients.template_contents import content_of
from services.messaging.domain.channels import DIRECT_CHANNELS
from services.messaging.domain.direct import Reached, Result, Target, permanent, temporary
from services.messaging.domain.families import PUSH_TYPES
from services.messaging.domain.recipients import EMAIL, SMS, VOICE
from services.messaging.servicer import direct_requests as requests
from services.messaging.servicer.names import CHANNELS
from services.messaging.usecases.direct import Content, DirectCall, DirectSender

TemplateField = Literal["email_template", "sms_template", "push_template", "voice_template"]
_TEMPLATES: Final[Mapping[str, TemplateField]] = {
    EMAIL: "email_template",
    SMS: "sms_template",
    VOICE: "voice_template",
    **dict.fromkeys(PUSH_TYPES, "push_template"),
}


@dataclass(frozen=True, slots=True)
class Addressed:
    """A recipient: how it is checked, how it is queued, and where its result belongs."""

    target: Target
    recipient: Recipient
    group: str
    key: str


class DirectSends:
    """What SendMessages and SendUsersMessages have in common."""

    def __init__(self, sender: DirectSender, peers: Peers) -> None:
        self._sender = sender
        self._peers = peers

    async def to_addresses(
        self, request: pb.SendMessagesRequest, request_id: str
    ) -> pb.SendMessagesResponse:
        """Send to addresses and endpoints; one result each."""
        found = [_to_address(key, one) for key, one in sorted(request.addresses.items())]
        found += await self._to_endpoints(request)
        results = await self._send(request, request_id, found)
        answer = pb.SendMessagesResponse(
            application_id=request.application_id, request_id=request_id
        )
        for one, result in zip(found, results, strict=True):
            if one.group == "addresses":
                answer.result[one.key].CopyFrom(message_result(result))
            else:
                answer.endpoint_result[one.key].CopyFrom(_endpoint_result(result))
        return answer

    async def to_users(
        self, request: pb.SendUsersMessagesRequest, request_id: str
    ) -> pb.SendUsersMessagesResponse:
        """Send to every endpoint of users whose channel has content and is on (spec 6.1)."""
        contents = await self._contents(request)
        found = await self._to_users(request, frozenset(contents[0]) | frozenset(contents[1]))
        results = await self._send(request, request_id, found, contents)
        answer = pb.SendUsersMessagesResponse(
            application_id=request.application_id, request_id=request_id
        )
        for user_id in request.users:
            answer.result[user_id].SetInParent()
        for one, result in zip(found, results, strict=True):
            answer.result[one.group].endpoints[one.key].CopyFrom(_endpoint_result(result))
        return answer

    async def _send(
        self,
        request: requests.SendRequest,
        request_id: str,
        found: Sequence[Addressed],
        contents: tuple[Mapping[str, Content], Mapping[str, Result]] | None = None,
    ) -> list[Result]:
        said, away = contents or await self._contents(request)
        sms = request.message_configuration.sms_message
        silent = {
            channel: requests.content(
                requests.silent_content(request.message_configuration, channel),
                sms,
                skip_on_missing=False,
            )
            for channel in {one.target.channel_type for one in found} & DIRECT_CHANNELS
        }
        call = DirectCall(
            request.application_id,
            request_id,
            # Ids of messages follow from the request's, so that a repeat after a crash finds them.
            derived_id(request.application_id, "direct", request_id),
            said,
            silent,
            away,
            request.context,
            request.trace_id,
            request.validate_only,
        )
        return await self._sender.send(
            call, [one.target for one in found], [one.recipient for one in found]
        )

    async def _contents(
        self, request: requests.SendRequest
    ) -> tuple[Mapping[str, Content], Mapping[str, Result]]:
        """Contents by channel, and what to answer where a template could not be had."""
        said = dict(requests.inline_contents(request.message_configuration))
        wanted = [
            (channel, field)
            for channel, field in _TEMPLATES.items()
            if channel not in said and request.template_configuration.HasField(field)
        ]
        templates, unheard = await self._templates(
            request.template_configuration, {field for _, field in wanted}
        )
        for channel, field in wanted:
            if field in templates:
                said[channel] = requests.silent_content(request.message_configuration, channel)
                said[channel].MergeFrom(content_of(templates[field], channel))
        away = {channel: unheard[field] for channel, field in wanted if field in unheard}
        skips = await self._peers.skips_on_missing_variable(request.application_id)
        sms = request.message_configuration.sms_message
        return {
            channel: requests.content(one, sms, skip_on_missing=skips)
            for channel, one in said.items()
        }, away

    async def _templates(
        self, configuration: pb.DirectTemplateConfiguration, fields: Collection[TemplateField]
    ) -> tuple[dict[str, template_pb2.Template], dict[str, Result]]:
        """Templates by their place in the request, and what to answer where none could be had."""
        found: dict[str, template_pb2.Template] = {}
        unheard: dict[str, Result] = {}
        for field in sorted(fields):
            wanted: pb.DirectTemplate = getattr(configuration, field)
            kind = field.removesuffix("_template").upper()
            try:
                template = await self._peers.template(kind, wanted.name, wanted.version)
            except DependencyUnavailable as error:
                unheard[field] = temporary(error.message)
                continue
            if template is None:
                where = f"template_configuration.{field}.name"
                raise InvalidFields([Violation(where, "there is no such template or version")])
            found[field] = template
        return found, unheard

    async def _to_endpoints(self, request: pb.SendMessagesRequest) -> list[Addressed]:
        if not request.endpoints:
            return []
        fault: Result | None = None
        found: Mapping[str, Reached] = {}
        try:
            found = await self._peers.endpoints(request.application_id, list(request.endpoints))
        except DependencyUnavailable as error:
            fault = temporary(error.message)
        return [
            _to_endpoint("endpoints", key, one, found.get(key.lower()), fault)
            for key, one in sorted(request.endpoints.items())
        ]

    async def _to_users(
        self, request: pb.SendUsersMessagesRequest, channels: frozenset[str]
    ) -> list[Addressed]:
        found = await self._peers.endpoints_of_users(request.application_id, list(request.users))
        enabled = await self._sender.enabled(request.application_id)
        return [
            _to_endpoint(user_id, reached.endpoint_id, one, reached, None)
            for user_id, one in sorted(request.users.items())
            for reached in sorted(found.get(user_id, []), key=lambda each: each.endpoint_id)
            if reached.channel_type in enabled
            and (reached.channel_type in channels or one.body_override or one.raw_content)
        ]


def _to_address(address: str, one: pb.AddressConfiguration) -> Addressed:
    channel = CHANNELS.name(one.channel_type)
    target = Target(
        f"addresses[{address!r}]",
        channel,
        address,
        body_override=one.body_override,
        raw_content=one.raw_content,
    )
    recipient = Recipient(
        address=address,
        substitutions=requests.first_values(one.substitutions),
        body_override=one.body_override,
        title_override=one.title_override,
        context=one.context,
        raw_content=one.raw_content,
    )
    return Addressed(target, recipient, "addresses", address)


def _to_endpoint(
    group: str,
    key: str,
    one: pb.EndpointSendConfiguration,
    reached: Reached | None,
    fault: Result | None,
) -> Addressed:
    where = (
        f"endpoints[{key!r}]" if group == "endpoints" else f"users[{group!r}].endpoints[{key!r}]"
    )
    if reached is None:
        missing = fault or permanent(f"{where}", "there is no such endpoint")
        return Addressed(Target(where, fault=missing), Recipient(), group, key)
    target = Target(
        where, reached.channel_type, reached.address, reached, one.body_override, one.raw_content
    )
    recipient = Recipient(
        endpoint_id=reached.endpoint_id,
        address=reached.address,
        user_id=reached.user_id,
        endpoint=reached.snapshot,
        substitutions=requests.first_values(one.substitutions),
        body_override=one.body_override,
        title_override=one.title_override,
        context=one.context,
        raw_content=one.raw_content,
    )
    return Addressed(target, recipient, group, key)


def message_result(result: Result) -> pb.MessageResult:
    """What became of one address, as it is told."""
    return pb.MessageResult(
        delivery_status=pb.DeliveryStatus.Value(f"DELIVERY_STATUS_{result.status}"),
        status_code=result.status_code,
        status_message=result.message,
        message_id=result.message_id,
    )


def _endpoint_result(result: Result) -> pb.EndpointMessageResult:
    return pb.EndpointMessageResult(
        delivery_status=pb.DeliveryStatus.Value(f"DELIVERY_STATUS_{result.status}"),
        status_code=result.status_code,
        status_message=result.message,
        message_id=result.message_id,
        address=result.address,
    )
