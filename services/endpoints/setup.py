"""The composition root of the endpoints service."""

import gc
from contextlib import AsyncExitStack

from touchpoint.endpoints.v1 import audience_service_pb2_grpc as audience_rpc
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as endpoints_rpc
from touchpoint.endpoints.v1 import import_service_pb2_grpc as import_rpc

from libs.bus.consumer import Consumer, Pace
from libs.bus.publisher import open_publisher
from libs.bus.topology import ENDPOINTS_ACTIVITY, ENDPOINTS_TOKENS, EVENTS, deletion_queue
from libs.chassis.client import open_channel
from libs.chassis.objects import object_store_of
from libs.chassis.run import Parts
from libs.chassis.server import Service
from libs.clock import SystemClock
from libs.mongo.client import Database, open_database
from libs.mongo.indexes import ensure_clustered, ensure_indexes
from libs.mongo.paging import Pager
from services.endpoints.clients import Consent, EventPublisher, Fetcher
from services.endpoints.config import Settings
from services.endpoints.consumer import ActivityConsumer, DeletionConsumer, TokenConsumer
from services.endpoints.domain.limits import Limits
from services.endpoints.scheduler import ImportLoop, RemovalLoop
from services.endpoints.servicer.audience import AudienceServicer
from services.endpoints.servicer.endpoints import EndpointsServicer
from services.endpoints.servicer.imports import ImportServicer
from services.endpoints.store import endpoints as endpoint_store
from services.endpoints.store import jobs as job_store
from services.endpoints.store import removals as removal_store
from services.endpoints.store.audience import AudienceStore
from services.endpoints.store.endpoints import EndpointStore
from services.endpoints.store.jobs import FileStore, JobStore
from services.endpoints.store.names import NameStore
from services.endpoints.store.removals import RemovalStore
from services.endpoints.usecases.imports import ImportRunner, Stores
from services.endpoints.usecases.removal import Removal
from services.endpoints.usecases.rows import RowWriter
from services.endpoints.usecases.tokens import Tokens
from services.endpoints.usecases.uploads import Uploads
from services.endpoints.usecases.upsert import Upserts


async def setup(settings: Settings, stack: AsyncExitStack) -> Parts:
    """Open what the service needs and put it together."""
    calm_collector()
    database = await _database(settings, stack)
    url, clock = settings.amqp_url.get_secret_value(), SystemClock()
    store, audience = EndpointStore(database), AudienceStore(database)
    limits = limits_of(settings)
    names = NameStore(database, limits.most_names)
    jobs, files = JobStore(database, settings.import_lease_seconds), FileStore(database)
    events = EventPublisher(await open_publisher(url, EVENTS, "endpoints", stack))
    hosts = [host for host in settings.import_allowed_hosts.split(",") if host]
    fetcher = Fetcher(hosts, object_store_of(settings))
    removals = RemovalStore(database, settings.import_lease_seconds)
    upserts = Upserts(store, names, removals, _consent(settings, stack), limits)
    removal = Removal(removals, store, names, upserts)
    most = (settings.import_most_bytes, settings.import_most_running)
    runner = ImportRunner(
        Stores(jobs, files, audience), RowWriter(upserts, store), fetcher, events, clock, most[0]
    )
    loop = ImportLoop(runner)
    uploads = Uploads(jobs, files, fetcher, clock, most)
    importing = ImportServicer(jobs, uploads, Pager(settings.page_key()), loop.wake)
    deletions = DeletionConsumer(store, names, removals, jobs, files)
    activity = ActivityConsumer(store, clock)
    pace = Pace(prefetch=64, batch_size=32)
    return Parts(
        services=_services(
            EndpointsServicer(store, upserts, removal, clock),
            AudienceServicer(audience, store, clock),
            importing,
        ),
        background=[
            loop.run,
            RemovalLoop(removal).run,
            Consumer(url, ENDPOINTS_ACTIVITY, activity.handle, pace).run,
            Consumer(url, ENDPOINTS_TOKENS, TokenConsumer(Tokens(store, upserts)).handle).run,
            Consumer(url, deletion_queue("endpoints"), deletions.handle).run,
        ],
    )


def calm_collector() -> None:
    """Have Python look for cycles less often.

    Batches are thousands of small values without cycles; looking at all of them every 700th time
    took a third of an import.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def limits_of(settings: Settings) -> Limits:
    """The quotas of an installation."""
    return Limits(
        settings.endpoint_most_bytes,
        settings.endpoint_most_names,
        settings.endpoint_longest_name,
        settings.endpoint_longest_value,
        settings.endpoint_most_values,
        settings.endpoint_most_per_user,
    )


async def _database(settings: Settings, stack: AsyncExitStack) -> Database:
    database = await open_database(settings, "endpoints", stack)
    await ensure_clustered(database, endpoint_store.COLLECTION)
    for store in (endpoint_store, job_store, removal_store):
        await ensure_indexes(database, store.INDEXES)
    return database


def _consent(settings: Settings, stack: AsyncExitStack) -> Consent:
    if not settings.messaging_addr:
        return Consent(None)
    return Consent(open_channel(settings, settings.messaging_addr, stack))


def _services(
    endpoints: EndpointsServicer, audience: AudienceServicer, importing: ImportServicer
) -> list[Service]:
    package = "touchpoint.endpoints.v1"
    return [
        Service(
            f"{package}.EndpointsService",
            endpoints_rpc.add_EndpointsServiceServicer_to_server,
            endpoints,
        ),
        Service(
            f"{package}.AudienceService",
            audience_rpc.add_AudienceServiceServicer_to_server,
            audience,
        ),
        Service(
            f"{package}.ImportService",
            import_rpc.add_ImportServiceServicer_to_server,
            importing,
        ),
    ]
