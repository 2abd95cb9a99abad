"""Direct sends through the real gateway, with peers that answer as the real ones do."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import aio
from touchpoint.applications.v1 import (
    application_pb2,
    applications_service_pb2,
    applications_service_pb2_grpc,
)
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import (
    endpoint_pb2,
    endpoints_service_pb2,
    endpoints_service_pb2_grpc,
)
from touchpoint.messaging.v1 import channels_service_pb2, message_pb2
from touchpoint.messaging.v1 import dispatch_service_pb2 as dispatch_pb
from touchpoint.messaging.v1 import messaging_service_pb2 as pb
from touchpoint.templates.v1 import (
    template_pb2,
    templates_service_pb2,
    templates_service_pb2_grpc,
)

from libs.ids import new_id
from services.messaging.store.contents import ContentStore
from tests.integration.messaging.gateway_support import (
    EMAIL,
    METADATA,
    SMS,
    Gateway,
    email_channel,
    running_gateway,
    sms_channel,
)
from tests.support.running import refusal

pytestmark = pytest.mark.servers
PHONE = "+12065550142"


class Peers(
    endpoints_service_pb2_grpc.EndpointsServiceServicer,
    templates_service_pb2_grpc.TemplatesServiceServicer,
    applications_service_pb2_grpc.ApplicationsServiceServicer,
):
    """Endpoints, templates and settings that a test puts there."""

    def __init__(self) -> None:
        self.endpoints: dict[str, endpoint_pb2.Endpoint] = {}
        self.templates: dict[str, template_pb2.Template] = {}

    async def BatchGetEndpoints(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        found = [self.endpoints[one] for one in request.endpoint_ids if one in self.endpoints]
        return endpoints_service_pb2.BatchGetEndpointsResponse(endpoints=found)

    async def BatchGetUserEndpoints(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        found = [one for one in self.endpoints.values() if one.user.user_id in request.user_ids]
        return endpoints_service_pb2.BatchGetUserEndpointsResponse(endpoints=found)

    async def GetTemplate(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.template_name not in self.templates:
            await context.abort(5, "no such template")
        template = self.templates[request.template_name]
        return templates_service_pb2.GetTemplateResponse(template=template)

    async def GetApplicationSettings(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        policy = application_pb2.MISSING_VARIABLE_POLICY_SKIP_MESSAGE
        settings = application_pb2.ApplicationSettings(on_missing_variable=policy)
        return applications_service_pb2.GetApplicationSettingsResponse(settings=settings)

    def add(self, endpoint_id: str, channel: int, address: str, **more: Any) -> None:
        self.endpoints[endpoint_id] = endpoint_pb2.Endpoint(
            endpoint_id=endpoint_id,
            channel_type=channel,  # type: ignore[arg-type]
            address=address,
            **more,
        )


@pytest.fixture(scope="module")
async def peers() -> AsyncIterator[tuple[Peers, str]]:
    servicer, server = Peers(), aio.server()  # type: ignore[abstract]
    endpoints_service_pb2_grpc.add_EndpointsServiceServicer_to_server(servicer, server)
    templates_service_pb2_grpc.add_TemplatesServiceServicer_to_server(servicer, server)
    applications_service_pb2_grpc.add_ApplicationsServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture(scope="module")
async def gateway(
    mongo_uri: str, amqp_url: str, database_prefix: str, peers: tuple[Peers, str]
) -> AsyncIterator[Gateway]:
    address = peers[1]
    async with running_gateway(
        mongo_uri,
        amqp_url,
        database_prefix,
        endpoints_addr=address,
        templates_addr=address,
        applications_addr=address,
    ) as running:
        yield running


@pytest.fixture
async def app_id(gateway: Gateway) -> str:
    """An application whose channels are on; the installation's SMS rate is untouched yet."""
    app_id = new_id()
    await email_channel(gateway, app_id)
    await sms_channel(gateway, app_id)
    await gateway.database["limits"].delete_many({})
    await gateway.published()
    return app_id


def to(channel: int, **more: Any) -> pb.AddressConfiguration:
    return pb.AddressConfiguration(channel_type=channel, **more)  # type: ignore[arg-type]


def said(**more: Any) -> pb.DirectMessageConfiguration:
    return pb.DirectMessageConfiguration(default_message=pb.DefaultMessage(body="Hello"), **more)


def statuses(results: Any) -> dict[str, tuple[str, int]]:
    return {
        key: (
            pb.DeliveryStatus.Name(one.delivery_status).removeprefix("DELIVERY_STATUS_"),
            one.status_code,
        )
        for key, one in results.items()
    }


