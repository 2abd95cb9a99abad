"""What the endpoints service says to others: consent to messaging, imported segments, fetches."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime

from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import audience_service_pb2 as audience
from touchpoint.endpoints.v1 import events_pb2
from touchpoint.endpoints.v1 import import_service_pb2 as imports
from touchpoint.messaging.v1 import dispatch_service_pb2 as dispatch
from touchpoint.messaging.v1 import dispatch_service_pb2_grpc as dispatch_rpc

from libs.bus.publisher import Publisher, outgoing
from libs.chassis.objects import SCHEME, ObjectStore
from libs.chassis.urls import check_url
from libs.timestamps import to_timestamp
from services.endpoints.domain.jobs import Job


class Consent:
    """Tells messaging who takes no messages, so that an opt-out is in force when it is told.

    Without an address of messaging nobody sends, and there is nobody to tell.
    """

    def __init__(self, channel: aio.Channel | None) -> None:
        self._stub = dispatch_rpc.DispatchServiceStub(channel) if channel is not None else None

    async def record(
        self, application_id: str, opted_out: Collection[str], opted_in: Collection[str]
    ) -> None:
        """Tell of endpoints that changed their mind. Raises AioRpcError when messaging is away."""
        if self._stub is None or not (opted_out or opted_in):
            return
        await self._stub.RecordOptOuts(
            dispatch.RecordOptOutsRequest(
                application_id=application_id,
                opted_out_endpoint_ids=sorted(opted_out),
                opted_in_endpoint_ids=sorted(opted_in),
            )
        )


class EventPublisher:
    """Publishes to `touchpoint.events`."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def segment_imported(
        self, job: Job, channel_counts: Mapping[str, int], now: datetime
    ) -> None:
        """Tell segmentation that a segment has its members; the job's id makes repeats harmless."""
        counts = [
            audience.ChannelCount(
                channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{name}"), count=count
            )
            for name, count in sorted(channel_counts.items())
            if name
        ]
        event = events_pb2.SegmentImported(
            application_id=job.application_id,
            segment_id=job.definition.segment_id,
            segment_name=job.definition.segment_name,
            job_id=job.job_id,
            format=imports.ImportFormat.Value(f"IMPORT_FORMAT_{job.definition.format}"),
            source_url=job.definition.source_url,
            size=sum(channel_counts.values()),
            channel_counts=counts,
            import_time=to_timestamp(now),
        )
        await self._publisher.publish([outgoing("endpoints.segment_imported", event, job.job_id)])


class Fetcher:
    """Fetches files from the URLs users give, and from nowhere else (SSRF).

    `s3://` URLs lead to the operator's object store alone, whatever they name.
    """

    def __init__(
        self, allowed_hosts: Collection[str] = (), objects: ObjectStore | None = None
    ) -> None:
        self._allowed = frozenset(allowed_hosts)
        self._objects = objects or ObjectStore()

    async def check(self, field: str, url: str) -> None:
        """Raise UrlForbidden, naming the field, when the URL must not be fetched."""
        if url.startswith(SCHEME):
            self._objects.place(field, url)
        else:
            await check_url(field, url, self._allowed)

    async def chunks(self, url: str) -> AsyncIterator[bytes]:
        """The bytes of a file. Raises FileUnreadable, UrlForbidden."""
        # Only here: each client takes many megabytes of memory and a moment of every start.
        if url.startswith(SCHEME):
            from services.endpoints.clients.objects import read_objects

            place = self._objects.place("source_url", url)
            async for chunk in read_objects(self._objects, place):
                yield chunk
            return
        from services.endpoints.clients.fetching import fetched

        addresses = await check_url("source_url", url, self._allowed)
        async for chunk in fetched(url, addresses):
            yield chunk
