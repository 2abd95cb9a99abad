"""EventsService: events in, and stored events out."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from touchpoint.analytics.v1 import analytics_service_pb2 as pb
from touchpoint.analytics.v1 import analytics_service_pb2_grpc as rpc
from touchpoint.analytics.v1.event_pb2 import Event
from touchpoint.endpoints.v1.endpoint_pb2 import Endpoint

from libs.errors import PageTokenInvalid, PayloadTooLarge, Violations
from libs.mongo.paging import Pager, page_size
from libs.timestamps import from_timestamp
from services.analytics.clients import EndpointsClient
from services.analytics.domain import frames, intake
from services.analytics.store.events import EventStore, Listed, Listing
from services.analytics.usecases import GroupCommit

Context = aio.ServicerContext[Any, Any]
_ACCEPTED: Final = 202
_INVALID: Final = 400
_TAKEN: Final = pb.EventItemResponse(status_code=_ACCEPTED, message="Accepted")


class EventsServicer(rpc.EventsServiceServicer):
    """Takes events in and lists them."""

    def __init__(
        self, commit: GroupCommit, endpoints: EndpointsClient, store: EventStore, pager: Pager
    ) -> None:
        self._commit = commit
        self._endpoints = endpoints
        self._store = store
        self._pager = pager

    async def PutEvents(
        self, request: pb.PutEventsRequest, _context: Context
    ) -> pb.PutEventsResponse:
        size = _check_request(request)
        answer = pb.PutEventsResponse()
        await self._update_endpoints(request, answer)
        intaken = _Intake(request.application_id, size > intake.MOST_EVENT_BYTES)
        for endpoint_id, item in request.batch_item.items():
            intaken.take(endpoint_id, item, answer.results[endpoint_id])
        if intaken.accepted:
            await self._commit.publish(request.application_id, frames.joined(intaken.accepted))
        return answer

    async def _update_endpoints(
        self, request: pb.PutEventsRequest, answer: pb.PutEventsResponse
    ) -> None:
        changes = list(_changes(request))
        changed: Mapping[str, tuple[int, str]] = {}
        if changes:
            changed = await self._endpoints.update(request.application_id, changes)
        for endpoint_id in request.batch_item:
            told = answer.results[endpoint_id].endpoint_item_response
            fault = intake.client_fault(endpoint_id)
            default = (_INVALID, fault) if fault else (_ACCEPTED, "Accepted")
            told.status_code, told.message = changed.get(endpoint_id, default)

    async def ListEvents(
        self, request: pb.ListEventsRequest, _context: Context
    ) -> pb.ListEventsResponse:
        size = page_size(request.page_size)
        listing = _listing(request, self._pager)
        found = await self._store.listed(listing, size + 1)
        last = found[size - 1] if len(found) > size else None
        return pb.ListEventsResponse(
            events=[Event.FromString(one.body) for one in found[:size]],
            next_page_token=self._pager.token(_query(request), _key(last)),
        )


def _check_request(request: pb.PutEventsRequest) -> int:
    size = request.ByteSize()
    if size > intake.MOST_REQUEST_BYTES:
        raise PayloadTooLarge(intake.MOST_REQUEST_BYTES)
    faults = Violations()
    faults.check(request.application_id, "application_id", "must be given")
    faults.check(request.batch_item, "batch_item", "must not be empty")
    most = intake.MOST_EVENTS
    faults.check(len(request.batch_item) <= most, "batch_item", f"at most {most} endpoints")
    count = sum(len(item.events) for item in request.batch_item.values())
    faults.check(count <= most, "batch_item", f"at most {most} events in all")
    faults.raise_if_any()
    return size


def _changes(request: pb.PutEventsRequest) -> Iterator[Endpoint]:
    for endpoint_id, item in request.batch_item.items():
        if item.HasField("endpoint") and not intake.client_fault(endpoint_id):
            item.endpoint.endpoint_id = endpoint_id
            yield item.endpoint


class _Intake:
    """Sorts the events of one request into accepted and refused."""

    def __init__(self, app_id: str, weigh: bool) -> None:  # noqa: FBT001 - internal
        self.accepted: list[bytes] = []
        self._app_id = app_id
        self._weigh = weigh
        self._arrival = Timestamp()
        self._arrival.GetCurrentTime()
        self._seconds = self._arrival.seconds

    def take(self, client_id: str, item: pb.EventsBatchItem, told: pb.ItemResponse) -> None:
        client_fault = intake.client_fault(client_id)
        user_id = item.endpoint.user.user_id if item.HasField("endpoint") else ""
        events, results = item.events, told.events_item_response
        for event_id in events:  # by key: the items() of protobuf maps is slow
            event, result = events[event_id], results[event_id]
            fault = client_fault or self._fault(event_id, event)
            if fault:
                result.status_code, result.message = _INVALID, fault
                continue
            result.MergeFrom(_TAKEN)
            event.event_id, event.client_id = event_id, client_id
            event.application_id = self._app_id
            event.arrival_time.CopyFrom(self._arrival)
            if user_id and not event.user_id:
                event.user_id = user_id
            self.accepted.append(event.SerializeToString())

    def _fault(self, event_id: str, event: Event) -> str:
        if self._weigh and event.ByteSize() > intake.MOST_EVENT_BYTES:
            return "event: larger than 1000 KB"
        fault = intake.event_fault(event_id, event, self._seconds - event.event_time.seconds)
        if fault or not event.HasField("session"):
            return fault
        session = event.session
        return intake.session_fault(
            session.session_id,
            started=session.HasField("start_time"),
            duration_milliseconds=session.duration_milliseconds,
        )


def _listing(request: pb.ListEventsRequest, pager: Pager) -> Listing:
    faults = Violations()
    faults.check(request.application_id, "application_id", "must be given")
    start = from_timestamp(request.start_time, "start_time")
    end = from_timestamp(request.end_time, "end_time")
    faults.check(not (start and end) or start < end, "end_time", "must lie after start_time")
    faults.raise_if_any()
    return Listing(
        request.application_id,
        request.event_type,
        request.client_id,
        request.campaign_id,
        start,
        end,
        _after(pager.last(_query(request), request.page_token)),
    )


def _query(request: pb.ListEventsRequest) -> list[str]:
    return [
        "events",
        request.application_id,
        request.event_type,
        request.client_id,
        request.campaign_id,
        str(request.start_time),
        str(request.end_time),
    ]


def _key(last: Listed | None) -> tuple[datetime, str] | None:
    return (last.event_time, last.record_id.hex()) if last else None


def _after(key: tuple[Any, ...] | None) -> tuple[datetime, bytes] | None:
    if key is None:
        return None
    moment, record_id = key
    if not isinstance(moment, datetime):
        raise PageTokenInvalid
    return moment, bytes.fromhex(record_id)
