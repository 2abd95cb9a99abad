"""What a customer does, through public RPCs and the sandbox's own pages: set up, send, look."""

import asyncio
import csv
import io
import json
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from grpc import aio
from touchpoint.applications.v1 import applications_service_pb2 as applications_pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as applications_rpc
from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.campaigns.v1 import campaigns_service_pb2 as campaigns_pb
from touchpoint.campaigns.v1 import campaigns_service_pb2_grpc as campaigns_rpc
from touchpoint.endpoints.v1 import import_service_pb2 as import_pb
from touchpoint.endpoints.v1 import import_service_pb2_grpc as import_rpc
from touchpoint.messaging.v1 import channels_service_pb2 as channels_pb
from touchpoint.messaging.v1 import channels_service_pb2_grpc as channels_rpc
from touchpoint.messaging.v1 import message_pb2
from touchpoint.messaging.v1 import messaging_service_pb2 as messaging_pb
from touchpoint.messaging.v1 import messaging_service_pb2_grpc as messaging_rpc
from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as segmentation_pb
from touchpoint.segmentation.v1 import segmentation_service_pb2_grpc as segmentation_rpc

CHUNK = 500_000


async def until(
    found: Callable[[], Awaitable[bool]], seconds: float, what: str, pause: float = 0.1
) -> None:
    """Poll until something is so; raises TimeoutError naming what was waited for."""
    deadline = time.monotonic() + seconds
    while not await found():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        await asyncio.sleep(pause)


class Place(Protocol):
    """Where an installation answers: its settings by name, such as CAMPAIGNS_ADDR."""

    @property
    def env(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Exported:
    """The installation behind a `.touchpoint/env` file."""

    exports: Mapping[str, str]

    @property
    def env(self) -> Mapping[str, str]:
        grpc = {
            f"{name.removeprefix('TOUCHPOINT_GRPC_')}_ADDR": value
            for name, value in self.exports.items()
            if name.startswith("TOUCHPOINT_GRPC_")
        }
        return grpc | {
            "SANDBOX_URL": self.exports["TOUCHPOINT_SANDBOX_URL"],
            "SMTP_ADDR": self.exports["TOUCHPOINT_SANDBOX_SMTP"],
            "SMPP_ADDR": self.exports["TOUCHPOINT_SANDBOX_SMPP"],
            "SMPP_SYSTEM_ID": "sandbox",
            "SMPP_PASSWORD": "sandbox",
            "BOOTSTRAP_ACCESS_KEY_ID": self.exports["TOUCHPOINT_ACCESS_KEY_ID"],
            "BOOTSTRAP_SECRET_ACCESS_KEY": self.exports["TOUCHPOINT_SECRET_ACCESS_KEY"],
        }


@dataclass(frozen=True)
class Customer:
    """A program with an API key, working in one application."""

    estate: Place
    application_id: str
    channels: Mapping[str, aio.Channel]

    def campaigns(self) -> Any:
        return campaigns_rpc.CampaignsServiceStub(self.channels["campaigns"])

    def messaging(self) -> Any:
        return messaging_rpc.MessagingServiceStub(self.channels["messaging"])

    async def set_up_channels(self, *, parts_per_second: int = 0) -> None:
        """Point email and SMS to the sandbox."""
        smtp, smpp = (self.estate.env[f"{name}_ADDR"].split(":") for name in ("SMTP", "SMPP"))
        stub = channels_rpc.ChannelsServiceStub(self.channels["messaging"])
        email = channels_pb.EmailChannel(
            enabled=True,
            from_address="Shop <hello@shop.example>",
            identity="shop.example",
            smtp=channels_pb.SmtpProvider(
                host=smtp[0],
                port=int(smtp[1]),
                verify_certificate=False,
                connections=8,
            ),
        )
        await stub.UpdateEmailChannel(
            channels_pb.UpdateEmailChannelRequest(
                application_id=self.application_id, email_channel=email
            )
        )
        sms = channels_pb.SmsChannel(
            enabled=True,
            origination_number="+15550001000",
            parts_per_second=parts_per_second,
            smpp=channels_pb.SmppProvider(
                host=smpp[0],
                port=int(smpp[1]),
                system_id=self.estate.env["SMPP_SYSTEM_ID"],
                password=self.estate.env["SMPP_PASSWORD"],
            ),
        )
        await stub.UpdateSmsChannel(
            channels_pb.UpdateSmsChannelRequest(application_id=self.application_id, sms_channel=sms)
        )

    async def import_rows(self, rows: Sequence[Mapping[str, str]]) -> import_pb.ImportJob:
        """Import endpoints from a CSV made of rows, and wait for the job's end."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        data = text.getvalue().encode()

        async def pieces() -> AsyncIterator[import_pb.CreateImportJobRequest]:
            yield import_pb.CreateImportJobRequest(
                definition=import_pb.ImportJobDefinition(
                    application_id=self.application_id,
                    format=import_pb.IMPORT_FORMAT_CSV,
                    register_endpoints=True,
                )
            )
            for at in range(0, len(data), CHUNK):
                yield import_pb.CreateImportJobRequest(chunk=data[at : at + CHUNK])

        stub: Any = import_rpc.ImportServiceStub(self.channels["endpoints"])
        job: import_pb.ImportJob = (await stub.CreateImportJob(pieces())).import_job

        async def over() -> bool:
            nonlocal job
            request = import_pb.GetImportJobRequest(
                application_id=self.application_id, job_id=job.job_id
            )
            job = (await stub.GetImportJob(request)).import_job
            return job.job_status in {import_pb.JOB_STATUS_COMPLETED, import_pb.JOB_STATUS_FAILED}

        await until(over, 120, "the import")
        return job

    async def segment(self, name: str, dimensions: segment_pb2.SegmentDimensions) -> str:
        """Create a segment; returns its id."""
        stub = segmentation_rpc.SegmentationServiceStub(self.channels["segmentation"])
        answer = await stub.CreateSegment(
            segmentation_pb.CreateSegmentRequest(
                application_id=self.application_id,
                segment=segment_pb2.Segment(name=name, dimensions=dimensions),
            )
        )
        return answer.segment.segment_id

    async def send(self, segment_id: str, sms_body: str = "Hello {{Id}}", **more: Any) -> str:
        """Create a campaign by email and SMS that starts at once; returns its id."""
        campaign = campaign_pb2.Campaign(
            name="Spring",
            segment_id=segment_id,
            message_configuration=campaign_pb2.MessageConfiguration(
                email_message=campaign_pb2.CampaignEmailMessage(
                    title="Hello {{Id}}", body="Hello {{User.UserId}}", html_body="<p>Hello</p>"
                ),
                sms_message=campaign_pb2.CampaignSmsMessage(body=sms_body),
            ),
        )
        campaign.schedule.start_time = "IMMEDIATE"
        campaign.MergeFrom(campaign_pb2.Campaign(**more))
        answer = await self.campaigns().CreateCampaign(
            campaigns_pb.CreateCampaignRequest(
                application_id=self.application_id, campaign=campaign
            )
        )
        return str(answer.campaign.campaign_id)

    async def activity(self, campaign_id: str) -> campaign_pb2.CampaignActivity | None:
        """The newest run of a campaign."""
        answer = await self.campaigns().ListCampaignActivities(
            campaigns_pb.ListCampaignActivitiesRequest(
                application_id=self.application_id, campaign_id=campaign_id
            )
        )
        return answer.activities[0] if answer.activities else None

    async def run_is_over(self, campaign_id: str) -> bool:
        activity = await self.activity(campaign_id)
        return (
            activity is not None and activity.state == campaign_pb2.CampaignActivity.STATE_COMPLETED
        )

    async def messages(
        self,
        dispatch_id: str,
        state: message_pb2.MessageState.ValueType = 0,  # type: ignore[assignment]
    ) -> list[message_pb2.Message]:
        """Every ledger row of a run, page by page."""
        found: list[message_pb2.Message] = []
        token = ""
        while True:
            page = await self.messaging().ListMessages(
                messaging_pb.ListMessagesRequest(
                    application_id=self.application_id,
                    dispatch_id=dispatch_id,
                    state=state,
                    page_size=1000,
                    page_token=token,
                )
            )
            found += page.messages
            token = page.next_page_token
            if not token:
                return found

    async def sandbox(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Ask the sandbox."""
        url = self.estate.env["SANDBOX_URL"] + path
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - loopback
            url, data=data, method=method, headers={"content-type": "application/json"}
        )

        def ask() -> Any:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                text = answer.read()
            return json.loads(text) if text else None

        return await asyncio.to_thread(ask)

    async def behave(self, behaviours: list[dict[str, Any]]) -> None:
        """Put a list of the sandbox's behaviours in force."""
        await self.sandbox("/behaviours", "PUT", behaviours)

    async def counts(self, channel: str) -> dict[str, int]:
        """How many messages each address got."""
        return dict(await self.sandbox(f"/counts?channel={channel}"))