async def send(gateway: Gateway, request: pb.SendMessagesRequest) -> pb.SendMessagesResponse:
    answer: pb.SendMessagesResponse = await gateway.messaging.SendMessages(
        request, metadata=METADATA
    )
    return answer


async def test_25_texts_in_a_second_are_20_and_5_throttled(gateway: Gateway, app_id: str) -> None:
    """Spec 12.0 X1."""
    request = pb.SendMessagesRequest(
        application_id=app_id,
        addresses={f"+1206555{number:04}": to(SMS) for number in range(25)},
        message_configuration=said(),
    )
    answer = await send(gateway, request)
    found = list(statuses(answer.result).values())
    assert found.count(("SUCCESSFUL", 200)) == 20
    assert found.count(("THROTTLED", 429)) == 5
    refused = [one for one in answer.result.values() if one.status_code == 429]
    assert all("try again in" in one.status_message for one in refused)
    batches = await gateway.published()
    assert sum(len(batch.recipients) for batch in batches) == 20
    assert {batch.message_type for batch in batches} == {channel_pb2.MESSAGE_TYPE_TRANSACTIONAL}


async def test_callers_side_by_side_share_the_rate(gateway: Gateway, app_id: str) -> None:
    requests = [
        pb.SendMessagesRequest(
            application_id=app_id,
            addresses={f"+1206555{caller:02}{number:02}": to(SMS) for number in range(9)},
            message_configuration=said(),
        )
        for caller in range(10)
    ]
    began = asyncio.get_running_loop().time()
    answers = await asyncio.gather(*(send(gateway, request) for request in requests))
    seconds = asyncio.get_running_loop().time() - began
    found = [status for answer in answers for status in statuses(answer.result).values()]
    # At most a second's worth in every second the calls took; at least what one second allows.
    assert 20 <= found.count(("SUCCESSFUL", 200)) <= 20 * (int(seconds) + 1)
    assert set(found) <= {("SUCCESSFUL", 200), ("THROTTLED", 429)}


async def test_parts_count_not_messages(gateway: Gateway, app_id: str) -> None:
    request = pb.SendMessagesRequest(
        application_id=app_id,
        addresses={f"+1206555{number:04}": to(SMS) for number in range(12)},
        message_configuration=pb.DirectMessageConfiguration(
            sms_message=pb.SmsMessage(body="x" * 161)  # two parts
        ),
    )
    found = list(statuses((await send(gateway, request)).result).values())
    assert found.count(("SUCCESSFUL", 200)) == 10
    assert found.count(("THROTTLED", 429)) == 2


async def test_a_channel_with_a_rate_of_its_own_is_held_to_that(
    gateway: Gateway, app_id: str
) -> None:
    await sms_channel(gateway, app_id, parts_per_second=3)
    request = pb.SendMessagesRequest(
        application_id=app_id,
        addresses={f"+1206555{number:04}": to(SMS) for number in range(4)},
        message_configuration=said(),
    )
    found = list(statuses((await send(gateway, request)).result).values())
    assert found.count(("SUCCESSFUL", 200)) == 3


async def test_every_recipient_has_a_result_of_its_own(
    gateway: Gateway, app_id: str, peers: tuple[Peers, str]
) -> None:
    peers[0].add("off", EMAIL, "off@shop.example", opt_out=endpoint_pb2.OPT_OUT_ALL)
    peers[0].add(
        "gone", EMAIL, "g@shop.example", endpoint_status=endpoint_pb2.ENDPOINT_STATUS_INACTIVE
    )
    peers[0].add("same", EMAIL, "ANN@shop.example")
    peers[0].add("phone", SMS, "+1 (206) 555-0177")
    peers[0].add("push", channel_pb2.CHANNEL_TYPE_GCM, "token")
    peers[0].add("late", EMAIL, "late@shop.example")
    await gateway.dispatch.RecordOptOuts(
        dispatch_pb.RecordOptOutsRequest(application_id=app_id, opted_out_endpoint_ids=["LATE"]),
        metadata=METADATA,
    )
    answer = await send(
        gateway,
        pb.SendMessagesRequest(
            application_id=app_id,
            addresses={"ann@shop.example": to(EMAIL), "nobody": to(EMAIL), "+1": to(SMS)},
            endpoints={
                one: pb.EndpointSendConfiguration()
                for one in ("off", "gone", "same", "phone", "push", "late", "missing")
            },
            message_configuration=said(),
        ),
    )
    assert statuses(answer.result) == {
        "ann@shop.example": ("SUCCESSFUL", 200),
        "nobody": ("PERMANENT_FAILURE", 400),
        "+1": ("PERMANENT_FAILURE", 400),
    }
    assert statuses(answer.endpoint_result) == {
        "off": ("OPT_OUT", 400),
        "gone": ("PERMANENT_FAILURE", 400),
        "same": ("DUPLICATE", 400),
        "phone": ("SUCCESSFUL", 200),
        "push": ("PERMANENT_FAILURE", 400),
        "late": ("OPT_OUT", 400),
        "missing": ("PERMANENT_FAILURE", 400),
    }
    assert "addresses['nobody'].address" in answer.result["nobody"].status_message
    told = answer.result["ann@shop.example"]
    assert told.status_message == f"MessageId: {told.message_id}"
    row = await gateway.messaging.GetMessage(
        pb.GetMessageRequest(application_id=app_id, message_id=told.message_id), metadata=METADATA
    )
    assert row.message.state == message_pb2.MESSAGE_STATE_QUEUED
    assert row.message.origin.request_id == answer.request_id
    sent = {r.address: r for batch in await gateway.published() for r in batch.recipients}
    assert set(sent) == {"ann@shop.example", "+12065550177"}
    snapshot = endpoint_pb2.Endpoint.FromString(sent["+12065550177"].endpoint)
    assert snapshot.endpoint_id == "phone"


