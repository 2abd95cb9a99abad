"""The public pages over real HTTP, with a real broker behind them."""

import asyncio
import io
import re
import socket
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
import pytest
from grpc import aio
from touchpoint.analytics.v1.event_pb2 import Event
from touchpoint.analytics.v1.events_pb2 import EventBatch
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.endpoints.v1 import endpoints_service_pb2 as endpoints_pb
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as endpoints_rpc
from touchpoint.messaging.v1 import callbacks_service_pb2 as callbacks_pb
from touchpoint.messaging.v1 import callbacks_service_pb2_grpc as callbacks_rpc
from touchpoint.messaging.v1 import channels_service_pb2 as channels_pb
from touchpoint.messaging.v1 import channels_service_pb2_grpc as channels_rpc
from touchpoint.messaging.v1.link_token_pb2 import LinkToken
from yarl import URL

from libs.bus.consumer import Consumer, Delivery, Pace
from libs.bus.topology import EVENTS, Queue
from libs.chassis.run import started
from libs.signing import Signer
from services.links.config import Settings
from services.links.setup import setup

pytestmark = pytest.mark.servers

KEY = "link-signing-key-of-the-tests"
SIGNER = Signer(KEY.encode(), "links")


@dataclass
class EndpointsDouble(endpoints_rpc.EndpointsServiceServicer):
    """Notes who opts out; fails with `code` when that is set."""

    seen: list[endpoints_pb.UpdateEndpointRequest] = field(default_factory=list)
    code: grpc.StatusCode | None = None

    async def UpdateEndpoint(  # noqa: N802 - an RPC's name
        self, request: endpoints_pb.UpdateEndpointRequest, context: Any
    ) -> endpoints_pb.UpdateEndpointResponse:
        if self.code is not None:
            await context.abort(self.code, "not now")
        self.seen.append(request)
        return endpoints_pb.UpdateEndpointResponse()


@dataclass
class ChannelsDouble(channels_rpc.ChannelsServiceServicer):
    """Notes which addresses are suppressed."""

    seen: list[channels_pb.PutSuppressedDestinationsRequest] = field(default_factory=list)

    async def PutSuppressedDestinations(  # noqa: N802 - an RPC's name
        self, request: channels_pb.PutSuppressedDestinationsRequest, _context: Any
    ) -> channels_pb.PutSuppressedDestinationsResponse:
        self.seen.append(request)
        return channels_pb.PutSuppressedDestinationsResponse(added_count=1)


@dataclass
class CallbacksDouble(callbacks_rpc.CallbacksServiceServicer):
    """Notes what providers say; fails with `code` when that is set."""

    seen: list[callbacks_pb.TakeCallbackRequest] = field(default_factory=list)
    code: grpc.StatusCode | None = None

    async def TakeCallback(  # noqa: N802 - an RPC's name
        self, request: callbacks_pb.TakeCallbackRequest, context: Any
    ) -> callbacks_pb.TakeCallbackResponse:
        if self.code is not None:
            await context.abort(self.code, "not now")
        self.seen.append(request)
        return callbacks_pb.TakeCallbackResponse()


@dataclass
class Links:
    """The running service, the peers behind it, and the events it published."""

    url: str
    http: aiohttp.ClientSession
    endpoints: EndpointsDouble
    channels: ChannelsDouble
    callbacks: CallbacksDouble
    events: list[Event]

    async def of(self, message_id: str, count: int) -> list[Event]:
        """The events of a message, once there are `count`."""
        deadline = time.monotonic() + 20
        while True:
            mine = [e for e in self.events if e.attributes["message_id"] == message_id]
            if len(mine) >= count:
                return mine
            assert time.monotonic() < deadline, f"{len(mine)} of {count} events came"
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
async def links(amqp_url: str) -> AsyncIterator[Links]:
    endpoints = EndpointsDouble()  # type: ignore[abstract]  # the one method that is called
    channels = ChannelsDouble()  # type: ignore[abstract]  # as above
    callbacks = CallbacksDouble()
    events: list[Event] = []

    async def keep(deliveries: Any) -> None:
        for delivery in deliveries:
            assert isinstance(delivery, Delivery)
            assert delivery.type == "touchpoint.analytics.v1.EventBatch"
            events.extend(EventBatch.FromString(delivery.body).events)

    queue = Queue(f"tests.links.{uuid.uuid4().hex}", EVENTS, ("links.events",))
    stopping = asyncio.Event()
    async with AsyncExitStack() as stack:
        server = aio.server()
        endpoints_rpc.add_EndpointsServiceServicer_to_server(endpoints, server)
        channels_rpc.add_ChannelsServiceServicer_to_server(channels, server)
        callbacks_rpc.add_CallbacksServiceServicer_to_server(callbacks, server)
        peer = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        stack.push_async_callback(server.stop, None)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        settings = Settings(
            amqp_url=amqp_url,
            http_listen=address,
            link_signing_key=KEY,
            links_url="https://links.example/",
            endpoints_addr=peer,
            messaging_addr=peer,
            peer_token="peer-token-of-the-tests",
            drain_seconds=0,
        )
        group = await stack.enter_async_context(asyncio.TaskGroup())
        group.create_task(Consumer(amqp_url, queue, keep, Pace(batch_size=10)).run(stopping))
        stack.callback(stopping.set)
        await stack.enter_async_context(started(settings, setup))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        served = Links(f"http://{address}", http, endpoints, channels, callbacks, events)
        await _until_heard(served)
        yield served


