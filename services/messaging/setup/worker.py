"""The composition root of a channel worker: its lanes, its providers, what comes back to it."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final

from libs.bus.consumer import Consumer, Pace
from libs.bus.publisher import open_publisher
from libs.bus.topology import (
    ANALYTICS_EVENTS,
    ENDPOINTS_TOKENS,
    EVENTS,
    LANES,
    MESSAGES,
    message_queue,
)
from libs.chassis.listen import split_address
from libs.chassis.run import Background, Parts
from libs.clock import SystemClock
from libs.mongo.client import Database, open_database
from libs.mongo.migrations import check_schema
from libs.vault import Vault
from services.messaging.adapters.inbound_mail import InboundMail
from services.messaging.clients.events import EventPublisher
from services.messaging.clients.outbox import Outbox
from services.messaging.config import Settings
from services.messaging.consumer.contents import Contents
from services.messaging.consumer.gate import ClaimGate
from services.messaging.consumer.handler import BatchHandler
from services.messaging.consumer.tokens import token_maker
from services.messaging.consumer.tools import Policy, Tools
from services.messaging.consumer.worker import Worker
from services.messaging.domain.families import CUSTOM, MEMBERS
from services.messaging.migrations import MIGRATIONS
from services.messaging.setup.provider import ProviderFactory, own_account
from services.messaging.setup.webhooks import webhook_providers
from services.messaging.store.batches import BatchStore
from services.messaging.store.channels import ChannelStore
from services.messaging.store.complaints import ComplaintStore
from services.messaging.store.contents import ContentStore
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.holds import HoldStore
from services.messaging.store.lanes import LaneStore
from services.messaging.store.ledger import LedgerStore
from services.messaging.store.limits import LimitStore
from services.messaging.store.providers import ProviderStore
from services.messaging.store.schema import prepare
from services.messaging.store.suppressions import SuppressionStore
from services.messaging.store.waiting import WaitingStore
from services.messaging.usecases.addressees import Addressees
from services.messaging.usecases.controls import Controls
from services.messaging.usecases.inbound import InboundTexts
from services.messaging.usecases.lookout import Lookout
from services.messaging.usecases.pacing import Pacer
from services.messaging.usecases.providers import Providers, ProviderSource
from services.messaging.usecases.receipts import Receipts
from services.messaging.usecases.sharing import Sharing
from services.messaging.usecases.submission import Submission

SERVICE: Final = "messaging"
PUSH_FAMILIES: Final = ("apns", "gcm", "adm", "baidu")
WORKERS: Final = {
    **{name: (name,) for name in MEMBERS},
    "push": PUSH_FAMILIES,
}
"""Families that a worker serves; `push` is all push services in one process."""
# Places of the gate that promotional windows never take: a code does not wait for a newsletter's
# slow windows.
_RESERVED: Final = {"sms": 4}
# A push service takes many notifications at a time over one connection, and is far away.
# A webhook takes fifty endpoints at a time, may be slow, and takes a message once: places cost
# nothing there.
_LEAST_PLACES: Final = {**dict.fromkeys(PUSH_FAMILIES, 64), "custom": 400}
# One batch: several requests of fifty.
_WINDOWS: Final = {"custom": 100}
# Two batches side by side: one has the places while the other reads, renders and tells.
_PACE: Final = Pace(prefetch=6, concurrency=2)
# Of promotional texts one: two that take turns at one account's slots leave one in twenty unused.
_SLOW_PACE: Final = Pace(prefetch=6, concurrency=1)
# Receivers of webhooks belong to everybody: a slow one leaves places for the others.
_WIDE_PACE: Final = Pace(prefetch=16, concurrency=8)
_PACES: Final = {
    ("sms", "promotional"): _SLOW_PACE,
    **{("custom", lane): _WIDE_PACE for lane in LANES},
}


@dataclass(frozen=True, slots=True)
class Common:
    """What the families of one process share."""

    settings: Settings
    database: Database
    events: EventPublisher
    suppressions: SuppressionStore
    receipts: Receipts
    factory: ProviderFactory


async def setup(settings: Settings, stack: AsyncExitStack, channel: str) -> Parts:
    """Build a worker, named as in WORKERS."""
    common = await _common(settings, stack, channel)
    background: list[Background] = [_worker(common, name).run for name in WORKERS[channel]]
    if channel == "email" and settings.inbound_mail_listen:
        background.append(partial(_listen, settings.inbound_mail_listen, common.receipts))
    return Parts(background=background)


async def _common(settings: Settings, stack: AsyncExitStack, channel: str) -> Common:
    database = await open_database(settings, SERVICE, stack)
    await check_schema(database, MIGRATIONS, SERVICE)
    await prepare(database)
    events, outbox = await _publishers(settings, channel, stack)
    clock = SystemClock()
    ledger, suppressions = LedgerStore(database), SuppressionStore(database)
    receipts = Receipts(ledger, suppressions, ComplaintStore(database), events, clock)
    batches, waiting = BatchStore(database), WaitingStore(database)
    sharing = Sharing(ledger, batches, waiting, LaneStore(database), outbox)
    submission = Submission(ledger, batches, outbox, sharing)
    channels = ChannelStore(database, Vault(settings.master_key.get_secret_value()))
    addressees = Addressees(channels, ledger, own_account(settings))
    contents = ContentStore(database)
    inbound = InboundTexts(suppressions, contents, submission, events, addressees, clock)
    factory = ProviderFactory(settings, channels, receipts, inbound)
    return Common(settings, database, events, suppressions, receipts, factory)


def _worker(common: Common, name: str) -> Worker:
    """The worker of one family, with claims and limits of its own: none waits for another."""
    settings, database = common.settings, common.database
    places = max(_LEAST_PLACES.get(name, 0), settings.claim_window)
    tools = Tools(
        LedgerStore(database),
        common.suppressions,
        Lookout(common.suppressions),
        Contents(ContentStore(database)),
        Controls(DispatchStore(database), HoldStore(database)),
        {one: _providers(common, one) for one in MEMBERS[name]},
        Pacer(LimitStore(database)),
        common.events,
        ClaimGate(places, min(_RESERVED.get(name, 0), places - 1)),
        token_maker(settings.link_key()),
        SystemClock(),
        _policy(settings, _WINDOWS.get(name, places)),
    )
    return Worker(tools, _consumers(settings, name, tools))


def _providers(common: Common, channel_type: str) -> ProviderSource:
    if channel_type == CUSTOM:
        return webhook_providers(common.settings, common.database)
    enabled = partial(ProviderStore(common.database).enabled, channel_type)
    return Providers(enabled, common.factory.of(channel_type))


async def _publishers(
    settings: Settings, channel: str, stack: AsyncExitStack
) -> tuple[EventPublisher, Outbox]:
    url, name = settings.amqp_url.get_secret_value(), f"messaging-{channel}"
    lanes = tuple(message_queue(one, lane) for one in WORKERS[channel] for lane in LANES)
    heard = (ANALYTICS_EVENTS, ENDPOINTS_TOKENS)
    events = await open_publisher(url, EVENTS, f"{name}-events", stack, heard)
    replies = await open_publisher(url, MESSAGES, f"{name}-replies", stack, lanes)
    return EventPublisher(events), Outbox(replies)


def _policy(settings: Settings, places: int) -> Policy:
    return Policy(
        settings.claim_lease_seconds,
        places,
        settings.links_url.rstrip("/"),
        settings.email_delivered_on_acceptance,
    )


def _consumers(settings: Settings, channel: str, tools: Tools) -> list[Consumer]:
    url = settings.amqp_url.get_secret_value()
    return [
        Consumer(
            url,
            message_queue(channel, lane),
            BatchHandler(tools, urgent=lane == "transactional"),
            _PACES.get((channel, lane), _PACE),
        )
        for lane in LANES
    ]


async def _listen(address: str, receipts: Receipts, stopping: asyncio.Event) -> None:
    async with InboundMail(split_address(address), receipts.mail):
        await stopping.wait()