async def test_what_is_no_address_is_refused_and_never_kept(
    gateway: Gateway, app_id: str, peers: tuple[Peers, str]
) -> None:
    peers[0].add("mail", EMAIL, "nobody@")
    peers[0].add("phone", SMS, "+49 12")
    answer = await send(
        gateway,
        pb.SendMessagesRequest(
            application_id=app_id,
            addresses={"ann@shop": to(EMAIL), "12065550142": to(SMS)},
            endpoints={one: pb.EndpointSendConfiguration() for one in ("mail", "phone")},
            message_configuration=said(),
        ),
    )
    refused = ("PERMANENT_FAILURE", 400)
    assert statuses(answer.result) == {"ann@shop": refused, "12065550142": refused}
    assert statuses(answer.endpoint_result) == {"mail": refused, "phone": refused}
    named = [one.status_message for one in (*answer.result.values(),)]
    named += [one.status_message for one in answer.endpoint_result.values()]
    assert sorted(one.partition(": ")[0] for one in named) == [
        "addresses['12065550142'].address",
        "addresses['ann@shop'].address",
        "endpoints['mail'].address",
        "endpoints['phone'].address",
    ]
    assert await gateway.database["messages"].count_documents({"app_id": app_id}) == 0
    assert await gateway.database["batches"].count_documents({"app_id": app_id}) == 0


async def test_a_channel_that_is_off_sends_nothing(gateway: Gateway) -> None:
    other = new_id()
    answer = await send(
        gateway,
        pb.SendMessagesRequest(
            application_id=other,
            addresses={"ann@shop.example": to(EMAIL)},
            message_configuration=said(),
        ),
    )
    assert statuses(answer.result) == {"ann@shop.example": ("PERMANENT_FAILURE", 400)}
    assert await gateway.published() == []


async def test_a_repeated_request_id_answers_the_same_and_sends_nothing(
    gateway: Gateway, app_id: str
) -> None:
    request = pb.SendMessagesRequest(
        application_id=app_id,
        addresses={"ann@shop.example": to(EMAIL), PHONE: to(SMS)},
        message_configuration=said(),
        request_id="order-17",
    )
    first = await send(gateway, request)
    assert len(await gateway.published_ids()) == 2
    assert await send(gateway, request) == first
    assert await gateway.published_ids() == []


async def test_side_by_side_calls_of_one_request_id_make_one_message(
    gateway: Gateway, app_id: str
) -> None:
    request = pb.SendMessagesRequest(
        application_id=app_id,
        addresses={"ann@shop.example": to(EMAIL)},
        message_configuration=said(),
        request_id=new_id(),
    )
    answers = await asyncio.gather(*(send(gateway, request) for _ in range(5)))
    assert len({one.result["ann@shop.example"].message_id for one in answers}) == 1
    assert len(set(await gateway.published_ids())) == 1
    rows = await gateway.database["messages"].count_documents({"app_id": app_id})
    assert rows == 1


async def test_validate_only_tells_and_sends_nothing(gateway: Gateway, app_id: str) -> None:
    answer = await send(
        gateway,
        pb.SendMessagesRequest(
            application_id=app_id,
            addresses={"ann@shop.example": to(EMAIL), "nobody": to(EMAIL)},
            message_configuration=said(),
            validate_only=True,
            request_id="dry",
        ),
    )
    assert statuses(answer.result) == {
        "ann@shop.example": ("SUCCESSFUL", 200),
        "nobody": ("PERMANENT_FAILURE", 400),
    }
    assert answer.result["ann@shop.example"].message_id == ""
    assert await gateway.published() == []
    assert await gateway.database["messages"].count_documents({"app_id": app_id}) == 0


