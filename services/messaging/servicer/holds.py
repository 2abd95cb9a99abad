"""`touchpoint.messaging.v1.HoldsService`: the kill switch."""

from typing import Any, TypeAlias

from grpc import aio
from touchpoint.messaging.v1 import holds_service_pb2 as pb

from libs.clock import Clock
from libs.errors import ResourceNotFound, Violations
from libs.timestamps import to_timestamp
from services.messaging.domain.channels import DIRECT_CHANNELS
from services.messaging.domain.families import CUSTOM
from services.messaging.domain.holds import LONGEST_REASON, Hold, Scope
from services.messaging.servicer.names import CHANNELS
from services.messaging.store.holds import HoldStore

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"


class HoldsServicer:
    """Holds and releases."""

    def __init__(self, holds: HoldStore, clock: Clock) -> None:
        self._holds = holds
        self._clock = clock

    async def HoldSending(
        self, request: pb.HoldSendingRequest, _: Context
    ) -> pb.HoldSendingResponse:
        found = _check(request)
        fine = len(request.reason) <= LONGEST_REASON
        found.check(fine, "reason", f"is longer than {LONGEST_REASON} characters")
        found.raise_if_any()
        made = await self._holds.hold(
            request.application_id, _scope(request.scope), request.reason, self._clock.now()
        )
        return pb.HoldSendingResponse(hold=_hold(made))

    async def ReleaseSending(
        self, request: pb.ReleaseSendingRequest, _: Context
    ) -> pb.ReleaseSendingResponse:
        _check(request).raise_if_any()
        scope = _scope(request.scope)
        gone = await self._holds.release(request.application_id, scope, self._clock.now())
        if gone is None:
            raise ResourceNotFound("hold", scope.key)
        return pb.ReleaseSendingResponse(hold=_hold(gone))

    async def ListHolds(self, request: pb.ListHoldsRequest, _: Context) -> pb.ListHoldsResponse:
        found = Violations()
        found.check(request.application_id, "application_id", "is needed")
        found.raise_if_any()
        holds = await self._holds.of(request.application_id)
        return pb.ListHoldsResponse(holds=[_hold(one) for one in holds])


def _check(request: pb.HoldSendingRequest | pb.ReleaseSendingRequest) -> Violations:
    found, scope = Violations(), request.scope
    found.check(request.application_id, "application_id", "is needed")
    channel = CHANNELS.name(scope.channel_type)
    fine = not scope.channel_type or channel in {*DIRECT_CHANNELS, CUSTOM}
    found.check(fine, "scope.channel_type", "is no channel that sends")
    both = scope.channel_type and scope.campaign_id
    found.check(not both, "scope.campaign_id", "is not to be given together with a channel")
    return found


def _scope(scope: pb.HoldScope) -> Scope:
    return Scope(CHANNELS.name(scope.channel_type), scope.campaign_id)


def _hold(hold: Hold) -> pb.Hold:
    scope = hold.scope
    channel = CHANNELS.number(scope.channel_type)
    return pb.Hold(
        scope=pb.HoldScope(channel_type=channel, campaign_id=scope.campaign_id),
        reason=hold.reason,
        hold_time=to_timestamp(hold.hold_time),
    )
