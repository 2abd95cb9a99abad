"""`touchpoint.messaging.v1.LanesService`: weights of applications, and what waits for its turn."""

import asyncio
from typing import Any, TypeAlias

from grpc import aio
from touchpoint.messaging.v1 import lanes_service_pb2 as pb

from libs.chassis import context
from libs.clock import Clock
from libs.errors import ApplicationForbidden, Violations
from services.messaging.domain.batches import PROMOTIONAL, routing_key
from services.messaging.domain.families import MEMBERS
from services.messaging.domain.sharing import MOST_WEIGHT
from services.messaging.servicer.names import CHANNELS
from services.messaging.store.lanes import LaneStore
from services.messaging.store.waiting import WaitingStore

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"


class LanesServicer:
    """Weights, kept and told."""

    def __init__(self, lanes: LaneStore, waiting: WaitingStore, clock: Clock) -> None:
        self._lanes = lanes
        self._waiting = waiting
        self._clock = clock

    async def UpdateSendingWeight(
        self, request: pb.UpdateSendingWeightRequest, _: Context
    ) -> pb.UpdateSendingWeightResponse:
        found = _check(request)
        fine = 1 <= request.weight <= MOST_WEIGHT
        found.check(fine, "weight", f"must be 1 to {MOST_WEIGHT}")
        found.raise_if_any()
        if context.principal().application_ids:
            raise ApplicationForbidden(request.application_id)
        await self._lanes.weigh(request.application_id, request.weight, self._clock.now())
        return pb.UpdateSendingWeightResponse(weight=request.weight)

    async def GetSendingWeight(
        self, request: pb.GetSendingWeightRequest, _: Context
    ) -> pb.GetSendingWeightResponse:
        _check(request).raise_if_any()
        app_id = request.application_id
        first = [members[0] for members in MEMBERS.values()]
        weights = await self._lanes.weights([app_id])
        counts = await asyncio.gather(
            *(self._waiting.count(routing_key(one, PROMOTIONAL), app_id) for one in first)
        )
        return pb.GetSendingWeightResponse(
            weight=weights.get(app_id, 1),
            waiting=[
                pb.WaitingBatches(channel_type=CHANNELS.number(one), batch_count=count)
                for one, count in zip(first, counts, strict=True)
                if count
            ],
        )


def _check(request: pb.UpdateSendingWeightRequest | pb.GetSendingWeightRequest) -> Violations:
    found = Violations()
    found.check(request.application_id, "application_id", "is needed")
    return found
