"""The gateway: RPC in, queue out, and the clocks."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from grpc import aio
from touchpoint.messaging.v1 import (
    callbacks_service_pb2_grpc,
    channels_service_pb2_grpc,
    dead_letters_service_pb2_grpc,
    decisions_service_pb2_grpc,
    dispatch_service_pb2_grpc,
    domains_service_pb2_grpc,
    holds_service_pb2_grpc,
    lanes_service_pb2_grpc,
    messaging_service_pb2_grpc,
    otp_service_pb2_grpc,
    phone_numbers_service_pb2_grpc,
    webhooks_service_pb2_grpc,
)

from libs.bus.consumer import Consumer
from libs.bus.parked import Parked
from libs.bus.publisher import open_publisher
from libs.bus.topology import (
    ANALYTICS_EVENTS,
    CHANNELS,
    EVENTS,
    LANES,
    MESSAGES,
    deletion_queue,
    message_queue,
)
from libs.chassis.client import open_channel
from libs.chassis.run import Parts
from libs.chassis.server import Service
from libs.clock import SystemClock
from libs.mongo.client import Database, open_database
from libs.mongo.migrations import check_schema, migrate
from libs.mongo.paging import Pager
from libs.vault import Vault
from services.messaging.adapters.dns_records import DnsRecords
from services.messaging.clients.events import EventPublisher
from services.messaging.clients.outbox import Outbox
from services.messaging.clients.peers import Peers
from services.messaging.config import Settings
from services.messaging.consumer.deletions import DeletionConsumer
from services.messaging.domain.guard import Thresholds
from services.messaging.domain.otp import OtpHasher
from services.messaging.migrations import MIGRATIONS
from services.messaging.scheduler import clocks
from services.messaging.servicer.callbacks import CallbacksServicer
from services.messaging.servicer.channels import ChannelsServicer
from services.messaging.servicer.dead_letters import DeadLettersServicer
from services.messaging.servicer.decisions import DecisionsServicer
from services.messaging.servicer.direct import DirectSends
from services.messaging.servicer.dispatch import DispatchServicer
from services.messaging.servicer.domains import DomainsServicer
from services.messaging.servicer.holds import HoldsServicer
from services.messaging.servicer.lanes import LanesServicer
from services.messaging.servicer.messaging import MessagingServicer
from services.messaging.servicer.otp import OtpServicer
from services.messaging.servicer.pages import LedgerPages
from services.messaging.servicer.phone_numbers import PhoneNumbersServicer
from services.messaging.servicer.webhooks import WebhooksServicer
from services.messaging.setup.callbacks import callbacks_of
from services.messaging.setup.provider import own_account
from services.messaging.setup.stores import GatewayStores, stores_of
from services.messaging.store.erasure import ErasureStore
from services.messaging.store.schema import prepare
from services.messaging.usecases.certificate_watch import CertificateWatch
from services.messaging.usecases.dead_letters import DeadLetters
from services.messaging.usecases.direct import DirectSender, Lists, Quotas
from services.messaging.usecases.dispatching import Dispatching, Stores
from services.messaging.usecases.domain_checking import DomainChecking
from services.messaging.usecases.feeding import Feeding
from services.messaging.usecases.guarding import Guard
from services.messaging.usecases.holding import Holding
from services.messaging.usecases.otp import OneTimePasswords
from services.messaging.usecases.pacing import Pacer
from services.messaging.usecases.refusals import Refusals
from services.messaging.usecases.resolving import Resolution
from services.messaging.usecases.sharing import Sharing
from services.messaging.usecases.submission import Submission

SERVICE = "messaging"
WARNING_SECONDS = 2.0
"""How long whoever saves an email channel waits for the DNS."""
_LANES = tuple(message_queue(channel, lane) for channel in CHANNELS for lane in LANES)


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways out of the gateway, to workers and to whoever counts, and what came back dead."""

    outbox: Outbox
    events: EventPublisher
    parked: Parked


async def setup_gateway(settings: Settings, stack: AsyncExitStack) -> Parts:
    """Open what the gateway needs and put it together."""
    database = await open_database(settings, SERVICE, stack)
    await check_schema(database, MIGRATIONS, SERVICE)
    await prepare(database)
    url = settings.amqp_url.get_secret_value()
    outbox = Outbox(await open_publisher(url, MESSAGES, "messaging-gateway", stack, _LANES))
    events = EventPublisher(
        await open_publisher(url, EVENTS, "messaging-gateway-events", stack, [ANALYTICS_EVENTS])
    )
    deletions = DeletionConsumer(ErasureStore(database))
    parked = Parked(url, "messaging-dead-letters", _LANES)
    stack.push_async_callback(parked.close)
    ways = Ways(outbox, events, parked)
    parts = _parts(settings, database, ways, _peers(settings, stack))
    hears = Consumer(url, deletion_queue(SERVICE), deletions.handle)
    return replace(parts, background=(*parts.background, hears.run))


async def migrate_database(settings: Settings, stack: AsyncExitStack) -> int:
    """Make every missing change of the database; returns the version reached."""
    database = await open_database(settings, SERVICE, stack)
    return await migrate(database, MIGRATIONS)


@dataclass(frozen=True, slots=True)
class Sending:
    """What takes messages in, and what looks after them."""

    submission: Submission
    sharing: Sharing
    dispatching: Dispatching
    sender: DirectSender
    refusals: Refusals


