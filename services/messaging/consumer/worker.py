"""A worker's life: two lanes from the queue, links to the providers, until told to stop."""

import asyncio
from collections.abc import Sequence

from libs.bus.consumer import Consumer
from services.messaging.consumer.tools import Tools


class Worker:
    """Consumes while its providers are kept; the providers end after the last window."""

    def __init__(self, tools: Tools, consumers: Sequence[Consumer]) -> None:
        self._tools = tools
        self._consumers = consumers

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then bring what is in hand to an end."""
        # The pacer runs what permits reserve ahead; they all end before it does.
        async with self._tools.pacer, asyncio.TaskGroup() as group:
            providers = [group.create_task(p.run()) for p in self._tools.providers.values()]
            watch = group.create_task(self._watch(stopping))
            await asyncio.gather(*(consumer.run(stopping) for consumer in self._consumers))
            for one in providers:
                one.cancel()
            watch.cancel()

    async def _watch(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._tools.stopping.set()
