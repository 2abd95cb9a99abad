"""What analytics says to others: events on the bus, endpoint changes that come with events."""

from collections.abc import Mapping, Sequence
from typing import Final

from grpc import aio
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.endpoints.v1 import endpoints_service_pb2 as pb
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as rpc

from libs.bus.publisher import Outgoing, Publisher
from libs.errors import DependencyUnavailable
from libs.ids import new_id

_ROUTING_KEY: Final = "analytics.events"
_BATCH_TYPE: Final = "touchpoint.analytics.v1.EventBatch"
# A message stays well below the broker's and the consumers' comfortable size.
_MOST_BYTES: Final = 512 * 1024
_ENDPOINTS_SECONDS: Final = 10.0


class EventsPublisher:
    """Publishes batches of events."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, bodies: Sequence[tuple[str, bytes]]) -> None:
        """Publish (application id, serialized EventBatch) pairs and wait for the confirms.

        Batches of one application are joined: serialized messages that follow each other parse as
        one message with their lists joined (protobuf encoding, "last one wins" and merging).
        Raises DependencyUnavailable.
        """
        await self._publisher.publish(
            [Outgoing(_ROUTING_KEY, body, _BATCH_TYPE, new_id()) for body in _joined(bodies)]
        )


def _joined(bodies: Sequence[tuple[str, bytes]]) -> list[bytes]:
    by_app: dict[str, list[list[bytes]]] = {}
    sizes: dict[str, int] = {}
    for app_id, body in bodies:
        size = sizes.get(app_id, _MOST_BYTES) + len(body)
        if size > _MOST_BYTES:
            by_app.setdefault(app_id, []).append([])
            size = len(body)
        sizes[app_id] = size
        by_app[app_id][-1].append(body)
    return [b"".join(group) for groups in by_app.values() for group in groups]


class EndpointsClient:
    """Changes endpoints through the endpoints service."""

    def __init__(self, channel: aio.Channel | None) -> None:
        self._stub = rpc.EndpointsServiceStub(channel) if channel else None

    async def update(
        self, app_id: str, endpoints: Sequence[endpoint_pb2.Endpoint]
    ) -> Mapping[str, tuple[int, str]]:
        """Status code and message of each endpoint. Raises AioRpcError, DependencyUnavailable."""
        if self._stub is None:
            raise DependencyUnavailable("endpoints")
        answer = await self._stub.BatchUpdateEndpoints(
            pb.BatchUpdateEndpointsRequest(application_id=app_id, endpoints=endpoints),
            timeout=_ENDPOINTS_SECONDS,
        )
        # Results stand in the order of the request; ids may come back in another case.
        return {
            asked.endpoint_id: (result.status_code, result.message)
            for asked, result in zip(endpoints, answer.results, strict=True)
        }