def _parts(settings: Settings, database: Database, ways: Ways, peers: Peers) -> Parts:
    kept = stores_of(database, Vault(settings.master_key.get_secret_value()))
    clock = SystemClock()
    sending = _sending(settings, kept, ways, clock)
    feeding = Feeding(kept.ledger, kept.batches, kept.dispatches, ways.outbox, sending.refusals)
    letters = DeadLetters(kept.batches, ways.parked, ways.outbox, clock)
    holding = Holding(kept.holds, kept.dispatches, kept.ledger, feeding)
    watch = CertificateWatch(kept.certificates, ways.events, clock)
    pager = Pager(settings.page_key())
    return Parts(
        (
            *_senders(settings, kept, ways, sending, peers, pager),
            *_settings(settings, kept, pager),
            _service("Holds", holds_service_pb2_grpc, HoldsServicer(kept.holds, clock)),
            _service(
                "DeadLetters",
                dead_letters_service_pb2_grpc,
                DeadLettersServicer(letters, kept.batches, pager),
            ),
            _service(
                "Callbacks",
                callbacks_service_pb2_grpc,
                CallbacksServicer(
                    callbacks_of(settings, database, sending.submission, ways.events)
                ),
            ),
        ),
        clocks(feeding, sending.sharing, holding, letters, watch, settings.clock_tick_seconds),
    )


def _sending(settings: Settings, kept: GatewayStores, ways: Ways, clock: SystemClock) -> Sending:
    sharing = Sharing(kept.ledger, kept.batches, kept.waiting, kept.lanes, ways.outbox)
    submission = Submission(kept.ledger, kept.batches, ways.outbox, sharing)
    refusals, own = Refusals(ways.events), own_account(settings)
    guard = Guard(kept.holds, kept.dispatches, kept.complaints, _thresholds(settings), clock)
    stores = Stores(kept.dispatches, kept.contents, kept.ledger, kept.channels)
    lists = Lists(kept.suppressions, kept.channels, kept.holds)
    quotas = Quotas(own, settings.calls_per_recipient)
    return Sending(
        submission,
        sharing,
        Dispatching(stores, submission, refusals, sharing, own, guard),
        DirectSender(submission, kept.contents, lists, Pacer(kept.limits), clock, quotas),
        refusals,
    )


def _senders(
    settings: Settings,
    kept: GatewayStores,
    ways: Ways,
    sending: Sending,
    peers: Peers,
    pager: Pager,
) -> Sequence[Service]:
    """Services that take messages in and tell what became of them."""
    clock, ledger = SystemClock(), kept.ledger
    pages = LedgerPages(ledger, kept.dispatches, pager)
    stores = Stores(kept.dispatches, kept.contents, ledger, kept.channels)
    delivers = settings.email_delivered_on_acceptance
    resolution = Resolution(ledger, ways.events, delivers=delivers)
    direct = DirectSends(sending.sender, peers)
    messaging = MessagingServicer(direct, stores, resolution, kept.requests, pages, clock)
    hasher = OtpHasher(settings.master_key.get_secret_value())
    passwords = OneTimePasswords(kept.otp, sending.sender, hasher, clock)
    dispatches = DispatchServicer(sending.dispatching, kept.suppressions, clock)
    return (
        _service("Messaging", messaging_service_pb2_grpc, messaging),
        _service("Otp", otp_service_pb2_grpc, OtpServicer(passwords)),
        _service("Decisions", decisions_service_pb2_grpc, DecisionsServicer(ledger, pages)),
        _service("Dispatch", dispatch_service_pb2_grpc, dispatches),
    )


def _settings(settings: Settings, kept: GatewayStores, pager: Pager) -> Sequence[Service]:
    """Services of what senders are set up with, and of what can be looked up."""
    clock, dns = SystemClock(), settings.dns_addr
    domains = DomainChecking(kept.channels, DnsRecords(dns))
    warnings = DomainChecking(kept.channels, DnsRecords(dns, WARNING_SECONDS))
    channels = ChannelsServicer(kept.channels, kept.suppressions, pager, clock, warnings)
    lanes = LanesServicer(kept.lanes, kept.waiting, clock)
    return (
        _service("Channels", channels_service_pb2_grpc, channels),
        _service("Lanes", lanes_service_pb2_grpc, lanes),
        _service("Webhooks", webhooks_service_pb2_grpc, WebhooksServicer(kept.secrets, clock)),
        _service("Domains", domains_service_pb2_grpc, DomainsServicer(domains)),
        _service("PhoneNumbers", phone_numbers_service_pb2_grpc, PhoneNumbersServicer()),
    )


def _thresholds(settings: Settings) -> Thresholds:
    return Thresholds(
        settings.auto_hold_bounce_percent,
        settings.auto_hold_complaint_percent,
        settings.auto_hold_failure_percent,
        settings.auto_hold_least_messages,
    )


def _service(area: str, module: object, servicer: object) -> Service:
    register = getattr(module, f"add_{area}ServiceServicer_to_server")
    return Service(f"touchpoint.messaging.v1.{area}Service", register, servicer)


def _peers(settings: Settings, stack: AsyncExitStack) -> Peers:
    def channel(address: str) -> aio.Channel | None:
        return open_channel(settings, address, stack) if address else None

    return Peers(
        channel(settings.endpoints_addr),
        channel(settings.templates_addr),
        channel(settings.applications_addr),
    )
