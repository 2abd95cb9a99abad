"""Puts the analytics service together."""

import asyncio
from contextlib import AsyncExitStack

from touchpoint.analytics.v1 import analytics_service_pb2_grpc as rpc

from libs.bus.consumer import Consumer, Pace
from libs.bus.publisher import open_publisher
from libs.bus.topology import ANALYTICS_EVENTS, EVENTS, deletion_queue
from libs.chassis.client import open_channel
from libs.chassis.run import Parts
from libs.chassis.server import Service
from libs.clock import SystemClock
from libs.mongo.client import open_database
from libs.mongo.indexes import ensure_indexes
from libs.mongo.paging import Pager
from services.analytics.clients import EndpointsClient, EventsPublisher
from services.analytics.config import Settings
from services.analytics.consumer import DeletionsConsumer, EventsConsumer
from services.analytics.scheduler import Purging
from services.analytics.servicer.events import EventsServicer
from services.analytics.servicer.figures import AnalyticsServicer
from services.analytics.store.events import APP_NAME, EventStore
from services.analytics.store.retention import Retention
from services.analytics.store.schema import INDEXES
from services.analytics.usecases import GroupCommit, Recorder


async def setup(settings: Settings, stack: AsyncExitStack) -> Parts:
    """Open the service for `libs.chassis.run`."""
    database = await open_database(settings, APP_NAME, stack)
    await ensure_indexes(database, INDEXES)
    store = EventStore(database)
    amqp_url = settings.amqp_url.get_secret_value()
    # Events published before the consumer first starts are kept.
    publisher = await open_publisher(amqp_url, EVENTS, "analytics", stack, [ANALYTICS_EVENTS])
    address = settings.endpoints_addr
    endpoints = EndpointsClient(open_channel(settings, address, stack) if address else None)
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    commit = GroupCommit(EventsPublisher(publisher).publish, tasks)
    events = EventsServicer(commit, endpoints, store, Pager(settings.page_key()))
    figures = AnalyticsServicer(store, SystemClock())
    return Parts(
        services=(
            Service(_EVENTS_SERVICE, rpc.add_EventsServiceServicer_to_server, events),
            Service(_FIGURES_SERVICE, rpc.add_AnalyticsServiceServicer_to_server, figures),
        ),
        background=(
            _events_consumer(settings, store).run,
            Consumer(amqp_url, deletion_queue("analytics"), DeletionsConsumer(store).handle).run,
            Purging(Retention(database), SystemClock()).run,
        ),
    )


# Figures may be late (spec 10.3), and a transaction of a few events costs as much as one of many.
_LINGER_SECONDS = 0.2
_EVENTS_SERVICE = "touchpoint.analytics.v1.EventsService"
_FIGURES_SERVICE = "touchpoint.analytics.v1.AnalyticsService"


def _events_consumer(settings: Settings, store: EventStore) -> Consumer:
    side_by_side = settings.consume_concurrency
    handler = EventsConsumer(Recorder(store, side_by_side)).handle
    pace = Pace(
        prefetch=settings.consume_messages * side_by_side * 2,
        concurrency=side_by_side,
        batch_size=settings.consume_messages,
        linger_seconds=_LINGER_SECONDS,
    )
    return Consumer(settings.amqp_url.get_secret_value(), ANALYTICS_EVENTS, handler, pace)
