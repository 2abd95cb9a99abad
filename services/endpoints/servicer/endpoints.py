"""Reading and writing endpoints and users over RPC."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from touchpoint.common.v1 import access_pb2
from touchpoint.endpoints.v1 import endpoint_pb2 as resource
from touchpoint.endpoints.v1 import endpoints_service_pb2 as pb
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as rpc

from libs.chassis import context
from libs.clock import Clock
from libs.errors import (
    InvalidFields,
    PayloadTooLarge,
    ResourceNotFound,
    VersionConflict,
    Violation,
    Violations,
)
from services.endpoints.domain.endpoint import Change, Occasion
from services.endpoints.servicer.decoding import application_of, to_change
from services.endpoints.store.endpoints import EndpointStore
from services.endpoints.usecases.removal import Removal
from services.endpoints.usecases.upsert import Outcome, Upserts

Call = Any  # grpc.aio's context; nothing here needs it
MOST_ITEMS: Final = 100  # spec 2.3
MOST_BYTES: Final = 7 * 1024 * 1024  # spec 2.3
MOST_IDS: Final = 1000
_KINDS: Final = {
    pb.ATTRIBUTE_TYPE_ENDPOINT_CUSTOM_ATTRIBUTES: "attributes",
    pb.ATTRIBUTE_TYPE_ENDPOINT_METRIC_ATTRIBUTES: "metrics",
    pb.ATTRIBUTE_TYPE_ENDPOINT_USER_ATTRIBUTES: "user_attributes",
}


class EndpointsServicer(rpc.EndpointsServiceServicer):
    """Endpoints and the users they belong to."""

    def __init__(
        self, store: EndpointStore, upserts: Upserts, removal: Removal, clock: Clock
    ) -> None:
        self._store = store
        self._removal = removal
        self._upserts = upserts
        self._clock = clock

    async def GetEndpoint(self, request: pb.GetEndpointRequest, _: Call) -> pb.GetEndpointResponse:
        found = await self._store.get(application_of(request), request.endpoint_id)
        return pb.GetEndpointResponse(endpoint=_endpoint(found))

    async def UpdateEndpoint(
        self, request: pb.UpdateEndpointRequest, _: Call
    ) -> pb.UpdateEndpointResponse:
        occasion = self._occasion(application_of(request))
        outcome = (await self._upserts.apply(occasion, [_change(request.endpoint)]))[0]
        if outcome.refusal:
            found = Violations()
            found.extend(outcome.refusal, "endpoint")
            found.raise_if_any()
        if outcome.endpoint is None:
            raise VersionConflict("endpoint", request.endpoint.endpoint_id)
        if context.principal().role == access_pb2.ROLE_PUBLISHABLE:
            # Whoever has the app has its key: it may write an endpoint and not read one.
            return pb.UpdateEndpointResponse()
        stored = await self._store.get(occasion.application_id, request.endpoint.endpoint_id)
        return pb.UpdateEndpointResponse(endpoint=_endpoint(stored))

    async def BatchUpdateEndpoints(
        self, request: pb.BatchUpdateEndpointsRequest, _: Call
    ) -> pb.BatchUpdateEndpointsResponse:
        occasion = self._occasion(application_of(request))
        _check_count("endpoints", request.endpoints, MOST_ITEMS)
        if request.ByteSize() > MOST_BYTES:
            raise PayloadTooLarge(MOST_BYTES)
        results: dict[int, pb.EndpointItemResult] = {}
        changes: dict[int, Change] = {}
        for index, item in enumerate(request.endpoints):
            try:
                changes[index] = _change(item)
            except InvalidFields as error:
                results[index] = _result(item, Outcome(refusal=error.violations))
        outcomes = await self._upserts.apply(occasion, list(changes.values()))
        for index, outcome in zip(changes, outcomes, strict=True):
            results[index] = _result(request.endpoints[index], outcome)
        return pb.BatchUpdateEndpointsResponse(results=[results[i] for i in sorted(results)])

    async def RemoveAttributes(
        self, request: pb.RemoveAttributesRequest, _: Call
    ) -> pb.RemoveAttributesResponse:
        application_id = application_of(request)
        kind = _KINDS.get(request.attribute_type, "")
        removed = await self._removal.remove(application_id, kind, list(request.blacklist))
        return pb.RemoveAttributesResponse(
            application_id=application_id,
            attribute_type=request.attribute_type,
            attributes=removed.globs[kind],
        )

    async def DeleteEndpoint(
        self, request: pb.DeleteEndpointRequest, _: Call
    ) -> pb.DeleteEndpointResponse:
        found = await self._store.delete(application_of(request), request.endpoint_id)
        return pb.DeleteEndpointResponse(endpoint=_endpoint(found))

    async def GetUserEndpoints(
        self, request: pb.GetUserEndpointsRequest, _: Call
    ) -> pb.GetUserEndpointsResponse:
        found = await self._store.of_users(application_of(request), [request.user_id])
        if not found:
            raise ResourceNotFound("user", request.user_id)
        return pb.GetUserEndpointsResponse(endpoints=_endpoints(found))

    async def BatchGetUserEndpoints(
        self, request: pb.BatchGetUserEndpointsRequest, _: Call
    ) -> pb.BatchGetUserEndpointsResponse:
        _check_count("user_ids", request.user_ids, MOST_ITEMS)
        found = await self._store.of_users(application_of(request), set(request.user_ids))
        return pb.BatchGetUserEndpointsResponse(endpoints=_endpoints(found))

    async def BatchGetEndpoints(
        self, request: pb.BatchGetEndpointsRequest, _: Call
    ) -> pb.BatchGetEndpointsResponse:
        _check_count("endpoint_ids", request.endpoint_ids, MOST_IDS)
        found = await self._store.get_many(application_of(request), request.endpoint_ids)
        return pb.BatchGetEndpointsResponse(endpoints=_endpoints(found))

    async def DeleteUserEndpoints(
        self, request: pb.DeleteUserEndpointsRequest, _: Call
    ) -> pb.DeleteUserEndpointsResponse:
        found = await self._store.delete_of_user(application_of(request), request.user_id)
        return pb.DeleteUserEndpointsResponse(endpoints=_endpoints(found))

    def _occasion(self, application_id: str) -> Occasion:
        return Occasion(application_id, context.request_id(), self._clock.now())


def _change(given: resource.Endpoint) -> Change:
    try:
        return to_change(given)
    except InvalidFields as error:
        told = error.violations[0].description
        raise InvalidFields([Violation("endpoint.effective_date", told)]) from error


def _check_count(field: str, given: Sequence[object], most: int) -> None:
    if not 1 <= len(given) <= most:
        raise InvalidFields([Violation(field, f"1 to {most} of them")])


def _endpoint(data: bytes) -> resource.Endpoint:
    return resource.Endpoint.FromString(data)


def _endpoints(found: Iterable[bytes]) -> list[resource.Endpoint]:
    return [resource.Endpoint.FromString(data) for data in found]


def _result(item: resource.Endpoint, outcome: Outcome) -> pb.EndpointItemResult:
    if outcome.endpoint is not None:
        return pb.EndpointItemResult(
            endpoint_id=item.endpoint_id, status_code=202, message="Accepted"
        )
    if not outcome.refusal:
        told = "changed by others at the same time; send it again"
        return pb.EndpointItemResult(endpoint_id=item.endpoint_id, status_code=409, message=told)
    told = "; ".join(f"{v.field}: {v.description}" for v in outcome.refusal)
    return pb.EndpointItemResult(endpoint_id=item.endpoint_id, status_code=400, message=told)
