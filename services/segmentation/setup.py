"""The composition root of the segmentation service."""

from contextlib import AsyncExitStack

from touchpoint.segmentation.v1 import export_service_pb2_grpc as export_rpc

from libs.bus.consumer import Consumer
from libs.bus.publisher import open_publisher
from libs.bus.topology import EVENTS, SEGMENTATION_IMPORTS, deletion_queue
from libs.chassis.client import open_channel
from libs.chassis.objects import object_store_of
from libs.chassis.run import Parts
from libs.chassis.server import Service
from libs.chassis.tags import tags_service
from libs.clock import Clock, SystemClock
from libs.mongo.client import open_database
from libs.mongo.indexes import ensure_indexes
from libs.mongo.paging import Pager
from services.segmentation.clients.audience import AudienceClient
from services.segmentation.clients.events import EventPublisher
from services.segmentation.clients.exporting import Exporting
from services.segmentation.clients.zones import ZonesClient
from services.segmentation.config import Settings
from services.segmentation.consumer import DeletionConsumer, ImportConsumer
from services.segmentation.scheduler import ExportLoop
from services.segmentation.servicer.exports import ExportServicer
from services.segmentation.servicer.registration import SERVICE, register
from services.segmentation.servicer.segmentation import SegmentationServicer
from services.segmentation.store.exports import EXPORT_INDEXES, ExportStore
from services.segmentation.store.segments import INDEXES, SegmentStore, tags
from services.segmentation.usecases.compiler import Compiler
from services.segmentation.usecases.exports import Exports


async def setup(settings: Settings, stack: AsyncExitStack, clock: Clock | None = None) -> Parts:
    """Open what the service needs and put it together."""
    clock = clock or SystemClock()
    database = await open_database(settings, "segmentation", stack)
    await ensure_indexes(database, {**INDEXES, **EXPORT_INDEXES})
    store = SegmentStore(database)
    url = settings.amqp_url.get_secret_value()
    events = EventPublisher(await open_publisher(url, EVENTS, "segmentation", stack))
    audience = AudienceClient(open_channel(settings, settings.endpoints_addr, stack))
    compiler = Compiler(store, _zones(settings, stack))
    pager = Pager(settings.page_key())
    servicer = SegmentationServicer(store, compiler, audience, events, pager, clock)
    jobs = ExportStore(database, settings.export_lease_seconds)
    exporting = Exporting(audience, object_store_of(settings))
    most = (settings.export_most_running, settings.export_piece_members)
    exports = Exports(jobs, compiler, exporting, clock, most)
    imports, deletions = ImportConsumer(store, clock), DeletionConsumer(store, jobs)
    return Parts(
        services=[
            Service(SERVICE, register, servicer),
            Service(
                "touchpoint.segmentation.v1.ExportService",
                export_rpc.add_ExportServiceServicer_to_server,
                ExportServicer(jobs, exports, pager, clock),
            ),
            tags_service(tags(database)),
        ],
        background=[
            ExportLoop(exports).run,
            Consumer(url, SEGMENTATION_IMPORTS, imports.handle).run,
            Consumer(url, deletion_queue("segmentation"), deletions.handle).run,
        ],
    )


def _zones(settings: Settings, stack: AsyncExitStack) -> ZonesClient:
    if not settings.applications_addr:
        return ZonesClient(None)
    return ZonesClient(open_channel(settings, settings.applications_addr, stack))
