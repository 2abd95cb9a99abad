"""Messaging: registers a run as a dispatch, feeds and controls it, asks how it stands."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import audience_service_pb2 as audience_pb
from touchpoint.messaging.v1 import dispatch_service_pb2 as pb
from touchpoint.messaging.v1 import dispatch_service_pb2_grpc as rpc
from touchpoint.messaging.v1 import message_pb2

from libs.timestamps import to_timestamp
from services.campaigns.clients.audience import Batch
from services.campaigns.domain.activity import Activity
from services.campaigns.domain.audience import METRICS, Member, Plan, decide

_CHANNEL_NAMES = {
    value.number: value.name.removeprefix("CHANNEL_TYPE_")
    for value in channel_pb2.ChannelType.DESCRIPTOR.values
}
_REASONS = {
    reason: message_pb2.MessageReason.Value(f"MESSAGE_REASON_{reason}") for reason in METRICS
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How the messages of a run stand: counts by state and by reason, what is open, time left."""

    by_state: Mapping[str, int]
    by_reason: Mapping[str, int]
    open_count: int
    seconds_left: int


@dataclass(frozen=True, slots=True)
class Registration:
    """How a run is to be sent."""

    message_type: str
    messages_per_second: int
    contents: Sequence[pb.DispatchContent]

    @property
    def channels(self) -> frozenset[str]:
        """The channels that something is said on; a template may not speak on all it could."""
        return frozenset(_CHANNEL_NAMES[one.channel_type] for one in self.contents)


@dataclass(frozen=True, slots=True)
class Trial:
    """A test send: what is said, and to whom by channel."""

    dispatch_id: str
    treatment_id: str
    message_type: str
    expire_time: datetime
    contents: Sequence[pb.DispatchContent]
    members: Mapping[str, Sequence[audience_pb.AudienceMember]]


class DispatchClient:
    """Calls DispatchService. Every call may be repeated."""

    def __init__(self, channel: aio.Channel) -> None:
        self._stub = rpc.DispatchServiceStub(channel)

    async def create(self, activity: Activity, registration: Registration) -> list[str]:
        """Register the run; returns the names of its channels that are switched off."""
        answer = await self._stub.CreateDispatch(
            pb.CreateDispatchRequest(
                application_id=activity.application_id,
                dispatch_id=activity.activity_id,
                origin=message_pb2.Origin(
                    application_id=activity.application_id,
                    campaign_id=activity.campaign_id,
                    activity_id=activity.activity_id,
                ),
                message_type=channel_pb2.MessageType.Value(
                    f"MESSAGE_TYPE_{registration.message_type}"
                ),
                messages_per_second=registration.messages_per_second,
                expire_time=to_timestamp(activity.expire_time),
                contents=registration.contents,
            )
        )
        return [_CHANNEL_NAMES[channel] for channel in answer.disabled_channels]

    async def test(self, app_id: str, trial: Trial) -> list[str]:
        """Send a test; returns the names of its channels that are switched off."""
        answer = await self._stub.CreateDispatch(
            pb.CreateDispatchRequest(
                application_id=app_id,
                dispatch_id=trial.dispatch_id,
                # No campaign: its figures are of what its audience got.
                origin=message_pb2.Origin(application_id=app_id, request_id=trial.dispatch_id),
                message_type=channel_pb2.MessageType.Value(f"MESSAGE_TYPE_{trial.message_type}"),
                expire_time=to_timestamp(trial.expire_time),
                contents=trial.contents,
            )
        )
        await self._stub.SubmitRecipients(
            pb.SubmitRecipientsRequest(
                application_id=app_id,
                dispatch_id=trial.dispatch_id,
                groups=[
                    pb.RecipientGroup(
                        treatment_id=trial.treatment_id,
                        channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{channel}"),
                        recipients=[_recipient(member) for member in members],
                    )
                    for channel, members in trial.members.items()
                ],
            )
        )
        return [_CHANNEL_NAMES[channel] for channel in answer.disabled_channels]

    async def submit(
        self, activity: Activity, plan: Plan, batch: Batch, now: datetime
    ) -> Counter[str]:
        """Decide for each member and hand the batch to the gateway; returns the run's counters."""
        request, counters = _request(activity, plan, batch.wire.members, now)
        answer = await self._stub.SubmitRecipients(request)
        counters["DUPLICATE_ENDPOINT"] += answer.duplicate_count
        return counters

    async def progress(self, app_id: str, activity_id: str) -> Progress:
        """How the run's messages stand."""
        answer = await self._stub.GetDispatch(
            pb.GetDispatchRequest(application_id=app_id, dispatch_id=activity_id)
        )
        by_state: Counter[str] = Counter()
        by_reason: Counter[str] = Counter()
        for row in answer.counts:
            state = message_pb2.MessageState.Name(row.state)
            by_state[state.removeprefix("MESSAGE_STATE_")] += row.count
            if row.reason:
                reason = message_pb2.MessageReason.Name(row.reason)
                by_reason[reason.removeprefix("MESSAGE_REASON_")] += row.count
        return Progress(by_state, by_reason, answer.open_count, answer.seconds_left)

    async def control(self, activity: Activity) -> None:
        """Tell the gateway what the run may do."""
        await self._stub.ControlDispatch(
            pb.ControlDispatchRequest(
                application_id=activity.application_id,
                dispatch_id=activity.activity_id,
                control=pb.DispatchControl.Value(f"DISPATCH_CONTROL_{activity.control}"),
            )
        )


def _request(
    activity: Activity, plan: Plan, members: Sequence[audience_pb.AudienceMember], now: datetime
) -> tuple[pb.SubmitRecipientsRequest, Counter[str]]:
    groups: dict[tuple[str, str], list[message_pb2.SendRecipient]] = {}
    skipped: list[pb.SkippedRecipient] = []
    counters: Counter[str] = Counter(ENDPOINT_PRODUCED=len(members))
    for member in members:
        known = _member(member)
        treatment_id, reason = decide(known, plan, now)
        if reason:
            counters[METRICS[reason]] += 1
            skipped.append(_skipped(member, treatment_id, reason))
        else:
            channel = plan.routes[treatment_id][known.channel]
            groups.setdefault((treatment_id, channel), []).append(_recipient(member))
    request = pb.SubmitRecipientsRequest(
        application_id=activity.application_id,
        dispatch_id=activity.activity_id,
        groups=[
            pb.RecipientGroup(
                treatment_id=treatment_id,
                channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{channel}"),
                recipients=recipients,
            )
            for (treatment_id, channel), recipients in groups.items()
        ],
        skipped=skipped,
    )
    return request, counters


def _member(member: audience_pb.AudienceMember) -> Member:
    return Member(
        _CHANNEL_NAMES.get(member.channel_type, ""),
        bool(member.address),
        member.cohort,
        member.timezone,
        member.opted_out,
        member.inactive,
    )


def _recipient(member: audience_pb.AudienceMember) -> message_pb2.SendRecipient:
    return message_pb2.SendRecipient(
        endpoint_id=member.endpoint_id,
        address=member.address,
        user_id=member.user_id,
        endpoint=member.endpoint,
    )


def _skipped(
    member: audience_pb.AudienceMember, treatment_id: str, reason: str
) -> pb.SkippedRecipient:
    return pb.SkippedRecipient(
        endpoint_id=member.endpoint_id,
        channel_type=member.channel_type,
        address=member.address,
        treatment_id=treatment_id,
        reason=_REASONS[reason],
    )