@asynccontextmanager
async def customer(estate: Place) -> AsyncIterator[Customer]:
    """Create an application with the installation's first key, and open every channel."""
    token = (
        f"Bearer {estate.env['BOOTSTRAP_ACCESS_KEY_ID']}:"
        f"{estate.env['BOOTSTRAP_SECRET_ACCESS_KEY']}"
    )
    async with AsyncExitStack() as stack:
        channels = {}
        for name in (
            "applications",
            "endpoints",
            "segmentation",
            "templates",
            "campaigns",
            "messaging",
            "analytics",
        ):
            channel = aio.insecure_channel(
                estate.env[f"{name.upper()}_ADDR"], interceptors=_bearer(token), options=_OPTIONS
            )
            channels[name] = await stack.enter_async_context(channel)
        stub = applications_rpc.ApplicationsServiceStub(channels["applications"])
        answer = await stub.CreateApplication(
            applications_pb.CreateApplicationRequest(name="Customer")
        )
        yield Customer(estate, answer.application.application_id, channels)


_OPTIONS = (
    ("grpc.enable_retries", 1),
    (
        "grpc.service_config",
        json.dumps(
            {
                "methodConfig": [
                    {
                        "name": [{}],
                        "waitForReady": True,
                        "timeout": "60s",
                        "retryPolicy": {
                            "maxAttempts": 5,
                            "initialBackoff": "0.2s",
                            "maxBackoff": "2s",
                            "backoffMultiplier": 2,
                            "retryableStatusCodes": ["UNAVAILABLE"],
                        },
                    }
                ]
            }
        ),
    ),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)


def _bearer(token: str) -> list[Any]:
    return [_BearerUnary(token), _BearerStreamUnary(token), _BearerUnaryStream(token)]


class _Bearer:
    def __init__(self, token: str) -> None:
        self._token = token

    def dressed(self, details: aio.ClientCallDetails) -> aio.ClientCallDetails:
        metadata = aio.Metadata(*(details.metadata or ()))
        metadata.add("authorization", self._token)
        return aio.ClientCallDetails(
            details.method, details.timeout, metadata, details.credentials, wait_for_ready=True
        )


class _BearerUnary(_Bearer, aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self.dressed(client_call_details), request)


class _BearerUnaryStream(_Bearer, aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(self.dressed(client_call_details), request)


class _BearerStreamUnary(_Bearer, aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: aio.ClientCallDetails, request_iterator: Any
    ) -> Any:
        return await continuation(self.dressed(client_call_details), request_iterator)
