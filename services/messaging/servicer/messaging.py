"""Direct sends, the ledger as people read it, and what becomes of UNKNOWN messages."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from grpc import aio
from touchpoint.messaging.v1 import message_pb2
from touchpoint.messaging.v1 import messaging_service_pb2 as pb

from libs.clock import Clock
from libs.errors import ResourceNotFound, Violations
from libs.ids import new_id
from libs.timestamps import to_timestamp
from services.messaging.domain.ledger import Row
from services.messaging.servicer import direct_requests
from services.messaging.servicer.direct import DirectSends
from services.messaging.servicer.names import CHANNELS, REASONS, STATES
from services.messaging.servicer.pages import LedgerPages, check_page
from services.messaging.store.ledger import MessageQuery
from services.messaging.store.requests import RequestStore
from services.messaging.usecases.dispatching import Stores
from services.messaging.usecases.resolving import Resolution

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"
MOST_IDS: Final = 1000


class MessagingServicer:
    """`touchpoint.messaging.v1.MessagingService`."""

    def __init__(
        self,
        sends: DirectSends,
        stores: Stores,
        resolution: Resolution,
        requests: RequestStore,
        pages: LedgerPages,
        clock: Clock,
    ) -> None:
        self._sends = sends
        self._ledger = stores.ledger
        self._resolution = resolution
        self._requests = requests
        self._pages = pages
        self._clock = clock

    async def SendMessages(
        self, request: pb.SendMessagesRequest, _: Context
    ) -> pb.SendMessagesResponse:
        direct_requests.check(request)
        return pb.SendMessagesResponse.FromString(
            await self._once(request, lambda key: self._sends.to_addresses(request, key))
        )

    async def SendUsersMessages(
        self, request: pb.SendUsersMessagesRequest, _: Context
    ) -> pb.SendUsersMessagesResponse:
        direct_requests.check(request)
        return pb.SendUsersMessagesResponse.FromString(
            await self._once(request, lambda key: self._sends.to_users(request, key))
        )

    async def _once(
        self,
        request: direct_requests.SendRequest,
        send: Callable[[str], Awaitable[pb.SendMessagesResponse | pb.SendUsersMessagesResponse]],
    ) -> bytes:
        """The serialized answer: the one given before to this request id, or a new one."""
        app_id, key = request.application_id, request.request_id
        if not key or request.validate_only:
            return (await send(key or new_id())).SerializeToString()
        kind = type(request).__name__
        told = await self._requests.answer(app_id, f"{kind}/{key}")
        if told is not None:
            return told
        answer = (await send(key)).SerializeToString()
        return await self._requests.keep(app_id, f"{kind}/{key}", answer, self._clock.now())

    async def GetMessage(self, request: pb.GetMessageRequest, _: Context) -> pb.GetMessageResponse:
        found = Violations()
        found.check(request.application_id, "application_id", "is needed")
        found.check(request.message_id, "message_id", "is needed")
        found.raise_if_any()
        row = await self._ledger.get(request.application_id, request.message_id)
        if row is None:
            raise ResourceNotFound("message", request.message_id)
        return pb.GetMessageResponse(message=message(row))

    async def ListMessages(
        self, request: pb.ListMessagesRequest, _: Context
    ) -> pb.ListMessagesResponse:
        _check_list(request)
        query = await self._query(request)
        rows, token = await self._pages.page(
            request, (request.page_size, request.page_token), query
        )
        return pb.ListMessagesResponse(
            messages=[message(row) for row in rows], next_page_token=token
        )

    async def _query(self, request: pb.ListMessagesRequest) -> MessageQuery:
        app_id, campaign_id = request.application_id, request.campaign_id
        return MessageQuery(
            request.application_id,
            await self._pages.dispatch_ids(app_id, request.dispatch_id, campaign_id),
            request.endpoint_id,
            STATES.name(request.state),
            REASONS.name(request.reason),
        )

    async def ResolveUnknownMessages(
        self, request: pb.ResolveUnknownMessagesRequest, _: Context
    ) -> pb.ResolveUnknownMessagesResponse:
        _check_resolve(request)
        resolution, kinds = self._resolution, pb.ResolveUnknownMessagesRequest
        resolve = {
            kinds.ACTION_RESEND: resolution.resend,
            kinds.ACTION_WRITE_OFF: resolution.write_off,
            kinds.ACTION_MARK_SENT: resolution.mark_sent,
        }[request.action]
        count = await resolve(request.application_id, request.dispatch_id, request.message_ids)
        return pb.ResolveUnknownMessagesResponse(
            resolved_count=count, resolve_time=to_timestamp(self._clock.now())
        )


def _check_list(request: pb.ListMessagesRequest) -> None:
    found = Violations()
    found.check(request.application_id, "application_id", "is needed")
    narrow = request.dispatch_id or request.campaign_id or request.endpoint_id
    found.check(narrow, "dispatch_id", "or campaign_id or endpoint_id is needed")
    known = not request.state or STATES.name(request.state)
    found.check(known, "state", "is not a state")
    known = not request.reason or REASONS.name(request.reason)
    found.check(known, "reason", "is not a reason")
    check_page(found, request.page_size)
    found.raise_if_any()


def _check_resolve(request: pb.ResolveUnknownMessagesRequest) -> None:
    found = Violations()
    found.check(request.application_id, "application_id", "is needed")
    found.check(request.dispatch_id, "dispatch_id", "is needed")
    actions = pb.ResolveUnknownMessagesRequest.Action.values()
    fine = request.action and request.action in actions
    found.check(fine, "action", "must be RESEND, WRITE_OFF or MARK_SENT")
    fine = len(request.message_ids) <= MOST_IDS
    found.check(fine, "message_ids", f"must be at most {MOST_IDS}")
    found.raise_if_any()


def message(row: Row) -> message_pb2.Message:
    """A row of the ledger as callers see it."""
    return message_pb2.Message(
        message_id=row.message_id,
        origin=message_pb2.Origin(
            application_id=row.origin.app_id,
            campaign_id=row.origin.campaign_id,
            activity_id=row.origin.activity_id,
            request_id=row.origin.request_id,
        ),
        dispatch_id=row.dispatch_id,
        channel_type=CHANNELS.number(row.channel_type),
        endpoint_id=row.endpoint_id,
        address=row.address,
        treatment_id=row.treatment_id,
        state=STATES.number(row.state.value),
        reason=REASONS.number(row.reason.value),
        detail=row.detail,
        attempt_count=row.attempts,
        part_count=row.parts,
        provider_message_id=row.provider_ids[0] if row.provider_ids else "",
        create_time=to_timestamp(row.create_time),
        update_time=to_timestamp(row.update_time),
        due_time=to_timestamp(row.due_time),
    )
