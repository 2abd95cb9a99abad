"""The way in for campaigns: dispatches, their recipients, their controls, opt-outs."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from grpc import aio
from touchpoint.messaging.v1 import dispatch_service_pb2 as pb
from touchpoint.messaging.v1 import message_pb2

from libs.clock import Clock
from libs.errors import ResourceExists, ResourceNotFound, StateConflict, Violations
from libs.smpp.gsm import count_parts
from libs.timestamps import from_timestamp
from services.messaging.clients.outbox import Cuts, Frame, content_id
from services.messaging.domain.dispatch import ContentRef, Control, Dispatch, may_follow
from services.messaging.domain.families import CUSTOM, PUSH_TYPES
from services.messaging.domain.ledger import Origin, Reason
from services.messaging.domain.recipients import EMAIL, SMS
from services.messaging.servicer.names import CHANNELS, CONTROLS, MESSAGE_TYPES, REASONS, STATES
from services.messaging.store.suppressions import SuppressionStore
from services.messaging.usecases.dispatching import Dispatching
from services.messaging.usecases.submission import Refused

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"
MOST_RECIPIENTS: Final = 1000
_MOST_RATE: Final = 20_000
# The kind of content that a channel takes.
_KINDS: Final = {EMAIL: "email", SMS: "sms", CUSTOM: "custom", **dict.fromkeys(PUSH_TYPES, "push")}


class DispatchServicer:
    """`touchpoint.messaging.v1.DispatchService`."""

    def __init__(
        self, dispatching: Dispatching, suppressions: SuppressionStore, clock: Clock
    ) -> None:
        self._dispatching = dispatching
        self._suppressions = suppressions
        self._clock = clock

    async def CreateDispatch(
        self, request: pb.CreateDispatchRequest, _: Context
    ) -> pb.CreateDispatchResponse:
        _check_create(request)
        bodies = [one.content.SerializeToString(deterministic=True) for one in request.contents]
        refs = [
            _content_ref(request.application_id, one, body)
            for one, body in zip(request.contents, bodies, strict=True)
        ]
        dispatch = Dispatch(
            request.dispatch_id,
            Origin(
                request.application_id,
                request.origin.campaign_id,
                request.origin.activity_id,
                request.origin.request_id,
            ),
            MESSAGE_TYPES.name(request.message_type) or "PROMOTIONAL",
            request.messages_per_second,
            from_timestamp(request.expire_time, "expire_time"),
            tuple(refs),
        )
        kept = {ref.content_id: body for ref, body in zip(refs, bodies, strict=True)}
        created = await self._dispatching.create(dispatch, kept, self._clock.now())
        if created.origin.app_id != request.application_id:
            raise ResourceExists("dispatch", request.dispatch_id)
        off = await self._dispatching.disabled_channels(created)
        return pb.CreateDispatchResponse(
            disabled_channels=[CHANNELS.number(channel) for channel in off]
        )

    async def SubmitRecipients(
        self, request: pb.SubmitRecipientsRequest, _: Context
    ) -> pb.SubmitRecipientsResponse:
        _check_submit(request)
        dispatch = await self._dispatch(request.application_id, request.dispatch_id)
        now = self._clock.now()
        cuts, refused = Cuts(), list(_refused(dispatch, request.skipped))
        for group in request.groups:
            frame = _frame(dispatch, group.treatment_id, CHANNELS.name(group.channel_type))
            if frame.content_id:
                cuts.add(frame, group.recipients, now)
            else:
                refused += [
                    Refused(frame, one.endpoint_id, one.address, Reason.CHANNEL_MISMATCH)
                    for one in group.recipients
                ]
        done = await self._dispatching.submit(cuts, refused, now)
        channels = {CHANNELS.name(group.channel_type) for group in request.groups}
        return pb.SubmitRecipientsResponse(
            queued_count=done.queued_count,
            repeated_count=done.repeated_count,
            duplicate_count=done.duplicate_count,
            queue_depth=await self._dispatching.depth(channels, dispatch.message_type),
        )

    async def GetDispatch(
        self, request: pb.GetDispatchRequest, _: Context
    ) -> pb.GetDispatchResponse:
        _check_ids(request).raise_if_any()
        dispatch = await self._dispatch(request.application_id, request.dispatch_id)
        standing = await self._dispatching.standing(dispatch)
        return pb.GetDispatchResponse(
            counts=[
                pb.MessageCount(
                    state=STATES.number(one.state.value),
                    reason=REASONS.number(one.reason.value),
                    channel_type=CHANNELS.number(one.channel_type),
                    treatment_id=one.treatment_id,
                    count=one.count,
                )
                for one in standing.counts
            ],
            open_count=standing.open_count,
            seconds_left=standing.seconds_left,
            control=CONTROLS.number(dispatch.control.value),
        )

    async def ControlDispatch(
        self, request: pb.ControlDispatchRequest, _: Context
    ) -> pb.ControlDispatchResponse:
        found = _check_ids(request)
        name = CONTROLS.name(request.control)
        found.check(name, "control", "must be RELEASE, HOLD or CANCEL")
        found.raise_if_any()
        control = Control(name)
        dispatch = await self._dispatch(request.application_id, request.dispatch_id)
        if not may_follow(dispatch.control, control):
            raise StateConflict("dispatch", dispatch.control, "a cancelled dispatch stays so")
        await self._dispatching.control(dispatch, control, self._clock.now())
        return pb.ControlDispatchResponse()

    async def RecordOptOuts(
        self, request: pb.RecordOptOutsRequest, _: Context
    ) -> pb.RecordOptOutsResponse:
        found = Violations()
        found.check(request.application_id, "application_id", "is needed")
        out, back = request.opted_out_endpoint_ids, request.opted_in_endpoint_ids
        for name, ids in (("opted_out_endpoint_ids", out), ("opted_in_endpoint_ids", back)):
            found.check(len(ids) <= MOST_RECIPIENTS, name, f"must be at most {MOST_RECIPIENTS}")
            found.check(all(ids), name, "has an empty id")
        both = {one.lower() for one in out} & {one.lower() for one in back}
        found.check(not both, "opted_in_endpoint_ids", "names an endpoint that opts out too")
        found.raise_if_any()
        await self._suppressions.record(request.application_id, out, back)
        return pb.RecordOptOutsResponse()

    async def _dispatch(self, app_id: str, dispatch_id: str) -> Dispatch:
        dispatch = await self._dispatching.get(dispatch_id)
        if dispatch is None or dispatch.origin.app_id != app_id:
            raise ResourceNotFound("dispatch", dispatch_id)
        return dispatch


def _check_ids(
    request: pb.GetDispatchRequest
    | pb.ControlDispatchRequest
    | pb.SubmitRecipientsRequest
    | pb.CreateDispatchRequest,
) -> Violations:
    found = Violations()
    found.check(request.application_id, "application_id", "is needed")
    found.check(request.dispatch_id, "dispatch_id", "is needed")
    return found


def _check_create(request: pb.CreateDispatchRequest) -> None:
    found = _check_ids(request)
    own = request.origin.application_id in {"", request.application_id}
    found.check(own, "origin.application_id", "is another application")
    fine = 0 <= request.messages_per_second <= _MOST_RATE
    found.check(fine, "messages_per_second", f"must be 0 to {_MOST_RATE}")
    found.check(request.contents, "contents", "is needed")
    seen: set[tuple[str, int]] = set()
    for place, one in enumerate(request.contents):
        where = f"contents[{place}]"
        channel, kind = CHANNELS.name(one.channel_type), one.content.WhichOneof("content")
        takes = _KINDS.get(channel, "")
        found.check(takes, f"{where}.channel_type", "must be EMAIL, SMS, CUSTOM or a push channel")
        found.check(kind == takes, f"{where}.content", "must be the channel's")
        key = (one.treatment_id, one.channel_type)
        found.check(key not in seen, f"{where}.treatment_id", "has content for the channel before")
        seen.add(key)
    found.raise_if_any()


def _check_submit(request: pb.SubmitRecipientsRequest) -> None:
    found = _check_ids(request)
    count = sum(len(group.recipients) for group in request.groups) + len(request.skipped)
    found.check(count <= MOST_RECIPIENTS, "groups", f"must hold at most {MOST_RECIPIENTS}")
    for place, group in enumerate(request.groups):
        fine = CHANNELS.name(group.channel_type)
        found.check(fine, f"groups[{place}].channel_type", "is needed")
    for place, one in enumerate(request.skipped):
        where = f"skipped[{place}]"
        found.check(CHANNELS.name(one.channel_type), f"{where}.channel_type", "is needed")
        found.check(REASONS.name(one.reason), f"{where}.reason", "is needed")
        found.check(one.endpoint_id or one.address, f"{where}.endpoint_id", "is needed")
    found.raise_if_any()


def _content_ref(app_id: str, one: pb.DispatchContent, body: bytes) -> ContentRef:
    content: message_pb2.MessageContent = one.content
    parts = count_parts(content.sms.body).parts if content.HasField("sms") else 1
    channel = CHANNELS.name(one.channel_type)
    return ContentRef(one.treatment_id, channel, content_id(app_id, body), parts)


def _frame(dispatch: Dispatch, treatment_id: str, channel_type: str) -> Frame:
    """The frame of a group; without a content id when the treatment says nothing there."""
    content = dispatch.content_of(treatment_id, channel_type)
    return Frame(
        dispatch.dispatch_id,
        dispatch.origin,
        channel_type,
        dispatch.message_type,
        content.content_id if content else "",
        treatment_id,
        dispatch.expire_time,
        dispatch.messages_per_second,
    )


def _refused(dispatch: Dispatch, skipped: Sequence[pb.SkippedRecipient]) -> Iterable[Refused]:
    for one in skipped:
        frame = _frame(dispatch, one.treatment_id, CHANNELS.name(one.channel_type))
        yield Refused(frame, one.endpoint_id, one.address, Reason(REASONS.name(one.reason)))