async def _until_heard(links: Links) -> None:
    # The consumer's queue must be bound before a test counts events.
    deadline = time.monotonic() + 30
    while not links.events:
        async with links.http.get(f"{links.url}/o/{token(LinkToken.KIND_OPEN)}"):
            pass
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


def token(kind: Any, message_id: str = "", **more: str) -> str:
    fields = {"application_id": "app", "endpoint_id": "e1", **more}
    told = LinkToken(kind=kind, message_id=message_id or uuid.uuid4().hex, **fields)
    return SIGNER.sign(told.SerializeToString())


async def test_an_open_is_a_pixel_and_one_event_an_hour(links: Links) -> None:
    message_id = uuid.uuid4().hex
    path = f"{links.url}/o/{token(LinkToken.KIND_OPEN, message_id, campaign_id='c')}"
    ids = set()
    for _ in range(3):
        async with links.http.get(path, headers={"user-agent": "Mail/1"}) as answer:
            assert answer.status == 200
            assert answer.headers["content-type"] == "image/gif"
            assert "no-store" in answer.headers["cache-control"]
            assert (await answer.read()).startswith(b"GIF89a")
    for event in await links.of(message_id, 3):
        ids.add(event.event_id)
        assert (event.event_type, event.client_id) == ("_email.open", "e1")
        assert event.application_id == "app"
        assert dict(event.attributes) == {
            "message_id": message_id,
            "campaign_id": "c",
            "feedback": "opened",
            "user_agent": "Mail/1",
        }
    assert len(ids) <= 2  # two only if the hour turned meanwhile


async def test_heads_and_prefetches_are_no_opens(links: Links) -> None:
    message_id = uuid.uuid4().hex
    path = f"{links.url}/o/{token(LinkToken.KIND_OPEN, message_id)}"
    async with links.http.head(path) as answer:
        assert answer.status == 200
    async with links.http.get(path, headers={"sec-purpose": "prefetch"}) as answer:
        assert answer.status == 200
    async with links.http.get(path, headers={"user-agent": "a person"}):
        pass
    (event,) = await links.of(message_id, 1)
    assert event.attributes["user_agent"] == "a person"


async def test_a_click_leads_on_and_every_click_is_an_event(links: Links) -> None:
    message_id, target = uuid.uuid4().hex, "https://example.com/a?b=c%20d&e=f#g"
    path = f"{links.url}/c/{token(LinkToken.KIND_CLICK, message_id, url=target)}"
    for _ in range(2):
        async with links.http.get(path, allow_redirects=False) as answer:
            assert answer.status == 302
            assert answer.headers["location"] == target
            assert answer.headers["referrer-policy"] == "no-referrer"
    events = await links.of(message_id, 2)
    assert len({event.event_id for event in events}) == 2
    assert {event.attributes["feedback"] for event in events} == {target}


@pytest.mark.parametrize(
    "path",
    [
        "/o/nothing",
        "/c/" + token(LinkToken.KIND_CLICK, url="javascript:alert(1)"),
        "/c/" + token(LinkToken.KIND_OPEN, url="https://example.com"),
        "/u/" + token(LinkToken.KIND_RETURN_PATH),
        "/u/" + token(LinkToken.KIND_UNSUBSCRIBE)[:-2] + "AA",
        "/c/" + Signer(b"x" * 16, "links").sign(b""),
        "/c/" + "A" * 9000,
        "/elsewhere",
    ],
)
async def test_a_bad_link_gets_a_friendly_page(links: Links, path: str) -> None:
    async with links.http.get(links.url + path, allow_redirects=False) as answer:
        assert answer.status == 404
        assert "location" not in answer.headers
        assert "This link does not work" in await answer.text()
        assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_unsubscribe_page_asks_and_changes_nothing(links: Links) -> None:
    before = len(links.endpoints.seen)
    path = token(LinkToken.KIND_UNSUBSCRIBE, address="<b>@example.com")
    async with links.http.get(f"{links.url}/u/{path}") as answer:
        assert answer.status == 200
        text = await answer.text()
        policy = answer.headers["content-security-policy"]
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert '<form method="post">' in text
    assert "&lt;b&gt;@example.com" in text
    assert "<script" not in text
    assert '<html lang="en">' in text
    assert re.search(r"style-src 'sha256-[\w+/=]+'", policy)
    assert len(links.endpoints.seen) == before


