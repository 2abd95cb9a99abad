"""The gateway hears of deleted applications and deletes what it holds of them."""

from collections.abc import Sequence

from touchpoint.applications.v1 import events_pb2

from libs.bus.consumer import Delivery
from services.messaging.store.erasure import ErasureStore


class DeletionConsumer:
    """Handles `applications.deleted`."""

    def __init__(self, erasure: ErasureStore) -> None:
        self._erasure = erasure

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Delete what is held of each application; a repeat does no harm."""
        for delivery in deliveries:
            event = events_pb2.ApplicationDeleted.FromString(delivery.body)
            if event.application_id:
                await self._erasure.forget(event.application_id)
