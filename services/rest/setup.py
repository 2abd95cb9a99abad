"""Puts the REST edge together."""

import asyncio
from contextlib import AsyncExitStack

from libs.chassis.client import open_channel
from libs.chassis.http import listening, serving
from libs.chassis.listen import split_address
from libs.chassis.logging import get_logger
from libs.chassis.run import Background, Parts
from libs.clock import SystemClock
from services.rest.clients import Keys, Services
from services.rest.config import Settings
from services.rest.domain.model import load_model
from services.rest.domain.operations import OPERATIONS
from services.rest.http.application import Edge, application
from services.rest.http.door import Door
from services.rest.usecases.calls import Calls
from services.rest.usecases.ways import WAYS


async def setup(settings: Settings, stack: AsyncExitStack) -> Parts:
    """Open the service for `libs.chassis.run`; it has no gRPC services but health."""
    addresses = {
        "applications": settings.applications_addr,
        "endpoints": settings.endpoints_addr,
        "segmentation": settings.segmentation_addr,
        "templates": settings.templates_addr,
        "campaigns": settings.campaigns_addr,
        "messaging": settings.messaging_addr,
        "analytics": settings.analytics_addr,
    }
    channels = {name: open_channel(settings, address, stack) for name, address in addresses.items()}
    door = Door(Keys(channels["applications"]), SystemClock())
    calls = Calls(Services(channels), OPERATIONS, WAYS)
    edge = Edge(load_model(), door, calls, settings.most_body_bytes)
    return Parts(background=(_http(settings, edge, stack),))


def _http(settings: Settings, edge: Edge, stack: AsyncExitStack) -> Background:
    listener = listening(*split_address(settings.http_listen))
    stack.callback(listener.close)
    get_logger().info("rest_opened", port=listener.getsockname()[1])

    async def run(stopping: asyncio.Event) -> None:
        async with serving(application(edge), listener):
            await stopping.wait()

    return run
