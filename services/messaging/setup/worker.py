"""The composition root of a channel worker: its lanes, its providers, what comes back to it."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from libs.bus.consumer import Consumer, Pace
from libs.bus.publisher import open_publisher
from libs.bus.topology import ANALYTICS_EVENTS, EVENTS, LANES, MESSAGES, message_queue
from libs.chassis.listen import split_address
from libs.chassis.run import Background, Parts
from libs.clock import SystemClock
from libs.mongo.client import open_database
from libs.mongo.migrations import check_schema
from libs.vault import Vault
from services.messaging.adapters.inbound_mail import InboundMail
from services.messaging.clients.events import EventPublisher
from services.messaging.clients.outbox import Outbox
from services.messaging.config import Settings
from services.messaging.consumer.contents import Contents
from services.messaging.consumer.gate import MOST_CLAIMED, ClaimGate
from services.messaging.consumer.handler import BatchHandler
from services.messaging.consumer.tokens import token_maker
from services.messaging.consumer.tools import Policy, Tools
from services.messaging.consumer.worker import Worker
from services.messaging.domain.recipients import EMAIL, SMS
from services.messaging.migrations import MIGRATIONS
from services.messaging.setup.provider import ProviderFactory, own_account
from services.messaging.store.batches import BatchStore
from services.messaging.store.channels import ChannelStore
from services.messaging.store.contents import ContentStore
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.ledger import LedgerStore
from services.messaging.store.limits import LimitStore
from services.messaging.store.providers import ProviderStore
from services.messaging.store.schema import prepare
from services.messaging.store.suppressions import SuppressionStore
from services.messaging.usecases.addressees import Addressees
from services.messaging.usecases.controls import Controls
from services.messaging.usecases.inbound import InboundTexts
from services.messaging.usecases.lookout import Lookout
from services.messaging.usecases.pacing import Pacer
from services.messaging.usecases.providers import Providers
from services.messaging.usecases.receipts import Receipts
from services.messaging.usecases.submission import Submission

SERVICE: Final = "messaging"
CHANNELS: Final = {"email": EMAIL, "sms": SMS}
# Places of the gate that promotional windows never take: a code does not wait for a newsletter's
# slow windows.
_RESERVED: Final = {EMAIL: 0, SMS: 4}
# Two batches side by side: one has the places while the other reads, renders and tells.
_PACE: Final = Pace(prefetch=6, concurrency=2)
# Of promotional texts one: two that take turns at one account's slots leave one in twenty unused.
_SLOW_PACE: Final = Pace(prefetch=6, concurrency=1)


async def setup(settings: Settings, stack: AsyncExitStack, channel: str) -> Parts:
    """Build the worker of `email` or `sms`."""
    channel_type = CHANNELS[channel]
    database = await open_database(settings, SERVICE, stack)
    await check_schema(database, MIGRATIONS, SERVICE)
    await prepare(database)
    events, outbox = await _publishers(settings, channel, stack)
    clock = SystemClock()
    ledger, suppressions = LedgerStore(database), SuppressionStore(database)
    receipts = Receipts(ledger, suppressions, events, clock)
    contents = ContentStore(database)
    submission = Submission(ledger, BatchStore(database), outbox)
    vault = Vault(settings.master_key.get_secret_value())
    channels = ChannelStore(database, vault)
    addressees = Addressees(channels, ledger, own_account(settings))
    inbound = InboundTexts(suppressions, contents, submission, events, addressees, clock)
    factory = ProviderFactory(settings, channels, receipts, inbound)
    tools = Tools(
        ledger,
        suppressions,
        Lookout(suppressions),
        Contents(contents),
        Controls(DispatchStore(database)),
        Providers(partial(ProviderStore(database).enabled, channel_type), factory.of(channel_type)),
        Pacer(LimitStore(database)),
        events,
        ClaimGate(MOST_CLAIMED, _RESERVED[channel_type]),
        token_maker(settings.link_key()),
        clock,
        _policy(settings),
    )
    background: list[Background] = [Worker(tools, _consumers(settings, channel, tools)).run]
    if channel_type == EMAIL and settings.inbound_mail_listen:
        background.append(partial(_listen, settings.inbound_mail_listen, receipts))
    return Parts(background=background)


async def _publishers(
    settings: Settings, channel: str, stack: AsyncExitStack
) -> tuple[EventPublisher, Outbox]:
    url, name = settings.amqp_url.get_secret_value(), f"messaging-{channel}"
    lanes = tuple(message_queue(channel, lane) for lane in LANES)
    events = await open_publisher(url, EVENTS, f"{name}-events", stack, (ANALYTICS_EVENTS,))
    replies = await open_publisher(url, MESSAGES, f"{name}-replies", stack, lanes)
    return EventPublisher(events), Outbox(replies)


def _policy(settings: Settings) -> Policy:
    return Policy(
        settings.claim_lease_seconds,
        MOST_CLAIMED,
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
            _SLOW_PACE if (channel, lane) == ("sms", "promotional") else _PACE,
        )
        for lane in LANES
    ]


async def _listen(address: str, receipts: Receipts, stopping: asyncio.Event) -> None:
    async with InboundMail(split_address(address), receipts.mail):
        await stopping.wait()
