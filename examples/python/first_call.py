"""Create an application, send a text message, and see it arrive.

. .touchpoint/env && .venv/bin/python examples/python/first_call.py [PHONE NUMBER]

Reads the TOUCHPOINT_ variables that `make up` writes. Nothing leaves the machine: the text goes
to the sandbox.
"""

import asyncio
import os
import sys

import aiohttp
from grpc import aio
from touchpoint.applications.v1 import applications_service_pb2 as applications
from touchpoint.applications.v1.applications_service_pb2_grpc import ApplicationsServiceStub
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2, endpoints_service_pb2
from touchpoint.endpoints.v1.endpoints_service_pb2_grpc import EndpointsServiceStub
from touchpoint.messaging.v1 import channels_service_pb2, messaging_service_pb2
from touchpoint.messaging.v1.channels_service_pb2_grpc import ChannelsServiceStub
from touchpoint.messaging.v1.messaging_service_pb2_grpc import MessagingServiceStub

SETTINGS = os.environ  # noqa: TID251 (an example has no settings class)
SECRETS = "TOUCHPOINT_ACCESS_KEY_ID", "TOUCHPOINT_SECRET_ACCESS_KEY"
AUTH = (("authorization", "Bearer " + ":".join(SETTINGS[name] for name in SECRETS)),)
PHONE = sys.argv[1] if len(sys.argv) > 1 else "+15550100123"


def channel(service: str) -> aio.Channel:
    """A connection to one of the services."""
    return aio.insecure_channel(SETTINGS[f"TOUCHPOINT_GRPC_{service}"])


async def main() -> None:
    """The whole way of one message."""
    async with channel("APPLICATIONS") as one, channel("ENDPOINTS") as two:
        created = await ApplicationsServiceStub(one).CreateApplication(
            applications.CreateApplicationRequest(name="First call"), metadata=AUTH
        )
        app_id = created.application.application_id
        print(f"application  {app_id}")

        ann = endpoint_pb2.Endpoint(
            endpoint_id="ann-phone",
            address=PHONE,
            channel_type=channel_pb2.CHANNEL_TYPE_SMS,
            user=endpoint_pb2.User(
                user_id="ann",
                user_attributes={"FirstName": channel_pb2.StringList(values=["Ann"])},
            ),
        )
        await EndpointsServiceStub(two).UpdateEndpoint(
            endpoints_service_pb2.UpdateEndpointRequest(application_id=app_id, endpoint=ann),
            metadata=AUTH,
        )
        print(f"endpoint     {ann.endpoint_id}, {PHONE}")
    async with channel("MESSAGING") as three:
        # Without an SMS centre of its own the channel uses the installation's: the sandbox.
        sms = channels_service_pb2.SmsChannel(enabled=True, origination_number="+15550199001")
        await ChannelsServiceStub(three).UpdateSmsChannel(
            channels_service_pb2.UpdateSmsChannelRequest(application_id=app_id, sms_channel=sms),
            metadata=AUTH,
        )
        sent = await MessagingServiceStub(three).SendMessages(
            messaging_service_pb2.SendMessagesRequest(
                application_id=app_id,
                endpoints={"ann-phone": messaging_service_pb2.EndpointSendConfiguration()},
                message_configuration=messaging_service_pb2.DirectMessageConfiguration(
                    sms_message=messaging_service_pb2.SmsMessage(
                        body=f"Hello {{{{User.UserAttributes.FirstName}}}}! {app_id[:8]}"
                    )
                ),
            ),
            metadata=AUTH,
        )
    result = sent.endpoint_result["ann-phone"]
    status = messaging_service_pb2.DeliveryStatus.Name(result.delivery_status)
    print(f"accepted     {status.removeprefix('DELIVERY_STATUS_')}, message {result.message_id}")
    print(f"arrived      {await arrival(app_id[:8])}")


async def arrival(mark: str) -> str:
    """What the phone shows, as soon as it shows it."""
    url = f"{SETTINGS['TOUCHPOINT_SANDBOX_URL']}/messages"
    query = {"channel": "SMS", "to": PHONE, "limit": "10"}
    async with aiohttp.ClientSession() as session, asyncio.timeout(20):
        while True:
            async with session.get(url, params=query) as answer:
                for message in await answer.json():
                    if mark in message["body"]:
                        return f"{message['body']!r} from {message['from']}"
            await asyncio.sleep(0.1)


asyncio.run(main())