async def test_one_click_opts_the_endpoint_out_and_may_be_repeated(links: Links) -> None:
    message_id = uuid.uuid4().hex
    signed = token(LinkToken.KIND_UNSUBSCRIBE, message_id, endpoint_id="gone", campaign_id="c")
    for _ in range(2):
        body = {"List-Unsubscribe": "One-Click"}
        async with links.http.post(f"{links.url}/u/{signed}", data=body) as answer:
            assert answer.status == 200
            assert "You are unsubscribed" in await answer.text()
    asked = [r for r in links.endpoints.seen if r.endpoint.endpoint_id == "gone"]
    assert len(asked) == 2
    assert {r.endpoint.opt_out for r in asked} == {endpoint_pb2.OPT_OUT_ALL}
    assert {r.application_id for r in asked} == {"app"}
    events = await links.of(message_id, 2)
    assert len({event.event_id for event in events}) == 1
    assert {event.event_type for event in events} == {"_email.unsubscribe"}


async def test_a_bare_address_is_suppressed(links: Links) -> None:
    message_id = uuid.uuid4().hex
    signed = token(
        LinkToken.KIND_UNSUBSCRIBE, message_id, endpoint_id="", address="bare@example.com"
    )
    async with links.http.post(f"{links.url}/u/{signed}") as answer:
        assert answer.status == 200
    ((destination,),) = [tuple(r.destinations) for r in links.channels.seen]
    assert destination.address == "bare@example.com"
    assert destination.channel_type == channel_pb2.CHANNEL_TYPE_EMAIL
    (event,) = await links.of(message_id, 1)
    assert event.client_id == "bare@example.com"


async def test_an_opt_out_that_could_not_be_saved_is_not_confirmed(links: Links) -> None:
    message_id = uuid.uuid4().hex
    signed = token(LinkToken.KIND_UNSUBSCRIBE, message_id)
    links.endpoints.code = grpc.StatusCode.INTERNAL
    try:
        async with links.http.post(f"{links.url}/u/{signed}") as answer:
            assert answer.status == 503
            assert "Please try again" in await answer.text()
    finally:
        links.endpoints.code = None
    async with links.http.post(f"{links.url}/u/{signed}") as answer:
        assert answer.status == 200
    assert len(await links.of(message_id, 1)) == 1  # none of the first try


async def test_a_deleted_endpoint_counts_as_opted_out(links: Links) -> None:
    links.endpoints.code = grpc.StatusCode.INVALID_ARGUMENT
    try:
        signed = token(LinkToken.KIND_UNSUBSCRIBE)
        async with links.http.post(f"{links.url}/u/{signed}") as answer:
            assert answer.status == 200
    finally:
        links.endpoints.code = None


async def test_a_callback_is_handed_over_as_it_came(links: Links) -> None:
    path = "/callbacks/twilio/app-1/sms?message_id=a%2Fb&x=it's"
    headers = {"X-Twilio-Signature": "signed"}
    url = URL(links.url + path, encoded=True)
    async with links.http.post(url, data=b"\xffBody=1", headers=headers) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
    taken = links.callbacks.seen[-1]
    assert (taken.application_id, taken.channel_type) == ("app-1", channel_pb2.CHANNEL_TYPE_SMS)
    assert taken.source == callbacks_pb.CALLBACK_SOURCE_TWILIO
    # The public URL, whatever host a proxy asked for, with every character as it was signed.
    assert taken.url == f"https://links.example{path}"
    assert (taken.body, taken.headers["x-twilio-signature"]) == (b"\xffBody=1", "signed")
    async with links.http.post(f"{links.url}/callbacks/amazon-sns/app-1/email") as answer:
        assert answer.status == 204
    assert links.callbacks.seen[-1].source == callbacks_pb.CALLBACK_SOURCE_AMAZON_SNS


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.UNIMPLEMENTED, 404),
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.INTERNAL, 503),
    ],
)
async def test_a_provider_learns_whether_to_come_again(
    links: Links, code: grpc.StatusCode, status: int
) -> None:
    links.callbacks.code = code
    try:
        async with links.http.post(f"{links.url}/callbacks/twilio/app/voice") as answer:
            assert answer.status == status
            assert ("retry-after" in answer.headers) is (status == 503)
    finally:
        links.callbacks.code = None


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("twilio/app/sms", 1_048_577, 413),
        ("somebody/app/sms", 1, 404),
        ("TWILIO/app/sms", 1, 404),
        ("twilio/app/push", 1, 404),
        (f"twilio/{'a' * 65}/sms", 1, 404),
    ],
)
async def test_what_no_provider_sends_goes_nowhere(
    links: Links, path: str, size: int, status: int
) -> None:
    before = len(links.callbacks.seen)
    async with links.http.post(
        f"{links.url}/callbacks/{path}", data=io.BytesIO(b"x" * size)
    ) as answer:
        assert answer.status == status
    assert len(links.callbacks.seen) == before


async def test_health(links: Links) -> None:
    async with links.http.get(f"{links.url}/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok")
