"""The queue's end: a delivery is a batch, acknowledged when every message of it has an outcome."""

from collections.abc import Sequence

from touchpoint.messaging.v1 import message_pb2

from libs.bus.consumer import Delivery
from libs.chassis import context
from services.messaging.consumer.run import BatchRun
from services.messaging.consumer.tools import Tools


class BatchHandler:
    """Handles the batches of one lane; the transactional lane is the urgent one."""

    def __init__(self, tools: Tools, *, urgent: bool) -> None:
        self._tools = tools
        self._urgent = urgent

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            await self._one(delivery)

    async def _one(self, delivery: Delivery) -> None:
        batch = message_pb2.SendBatch.FromString(delivery.body)
        begun, key = self._tools.begun, delivery.message_id or batch.batch_id
        # A batch that failed half-way in this process comes again without the broker's mark.
        repeated = delivery.redelivered or key in begun
        begun.add(key)
        with context.call(delivery.request_id, batch.origin.application_id):
            run = BatchRun(self._tools, batch, urgent=self._urgent)
            await run.run(repeated=repeated)
        begun.discard(key)