async def test_words_of_the_caller_reach_the_queue(gateway: Gateway, app_id: str) -> None:
    values = channel_pb2.StringList(values=["Ann", "ignored"])
    await send(
        gateway,
        pb.SendMessagesRequest(
            application_id=app_id,
            addresses={
                "ann@shop.example": to(
                    EMAIL,
                    title_override="T",
                    body_override="B",
                    context={"order": "17"},
                    substitutions={"User.UserAttributes.FirstName": values},
                )
            },
            message_configuration=said(
                email_message=pb.EmailMessage(
                    from_address="Sale <sale@shop.example>",
                    simple_email=pb.SimpleEmail(
                        subject=pb.SimpleEmailPart(data="Hi"),
                        html_part=pb.SimpleEmailPart(data="<p>x</p>"),
                    ),
                    substitutions={"Code": channel_pb2.StringList(values=["42"])},
                )
            ),
            context={"shop": "9"},
            trace_id="trace-1",
        ),
    )
    (batch,) = await gateway.published()
    (recipient,) = batch.recipients
    assert (recipient.title_override, recipient.body_override) == ("T", "B")
    assert dict(recipient.substitutions) == {"User.UserAttributes.FirstName": "Ann"}
    assert dict(recipient.context) == {"order": "17"}
    assert (dict(batch.context), batch.trace_id) == ({"shop": "9"}, "trace-1")
    body = await ContentStore(gateway.database).get(batch.content_id)
    content = message_pb2.MessageContent.FromString(body or b"")
    assert (content.email.subject, content.email.html) == ("Hi", "<p>x</p>")
    assert content.email.from_address == "Sale <sale@shop.example>"
    assert dict(content.substitutions) == {"Code": "42"}
    assert content.skip_on_missing_variable  # as the application's settings say


async def test_a_template_fills_channels_without_words(
    gateway: Gateway, app_id: str, peers: tuple[Peers, str]
) -> None:
    peers[0].templates["welcome"] = template_pb2.Template(
        template_name="welcome",
        default_substitutions={"Name": "friend"},
        sms=template_pb2.SmsTemplateContent(body="Hello {{Name}}"),
    )
    request = pb.SendMessagesRequest(
        application_id=app_id,
        addresses={PHONE: to(SMS)},
        message_configuration=pb.DirectMessageConfiguration(
            sms_message=pb.SmsMessage(
                sender_id="SALE", message_type=channel_pb2.MESSAGE_TYPE_PROMOTIONAL
            )
        ),
        template_configuration=pb.DirectTemplateConfiguration(
            sms_template=pb.DirectTemplate(name="welcome")
        ),
    )
    await send(gateway, request)
    (batch,) = await gateway.published()
    body = await ContentStore(gateway.database).get(batch.content_id)
    content = message_pb2.MessageContent.FromString(body or b"")
    assert (content.sms.body, content.sms.sender_id) == ("Hello {{Name}}", "SALE")
    assert dict(content.default_substitutions) == {"Name": "friend"}
    assert batch.message_type == channel_pb2.MESSAGE_TYPE_PROMOTIONAL

    request.template_configuration.sms_template.name = "unknown"
    with pytest.raises(aio.AioRpcError) as refused:
        await send(gateway, request)
    assert refusal(refused.value).fields == {"template_configuration.sms_template.name"}


async def test_a_users_endpoints_all_get_it(
    gateway: Gateway, app_id: str, peers: tuple[Peers, str]
) -> None:
    user = endpoint_pb2.User(user_id="u1")
    peers[0].add("u1-mail", EMAIL, "u1@shop.example", user=user)
    peers[0].add("u1-phone", SMS, PHONE, user=user)
    peers[0].add("u1-push", channel_pb2.CHANNEL_TYPE_GCM, "token", user=user)
    request = pb.SendUsersMessagesRequest(
        application_id=app_id,
        users={"u1": pb.EndpointSendConfiguration(), "u2": pb.EndpointSendConfiguration()},
        message_configuration=said(),
    )
    answer = await gateway.messaging.SendUsersMessages(request, metadata=METADATA)
    assert statuses(answer.result["u1"].endpoints) == {
        "u1-mail": ("SUCCESSFUL", 200),
        "u1-phone": ("SUCCESSFUL", 200),
    }
    assert "u2" in answer.result
    assert len(await gateway.published_ids()) == 2


