"""Messages of SNS: which are believed, what is fetched for them, and what they say."""

from collections.abc import AsyncIterator

import pytest

from libs.errors import DependencyUnavailable, SignatureInvalid
from services.messaging.adapters.amazon_sns import AmazonSns
from services.messaging.domain.callbacks import Callback, Report
from services.messaging.domain.channels import Aws, EmailChannel
from services.messaging.domain.ledger import Receipt, State
from tests.support.sns import TOPIC, Sns, running_sns

EVENT = {"eventType": "Delivery", "mail": {"tags": {"message-id": ["m1"]}}}
DELIVERED = [Receipt(State.DELIVERED, message_id="m1")]
CHANNEL = EmailChannel(
    enabled=True,
    from_address="a@shop.example",
    ses=Aws("eu-central-1", "AKIA", event_topic_arn=TOPIC),
)


@pytest.fixture
async def sns() -> AsyncIterator[Sns]:
    async with running_sns() as running:
        yield running


async def read(reader: AmazonSns, body: bytes, channel: EmailChannel = CHANNEL) -> list[Report]:
    return await reader.reports(channel, Callback("app", "EMAIL", "https://l.example/x", {}, body))


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_signed_message_is_believed_and_its_certificate_fetched_once(
    sns: Sns, version: str
) -> None:
    reader = AmazonSns(sns.url)
    for _ in range(3):
        body = sns.notification(EVENT, SignatureVersion=version, Subject="Amazon SES")
        assert await read(reader, body) == DELIVERED
    assert sns.asked == ["/SimpleNotificationService-1.pem"]


async def test_what_is_forged_is_refused(sns: Sns) -> None:
    reader, honest = AmazonSns(sns.url), sns.notification(EVENT)
    forged = [
        honest.replace(b"Delivery", b"Bounce"),
        sns.notification(EVENT, Signature="AAAA"),
        sns.notification(EVENT, Signature="no base64!"),
        sns.notification(EVENT, SignatureVersion="3"),
        sns.notification(EVENT, topic=TOPIC + "2"),
        sns.notification(EVENT, SigningCertURL="https://sns.eu-central-1.amazonaws.com/x.pem"),
        sns.notification(EVENT, SigningCertURL=f"{sns.url}/no-certificate"),
        sns.notification(EVENT, Type="Other"),
        b"[]",
        b"no JSON",
    ]
    for body in forged:
        with pytest.raises(SignatureInvalid):
            await read(reader, body)
    deaf = EmailChannel(
        enabled=True, from_address="a@shop.example", ses=Aws("eu-central-1", "AKIA")
    )
    with pytest.raises(SignatureInvalid):
        await read(reader, honest, deaf)
    assert await read(reader, honest) == DELIVERED


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/x.pem",
        "https://evil.example/sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com:8443/x.pem",
        "https://user@sns.eu-central-1.amazonaws.com/x.pem",
        "https://s3.eu-central-1.amazonaws.com/x.pem",
        "https://169.254.169.254/x.pem",
    ],
)
async def test_nobody_but_amazon_is_asked_for_certificates(sns: Sns, url: str) -> None:
    with pytest.raises(SignatureInvalid):
        await read(AmazonSns(), sns.notification(EVENT, SigningCertURL=url))


async def test_a_subscription_confirms_itself(sns: Sns) -> None:
    assert await read(AmazonSns(sns.url), sns.confirmation()) == []
    assert sns.asked[-1] == "/confirm?Token=t"
    elsewhere = sns.confirmation(SubscribeURL="http://127.0.0.1:1/confirm")
    with pytest.raises(SignatureInvalid):
        await read(AmazonSns(sns.url), elsewhere)
    with pytest.raises(SignatureInvalid):
        await read(AmazonSns(sns.url), sns.confirmation(topic=TOPIC + "2"))


async def test_messages_without_an_event_say_nothing(sns: Sns) -> None:
    reader = AmazonSns(sns.url)
    for message in ("Successfully validated SNS topic.", "[1]", "{}"):
        assert await read(reader, sns.notification(message)) == []


async def test_a_certificate_that_cannot_be_had_now_makes_the_message_come_again() -> None:
    async with running_sns() as gone:
        body = gone.notification(EVENT)
    with pytest.raises(DependencyUnavailable):
        await read(AmazonSns(gone.url), body)
