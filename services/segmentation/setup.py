"""The composition root of the segmentation service."""

from contextlib import AsyncExitStack

from libs.bus.consumer import Consumer
from libs.bus.publisher import open_publisher
from libs.bus.topology import EVENTS, SEGMENTATION_IMPORTS, deletion_queue
from libs.chassis.client import open_channel
from libs.chassis.run import Parts
from libs.chassis.server import Service
from libs.chassis.tags import tags_service
from libs.clock import Clock, SystemClock
from libs.mongo.client import open_database
from libs.mongo.indexes import ensure_indexes
from libs.mongo.paging import Pager
from services.segmentation.clients.audience import AudienceClient
from services.segmentation.clients.events import EventPublisher
from services.segmentation.clients.zones import ZonesClient
from services.segmentation.config import Settings
from services.segmentation.consumer import DeletionConsumer, ImportConsumer
from services.segmentation.servicer.registration import SERVICE, register
from services.segmentation.servicer.segmentation import SegmentationServicer
from services.segmentation.store.segments import INDEXES, SegmentStore, tags
from services.segmentation.usecases import Compiler


async def setup(settings: Settings, stack: AsyncExitStack, clock: Clock | None = None) -> Parts:
    """Open what the service needs and put it together."""
    clock = clock or SystemClock()
    database = await open_database(settings, "segmentation", stack)
    await ensure_indexes(database, INDEXES)
    store = SegmentStore(database)
    url = settings.amqp_url.get_secret_value()
    events = EventPublisher(await open_publisher(url, EVENTS, "segmentation", stack))
    audience = AudienceClient(open_channel(settings, settings.endpoints_addr, stack))
    compiler = Compiler(store, _zones(settings, stack))
    pager = Pager(settings.page_key())
    servicer = SegmentationServicer(store, compiler, audience, events, pager, clock)
    imports, deletions = ImportConsumer(store, clock), DeletionConsumer(store)
    return Parts(
        services=[Service(SERVICE, register, servicer), tags_service(tags(database))],
        background=[
            Consumer(url, SEGMENTATION_IMPORTS, imports.handle).run,
            Consumer(url, deletion_queue("segmentation"), deletions.handle).run,
        ],
    )


def _zones(settings: Settings, stack: AsyncExitStack) -> ZonesClient:
    if not settings.applications_addr:
        return ZonesClient(None)
    return ZonesClient(open_channel(settings, settings.applications_addr, stack))
