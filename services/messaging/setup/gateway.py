"""The gateway: RPC in, queue out, and the clocks."""

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
from services.messaging.store.batches import BatchStore
from services.messaging.store.certificates import CertificateStore
from services.messaging.store.channels import ChannelStore
from services.messaging.store.complaints import ComplaintStore
from services.messaging.store.contents import ContentStore
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.erasure import ErasureStore
from services.messaging.store.holds import HoldStore
from services.messaging.store.lanes import LaneStore
from services.messaging.store.ledger import LedgerStore
from services.messaging.store.limits import LimitStore
from services.messaging.store.otp import OtpStore
from services.messaging.store.requests import RequestStore
from services.messaging.store.schema import prepare
from services.messaging.store.suppressions import SuppressionStore
from services.messaging.store.waiting import WaitingStore
from services.messaging.store.webhook_secrets import WebhookSecretStore
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


def _parts(settings: Settings, database: Database, ways: Ways, peers: Peers) -> Parts:
    clock, pager = SystemClock(), Pager(settings.page_key())
    ledger, batches = LedgerStore(database), BatchStore(database)
    dispatches, contents = DispatchStore(database), ContentStore(database)
    suppressions = SuppressionStore(database)
    vault = Vault(settings.master_key.get_secret_value())
    channels, secrets = ChannelStore(database, vault), WebhookSecretStore(database, vault)
    lanes = LaneStore(database)
    waiting = WaitingStore(database)
    sharing = Sharing(ledger, batches, waiting, lanes, ways.outbox)
    submission = Submission(ledger, batches, ways.outbox, sharing)
    own = own_account(settings)
    pacer, quotas = Pacer(LimitStore(database)), Quotas(own, settings.calls_per_recipient)
    stores = Stores(dispatches, contents, ledger, channels)
    refusals = Refusals(ways.events)
    holds = HoldStore(database)
    guard = Guard(holds, dispatches, ComplaintStore(database), _thresholds(settings), clock)
    dispatching = Dispatching(stores, submission, refusals, sharing, own, guard)
    lists = Lists(suppressions, channels, holds)
    sender = DirectSender(submission, contents, lists, pacer, clock, quotas)
    hasher = OtpHasher(settings.master_key.get_secret_value())
    passwords = OneTimePasswords(OtpStore(database), sender, hasher, clock)
    requests = RequestStore(database)
    resolution = Resolution(ledger, ways.events, delivers=settings.email_delivered_on_acceptance)
    watch = CertificateWatch(CertificateStore(database), ways.events, clock)
    pages = LedgerPages(ledger, dispatches, pager)
    messaging = MessagingServicer(
        DirectSends(sender, peers), stores, resolution, requests, pages, clock
    )
    feeding = Feeding(ledger, batches, dispatches, ways.outbox, refusals)
    letters = DeadLetters(batches, ways.parked, ways.outbox, clock)
    domains = DomainChecking(channels, DnsRecords(settings.dns_addr))
    holding = Holding(holds, dispatches, ledger, feeding)
    return Parts(
        (
            _service("Messaging", messaging_service_pb2_grpc, messaging),
            _service("Otp", otp_service_pb2_grpc, OtpServicer(passwords)),
            _service("Decisions", decisions_service_pb2_grpc, DecisionsServicer(ledger, pages)),
            _service("Domains", domains_service_pb2_grpc, DomainsServicer(domains)),
            _service("PhoneNumbers", phone_numbers_service_pb2_grpc, PhoneNumbersServicer()),
            _service(
                "DeadLetters",
                dead_letters_service_pb2_grpc,
                DeadLettersServicer(letters, batches, pager),
            ),
            _service("Lanes", lanes_service_pb2_grpc, LanesServicer(lanes, waiting, clock)),
            _service("Webhooks", webhooks_service_pb2_grpc, WebhooksServicer(secrets, clock)),
            _service(
                "Callbacks",
                callbacks_service_pb2_grpc,
                CallbacksServicer(callbacks_of(settings, database, submission, ways.events)),
            ),
            _service("Holds", holds_service_pb2_grpc, HoldsServicer(holds, clock)),
            _service(
                "Dispatch",
                dispatch_service_pb2_grpc,
                DispatchServicer(dispatching, suppressions, clock),
            ),
            _service(
                "Channels",
                channels_service_pb2_grpc,
                ChannelsServicer(
                    channels,
                    suppressions,
                    pager,
                    clock,
                    DomainChecking(channels, DnsRecords(settings.dns_addr, WARNING_SECONDS)),
                ),
            ),
        ),
        clocks(feeding, sharing, holding, letters, watch, settings.clock_tick_seconds),
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
