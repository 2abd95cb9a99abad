"""Creates the shop's application and the two ways its messages leave."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from touchpoint.applications.v1 import applications_service_pb2 as applications_pb
from touchpoint.messaging.v1 import channels_service_pb2 as pb

from examples.shop.platform import Platform

DOMAIN = "shop.example"
SENDER = f"Harbour Shop <hello@{DOMAIN}>"
NUMBER = "+15550199000"
STOP_REPLY = "Harbour Shop: you get no more texts from us. Reply START to come back."


async def create_application(platform: Platform) -> str:
    """The id of a new application; everything the demo makes belongs to it."""
    answer = await platform.applications.CreateApplication(
        applications_pb.CreateApplicationRequest(name="Harbour Shop", tags={"made-by": "demo"}),
        metadata=platform.key,
    )
    return answer.application.application_id


async def set_up_email(platform: Platform, app_id: str, variables: Mapping[str, str]) -> None:
    """Mail goes to the sandbox's mail host over STARTTLS, signed with a DKIM key made just now."""
    host, _, port = variables["TOUCHPOINT_SANDBOX_SMTP"].rpartition(":")
    channel = pb.EmailChannel(
        enabled=True,
        from_address=SENDER,
        identity=DOMAIN,
        smtp=pb.SmtpProvider(
            host=host,
            port=int(port),
            security=pb.SmtpProvider.SECURITY_STARTTLS,
            verify_certificate=False,  # the sandbox signs its own
        ),
        dkim=pb.DkimKey(selector="demo", private_key=_new_key()),
    )
    await platform.senders.UpdateEmailChannel(
        pb.UpdateEmailChannelRequest(application_id=app_id, email_channel=channel),
        metadata=platform.key,
    )


async def set_up_sms(platform: Platform, app_id: str, variables: Mapping[str, str]) -> None:
    """Texts go to the sandbox's SMS centre over SMPP 3.4, 20 message parts a second."""
    host, _, port = variables["TOUCHPOINT_SANDBOX_SMPP"].rpartition(":")
    channel = pb.SmsChannel(
        enabled=True,
        origination_number=NUMBER,
        smpp=pb.SmppProvider(host=host, port=int(port), system_id="sandbox", password="sandbox"),  # noqa: S106 (the sandbox's public login)
        replies=pb.KeywordReplies(stop=STOP_REPLY),
    )
    await platform.senders.UpdateSmsChannel(
        pb.UpdateSmsChannelRequest(application_id=app_id, sms_channel=channel),
        metadata=platform.key,
    )


async def suppressed(platform: Platform, app_id: str) -> dict[str, str]:
    """Addresses the installation sends nothing to (from earlier demos), and why."""
    found: dict[str, str] = {}
    token = ""
    while True:
        answer = await platform.senders.ListSuppressedDestinations(
            pb.ListSuppressedDestinationsRequest(
                application_id=app_id, page_size=1000, page_token=token
            ),
            metadata=platform.key,
        )
        for one in answer.destinations:
            name = pb.SuppressionReason.Name(one.reason)
            found[one.address] = name.removeprefix("SUPPRESSION_REASON_")
        token = answer.next_page_token
        if not token:
            return found


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return pem.decode()
