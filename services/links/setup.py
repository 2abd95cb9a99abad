"""Puts the links service together."""

import asyncio
from contextlib import AsyncExitStack

from starlette.applications import Starlette

from libs.bus.publisher import open_publisher
from libs.bus.topology import ANALYTICS_EVENTS, ENDPOINTS_ACTIVITY, EVENTS
from libs.chassis.client import open_channel
from libs.chassis.http import listening, serving
from libs.chassis.listen import split_address
from libs.chassis.logging import get_logger
from libs.chassis.run import Background, Parts
from libs.clock import SystemClock
from libs.signing import Signer
from services.links.clients import Callbacks, HitsPublisher, OptOuts
from services.links.config import Settings
from services.links.http.application import Pages, application
from services.links.http.callbacks import CallbackRoute
from services.links.usecases import HitRecorder


async def setup(settings: Settings, stack: AsyncExitStack) -> Parts:
    """Open the service for `libs.chassis.run`; it has no gRPC services but health."""
    publisher = await open_publisher(
        settings.amqp_url.get_secret_value(),
        EVENTS,
        "links",
        stack,
        # Kept for their consumers, should these start later.
        [ANALYTICS_EVENTS, ENDPOINTS_ACTIVITY],
    )
    hits = HitsPublisher(publisher)
    recorder = HitRecorder(hits.publish, settings.waiting_hits)
    messaging = open_channel(settings, settings.messaging_addr, stack)
    opt_outs = OptOuts(open_channel(settings, settings.endpoints_addr, stack), messaging)
    signer = Signer(settings.link_signing_key.get_secret_value().encode(), "links")
    pages = Pages(signer, recorder, opt_outs.opt_out, hits.publish, SystemClock())
    callbacks = CallbackRoute(settings.links_url, Callbacks(messaging).take)
    served = application(pages, callbacks)
    return Parts(background=(_http(settings, served, recorder, stack),))


def _http(
    settings: Settings, served: Starlette, recorder: HitRecorder, stack: AsyncExitStack
) -> Background:
    listener = listening(*split_address(settings.http_listen))
    stack.callback(listener.close)
    get_logger().info("pages_opened", port=listener.getsockname()[1])

    async def run(stopping: asyncio.Event) -> None:
        # The recorder ends after the pages, so that the last visits are published too.
        closed = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(recorder.run(closed))
            async with serving(served, listener):
                await stopping.wait()
            closed.set()

    return run
