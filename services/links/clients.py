"""What links says to others: events on the bus, opt-outs of endpoints and addresses."""

from collections.abc import Sequence
from typing import Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from touchpoint.analytics.v1.event_pb2 import Event
from touchpoint.analytics.v1.events_pb2 import EventBatch
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.endpoints.v1 import endpoints_service_pb2 as endpoints_pb
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as endpoints_rpc
from touchpoint.messaging.v1 import callbacks_service_pb2 as callbacks_pb
from touchpoint.messaging.v1 import callbacks_service_pb2_grpc as callbacks_rpc
from touchpoint.messaging.v1 import channels_service_pb2 as channels_pb
from touchpoint.messaging.v1 import channels_service_pb2_grpc as channels_rpc

from libs.bus.publisher import Publisher, outgoing
from libs.ids import new_id
from services.links.domain import Callback, Hit, Link

_ROUTING_KEY: Final = "links.events"
_OPT_OUT_SECONDS: Final = 8.0
# Twilio waits for 15 seconds, Amazon SNS as long.
_CALLBACK_SECONDS: Final = 10.0
# A message holds this many events at most.
_MOST_EVENTS: Final = 500


class HitsPublisher:
    """Publishes hits, those of one application together."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, hits: Sequence[Hit]) -> None:
        """Returns once the broker has all of them. Raises DependencyUnavailable."""
        by_app: dict[str, list[Hit]] = {}
        for hit in hits:
            by_app.setdefault(hit.app_id, []).append(hit)
        await self._publisher.publish(
            [
                outgoing(_ROUTING_KEY, _batch(group[start : start + _MOST_EVENTS]), new_id())
                for group in by_app.values()
                for start in range(0, len(group), _MOST_EVENTS)
            ]
        )


def _batch(hits: Sequence[Hit]) -> EventBatch:
    return EventBatch(events=[_event(hit) for hit in hits])


def _event(hit: Hit) -> Event:
    stamp = Timestamp()
    stamp.FromDatetime(hit.event_time)
    return Event(
        event_id=hit.event_id,
        event_type=hit.event_type,
        application_id=hit.app_id,
        client_id=hit.client_id,
        event_time=stamp,
        arrival_time=stamp,
        attributes=hit.attributes,
    )


class OptOuts:
    """Takes recipients off everything, through the services that own endpoints and addresses."""

    def __init__(self, endpoints: aio.Channel, messaging: aio.Channel) -> None:
        self._endpoints = endpoints_rpc.EndpointsServiceStub(endpoints)
        self._channels = channels_rpc.ChannelsServiceStub(messaging)

    async def opt_out(self, link: Link) -> None:
        """In force everywhere when this returns. Raises AioRpcError."""
        if link.endpoint_id:
            await self._opt_out_endpoint(link)
        elif link.address:
            await self._suppress(link)

    async def _opt_out_endpoint(self, link: Link) -> None:
        endpoint = endpoint_pb2.Endpoint(
            endpoint_id=link.endpoint_id, opt_out=endpoint_pb2.OPT_OUT_ALL
        )
        request = endpoints_pb.UpdateEndpointRequest(application_id=link.app_id, endpoint=endpoint)
        try:
            await self._endpoints.UpdateEndpoint(request, timeout=_OPT_OUT_SECONDS)
        except aio.AioRpcError as error:
            # An endpoint that was deleted since gets nothing any more, and cannot be made again
            # from its id alone.
            if error.code() not in {
                grpc.StatusCode.INVALID_ARGUMENT,
                grpc.StatusCode.NOT_FOUND,
            }:
                raise

    async def _suppress(self, link: Link) -> None:
        destination = channels_pb.SuppressedDestination(
            channel_type=channel_pb2.CHANNEL_TYPE_EMAIL,
            address=link.address,
            reason=channels_pb.SUPPRESSION_REASON_OPERATOR,
        )
        request = channels_pb.PutSuppressedDestinationsRequest(
            application_id=link.app_id, destinations=[destination]
        )
        await self._channels.PutSuppressedDestinations(request, timeout=_OPT_OUT_SECONDS)


class Callbacks:
    """Hands calls of providers to messaging, which has the keys to check them."""

    def __init__(self, messaging: aio.Channel) -> None:
        self._callbacks = callbacks_rpc.CallbacksServiceStub(messaging)

    async def take(self, callback: Callback) -> None:
        """What it says is in force when this returns. Raises AioRpcError."""
        request = callbacks_pb.TakeCallbackRequest(
            application_id=callback.app_id,
            channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{callback.channel_type}"),
            source=callbacks_pb.CallbackSource.Value(f"CALLBACK_SOURCE_{callback.source}"),
            url=callback.url,
            headers=callback.headers,
            body=callback.body,
        )
        await self._callbacks.TakeCallback(request, timeout=_CALLBACK_SECONDS)
