"""The composition root of the templates service."""

from contextlib import AsyncExitStack

from touchpoint.templates.v1 import templates_service_pb2_grpc as rpc

from libs.chassis.run import Parts
from libs.chassis.server import Service
from libs.chassis.tags import tags_service
from libs.clock import SystemClock
from libs.mongo.client import open_database
from libs.mongo.indexes import ensure_indexes
from libs.mongo.paging import Pager
from services.templates.config import Settings
from services.templates.servicer.templates import TemplatesServicer
from services.templates.store import INDEXES, TemplateStore, tags


async def setup(settings: Settings, stack: AsyncExitStack) -> Parts:
    """Open what the service needs and put it together."""
    database = await open_database(settings, "templates", stack)
    await ensure_indexes(database, INDEXES)
    servicer = TemplatesServicer(
        settings, TemplateStore(database), Pager(settings.page_key()), SystemClock()
    )
    name = "touchpoint.templates.v1.TemplatesService"
    service = Service(name, rpc.add_TemplatesServiceServicer_to_server, servicer)
    return Parts(services=[service, tags_service(tags(database))])
