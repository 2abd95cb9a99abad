"""Certificates of APNs channels that end soon are told of once a day, over a real broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import pytest
from prometheus_client import REGISTRY
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import channels_service_pb2 as pb
from touchpoint.messaging.v1.events_pb2 import CertificateExpiring

from libs.bus.publisher import open_publisher
from libs.bus.topology import EVENTS
from libs.clock import FakeClock
from libs.errors import DependencyUnavailable
from libs.ids import new_id
from libs.mongo.client import Database, new_client
from libs.vault import Vault
from services.messaging.clients.events import EventPublisher
from services.messaging.domain.push_channels import ApnsChannel
from services.messaging.store.certificates import LEASE, CertificateStore
from services.messaging.store.channels import ChannelStore
from services.messaging.usecases.certificate_watch import CertificateWatch
from tests.integration.messaging.gateway_support import METADATA, running_gateway, until
from tests.support.keys import certificate, pem, rsa_key
from tests.support.running import MASTER_KEY

pytestmark = pytest.mark.servers
NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
GAUGE = "touchpoint_certificate_days_left"
Heard = Callable[[], Awaitable[list[tuple[str, CertificateExpiring]]]]


@pytest.fixture
async def database(mongo_uri: str, database_prefix: str) -> AsyncIterator[Database]:
    client = new_client(mongo_uri, "certificate-tests")
    name = f"{database_prefix}certificates"
    yield client.get_database(name)
    await client.drop_database(name)
    client.close()


@pytest.fixture
async def events(amqp_url: str) -> AsyncIterator[EventPublisher]:
    async with AsyncExitStack() as stack:
        yield EventPublisher(await open_publisher(amqp_url, EVENTS, "certificate-tests", stack))


@asynccontextmanager
async def hearing(amqp_url: str) -> AsyncIterator[Heard]:
    """Listen to what is told of certificates: pairs of message id and event, oldest first."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(EVENTS.name, "messaging.certificate_expiring")

        async def heard() -> list[tuple[str, CertificateExpiring]]:
            found = []
            while (one := await queue.get(fail=False, no_ack=True)) is not None:
                assert one.type == CertificateExpiring.DESCRIPTOR.full_name
                found.append((str(one.message_id), CertificateExpiring.FromString(one.body)))
            return found

        yield heard


async def save(
    database: Database, app_id: str, ends: datetime, channel_type: str = "APNS", **more: Any
) -> None:
    settings = {"enabled": True, "bundle_id": "com.example.shop", **more}
    channel = ApnsChannel(**settings, certificate_expire_time=ends)
    await ChannelStore(database, Vault(MASTER_KEY)).save(app_id, channel_type, channel, NOON)


def watch(database: Database, events: Any, clock: FakeClock) -> CertificateWatch:
    return CertificateWatch(CertificateStore(database), events, clock)


def shown(app_id: str, channel_type: str = "APNS") -> float | None:
    labels = {"application_id": app_id, "channel_type": channel_type}
    return REGISTRY.get_sample_value(GAUGE, labels)


async def test_a_running_gateway_tells_of_a_certificate_that_ends_soon(
    mongo_uri: str, amqp_url: str, database_prefix: str
) -> None:
    app_id, key = new_id(), rsa_key()
    channel = pb.ApnsChannel(
        enabled=True,
        bundle_id="com.example.shop",
        certificate=certificate(key, days=12),
        private_key=pem(key),
        default_authentication_method="CERTIFICATE",
    )
    request = pb.UpdateApnsChannelRequest(
        application_id=app_id,
        channel_type=channel_pb2.CHANNEL_TYPE_APNS_VOIP,
        apns_channel=channel,
    )
    async with (
        running_gateway(mongo_uri, amqp_url, f"{database_prefix}watch") as gateway,
        hearing(amqp_url) as heard,
    ):
        answer = await gateway.channels.UpdateApnsChannel(request, metadata=METADATA)
        [(_, told)] = await until(heard)
    assert (told.application_id, told.bundle_id) == (app_id, "com.example.shop")
    assert told.channel_type == channel_pb2.CHANNEL_TYPE_APNS_VOIP
    assert told.expire_time == answer.apns_channel.certificate_expire_time
    assert told.days_left == 11


async def test_several_gateways_tell_once_a_day(
    database: Database, events: EventPublisher, amqp_url: str
) -> None:
    soon, off, clock = new_id(), new_id(), FakeClock(NOON)
    await save(database, soon, NOON + 10 * DAY)
    await save(database, soon, NOON + 31 * DAY, "APNS_VOIP")
    await save(database, off, NOON + 10 * DAY, enabled=False)
    gateways = [watch(database, events, clock) for _ in range(5)]
    async with hearing(amqp_url) as heard:
        assert sum(await asyncio.gather(*(one.look() for one in gateways))) == 1
        clock.advance(timedelta(hours=11))
        assert sum(await asyncio.gather(*(one.look() for one in gateways))) == 0
        [(first, told)] = await heard()
        assert (told.application_id, told.days_left) == (soon, 10)
        clock.advance(timedelta(hours=1))
        assert sum(await asyncio.gather(*(one.look() for one in gateways))) == 1
        [(second, told)] = await heard()
    assert (told.days_left, first != second) == (9, True)


class Away:
    """A broker that is away."""

    async def certificate_expiring(self, *_: object) -> None:
        raise DependencyUnavailable("the broker")


async def test_one_that_dies_while_telling_is_followed_by_another(
    database: Database, events: EventPublisher, amqp_url: str
) -> None:
    clock = FakeClock(NOON)
    await save(database, new_id(), NOON - DAY)
    with pytest.raises(DependencyUnavailable):
        await watch(database, Away(), clock).look()
    other = watch(database, events, clock)
    async with hearing(amqp_url) as heard:
        assert await other.look() == 0, "the lease of the first still runs"
        clock.advance(LEASE)
        assert await other.look() == 1
        [(_, told)] = await heard()
    assert told.days_left == -2, "a minute more than a day ago, rounded down"


async def test_the_gauge_shows_every_certificate_and_forgets_those_gone(
    database: Database, events: EventPublisher
) -> None:
    app_id, clock = new_id(), FakeClock(NOON)
    looks = watch(database, events, clock)
    await save(database, app_id, NOON + 200 * DAY)
    await save(database, app_id, NOON - 2 * DAY, "APNS_SANDBOX")
    await looks.look()
    assert (shown(app_id), shown(app_id, "APNS_SANDBOX")) == (200.0, -2.0)
    await ChannelStore(database, Vault(MASTER_KEY)).drop(app_id, "APNS_SANDBOX", NOON)
    clock.advance(DAY / 2)
    await looks.look()
    assert (shown(app_id), shown(app_id, "APNS_SANDBOX")) == (199.5, None)
