"""What the endpoints service says to others: consent to messaging, imported segments, fetches."""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from socket import AddressFamily
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import audience_service_pb2 as audience
from touchpoint.endpoints.v1 import events_pb2
from touchpoint.endpoints.v1 import import_service_pb2 as imports
from touchpoint.messaging.v1 import dispatch_service_pb2 as dispatch
from touchpoint.messaging.v1 import dispatch_service_pb2_grpc as dispatch_rpc

from libs.bus.publisher import Publisher, outgoing
from libs.chassis.urls import check_url
from libs.timestamps import to_timestamp
from services.endpoints.domain.jobs import FileUnreadable, Job

_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 60.0
_FETCH_BYTES: Final = 1024 * 1024


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
    """Fetches files from the URLs users give, and from nowhere else (SSRF)."""

    def __init__(self, allowed_hosts: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed_hosts)

    async def check(self, field: str, url: str) -> None:
        """Raise UrlForbidden, naming the field, when the URL must not be fetched."""
        await check_url(field, url, self._allowed)

    async def chunks(self, url: str) -> AsyncIterator[bytes]:
        """The bytes of a file. Raises FileUnreadable, UrlForbidden."""
        addresses = await check_url("source_url", url, self._allowed)
        connector = aiohttp.TCPConnector(resolver=_Pinned(addresses), use_dns_cache=False)
        timeout = aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                # A redirect could lead anywhere; the file must be where the user said.
                session.get(url, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise FileUnreadable(f"{urlsplit(url).hostname} answered {answer.status}")
                async for chunk in answer.content.iter_chunked(_FETCH_BYTES):
                    yield chunk
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FileUnreadable(f"the file cannot be fetched: {type(error).__name__}") from error


class _Pinned(AbstractResolver):
    """Resolves every name to the addresses that were checked: what is dialled is what was seen."""

    def __init__(self, addresses: Collection[str]) -> None:
        self._addresses = tuple(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=AddressFamily.AF_INET6 if ":" in address else AddressFamily.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self._addresses
            if family in {AddressFamily.AF_UNSPEC, _family(address)}
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _family(address: str) -> AddressFamily:
    return AddressFamily.AF_INET6 if ":" in address else AddressFamily.AF_INET