async def test_stopped_and_suppressed_addresses(gateway: Gateway, app_id: str) -> None:
    put = channels_service_pb2.PutSuppressedDestinationsRequest(application_id=app_id)
    put.destinations.add(
        channel_type=SMS,
        address=PHONE,
        reason=channels_service_pb2.SUPPRESSION_REASON_STOP_KEYWORD,
    )
    put.destinations.add(
        channel_type=EMAIL,
        address="Bounced@shop.example",
        reason=channels_service_pb2.SUPPRESSION_REASON_BOUNCE,
    )
    await gateway.channels.PutSuppressedDestinations(put, metadata=METADATA)
    answer = await send(
        gateway,
        pb.SendMessagesRequest(
            application_id=app_id,
            addresses={PHONE: to(SMS), "bounced@shop.example": to(EMAIL)},
            message_configuration=said(),
        ),
    )
    assert statuses(answer.result) == {
        PHONE: ("OPT_OUT", 400),
        # Spec 6.3: accepted, then dropped by the worker and recorded as a bounce.
        "bounced@shop.example": ("SUCCESSFUL", 200),
    }
    await gateway.suppressions.restart("SMS", PHONE)


async def test_every_bad_field_is_named(gateway: Gateway, app_id: str) -> None:
    request = pb.SendMessagesRequest(
        addresses={f"+1206555{number:04}": to(0) for number in range(101)},
        request_id="x" * 129,
        trace_id="a\r\nBcc: x",
        message_configuration=pb.DirectMessageConfiguration(
            email_message=pb.EmailMessage(
                from_address="nobody",
                reply_to_addresses=["ann@shop.example", "x"],
                simple_email=pb.SimpleEmail(
                    headers=[
                        channel_pb2.MessageHeader(name="X-Ok", value="v"),
                        channel_pb2.MessageHeader(name="bad name", value="a\r\nBcc: x"),
                    ]
                ),
            ),
            sms_message=pb.SmsMessage(body="x" * 1601, sender_id="123", origination_number="12"),
        ),
        template_configuration=pb.DirectTemplateConfiguration(
            email_template=pb.DirectTemplate(version=-1)
        ),
    )
    with pytest.raises(aio.AioRpcError) as refused:
        await send(gateway, request)
    told = refusal(refused.value)
    assert told.code == "INVALID_ARGUMENT"
    where = "message_configuration"
    assert told.fields >= {
        "application_id",
        "request_id",
        "trace_id",
        "addresses",
        "addresses['+12065550000'].channel_type",
        f"{where}.email_message.from_address",
        f"{where}.email_message.reply_to_addresses[1]",
        f"{where}.email_message.simple_email.headers[1].name",
        f"{where}.email_message.simple_email.headers[1].value",
        f"{where}.sms_message.body",
        f"{where}.sms_message.sender_id",
        f"{where}.sms_message.origination_number",
        "template_configuration.email_template.name",
        "template_configuration.email_template.version",
    }
    assert not any("headers[0]" in field for field in told.fields)
    with pytest.raises(aio.AioRpcError) as refused:
        await send(gateway, pb.SendMessagesRequest())
    told = refusal(refused.value)
    assert told.fields == {"application_id", "addresses", "message_configuration"}


async def test_another_charset_is_not_built(gateway: Gateway, app_id: str) -> None:
    part = pb.SimpleEmailPart(charset="ISO-8859-1", data="x")
    email = pb.EmailMessage(simple_email=pb.SimpleEmail(subject=part))
    request = pb.SendMessagesRequest(
        application_id=app_id,
        addresses={"ann@shop.example": to(EMAIL)},
        message_configuration=said(email_message=email),
    )
    with pytest.raises(aio.AioRpcError) as refused:
        await send(gateway, request)
    assert refusal(refused.value).code == "UNIMPLEMENTED"


async def test_a_peer_that_is_away_is_a_temporary_failure(
    mongo_uri: str, amqp_url: str, database_prefix: str
) -> None:
    prefix = f"{database_prefix}away"
    async with running_gateway(mongo_uri, amqp_url, prefix) as lonely:
        app_id = new_id()
        await email_channel(lonely, app_id)
        answer = await send(
            lonely,
            pb.SendMessagesRequest(
                application_id=app_id,
                addresses={"ann@shop.example": to(EMAIL)},
                endpoints={"e1": pb.EndpointSendConfiguration()},
                message_configuration=said(),
            ),
        )
        assert statuses(answer.result) == {"ann@shop.example": ("SUCCESSFUL", 200)}
        assert statuses(answer.endpoint_result) == {"e1": ("TEMPORARY_FAILURE", 503)}
        await lonely.published()
