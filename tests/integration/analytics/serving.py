"""The analytics service as tests see it, and an endpoints service that only listens."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from touchpoint.analytics.v1 import analytics_service_pb2 as pb
from touchpoint.analytics.v1.event_pb2 import Event
from touchpoint.endpoints.v1 import endpoints_service_pb2 as endpoints_pb
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as endpoints_rpc

from services.analytics.config import Settings

PEER_TOKEN = "peer-token-of-the-tests"
AUTHORIZATION = (("authorization", f"Peer {PEER_TOKEN}"),)


@dataclass
class EndpointsDouble(endpoints_rpc.EndpointsServiceServicer):
    """Keeps what it is asked, and refuses ids that begin with `bad`."""

    seen: list[endpoints_pb.BatchUpdateEndpointsRequest] = field(default_factory=list)

    async def BatchUpdateEndpoints(  # noqa: N802 - an RPC's name
        self, request: endpoints_pb.BatchUpdateEndpointsRequest, _context: object
    ) -> endpoints_pb.BatchUpdateEndpointsResponse:
        self.seen.append(request)
        results = [
            endpoints_pb.EndpointItemResult(
                endpoint_id=one.endpoint_id.lower(),
                status_code=400 if one.endpoint_id.startswith("bad") else 202,
                message="address: is no email" if one.endpoint_id.startswith("bad") else "Accepted",
            )
            for one in request.endpoints
        ]
        return endpoints_pb.BatchUpdateEndpointsResponse(results=results)


@dataclass
class Analytics:
    """A running service: its stubs, its settings, and the endpoints service behind it."""

    events: Any  # generated stubs have no async types at run time
    figures: Any
    settings: Settings
    endpoints: EndpointsDouble

    async def put(self, asked: pb.PutEventsRequest) -> pb.PutEventsResponse:
        answer: pb.PutEventsResponse = await self.events.PutEvents(asked, metadata=AUTHORIZATION)
        return answer

    async def listed(self, **asked: Any) -> list[Event]:
        answer = await self.events.ListEvents(pb.ListEventsRequest(**asked), metadata=AUTHORIZATION)
        return list(answer.events)

    async def stored(self, app_id: str, count: int) -> list[Event]:
        async def there() -> bool:
            return len(await self.listed(application_id=app_id, page_size=1000)) >= count

        await until(there)
        return await self.listed(application_id=app_id, page_size=1000)


def settings_for(mongo_uri: str, amqp_url: str, prefix: str, **more: Any) -> Settings:
    return Settings(
        mongo_uri=mongo_uri,
        amqp_url=amqp_url,
        database_prefix=prefix,
        peer_token=PEER_TOKEN,
        drain_seconds=0,
        log_level="ERROR",
        **more,
    )


def now() -> Timestamp:
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp


def request(app_id: str, events: dict[str, dict[str, Event]]) -> pb.PutEventsRequest:
    items = {client: pb.EventsBatchItem(events=given) for client, given in events.items()}
    return pb.PutEventsRequest(application_id=app_id, batch_item=items)


async def until(check: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
