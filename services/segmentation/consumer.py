"""The queue edge: imported segments are recorded, those of deleted applications go."""

from collections.abc import Sequence

from touchpoint.applications.v1 import events_pb2 as applications_events
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import events_pb2 as endpoints_events
from touchpoint.endpoints.v1 import import_service_pb2

from libs.bus.consumer import Delivery
from libs.chassis.logging import get_logger
from libs.clock import Clock
from libs.timestamps import from_timestamp
from services.segmentation.domain.segment import ImportFacts, Segment
from services.segmentation.store.exports import ExportStore
from services.segmentation.store.segments import SegmentStore


class ImportConsumer:
    """Hears of imports that marked the members of a segment."""

    def __init__(self, store: SegmentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Record each as version 1; the same import again changes nothing.

        A later import into the same segment adds members, so its facts take the place of the first.
        """
        for delivery in deliveries:
            event = endpoints_events.SegmentImported.FromString(delivery.body)
            segment = self._segment(event)
            if not await self._store.add(segment):
                await self._store.refresh_import(segment)
            get_logger().info("import_recorded", segment_id=segment.segment_id)

    def _segment(self, event: endpoints_events.SegmentImported) -> Segment:
        moment = from_timestamp(event.import_time) or self._clock.now()
        return Segment(
            application_id=event.application_id,
            segment_id=event.segment_id,
            name=event.segment_name,
            version=1,
            creation_date=moment,
            last_modified_date=moment,
            imported=_facts(event),
        )


class DeletionConsumer:
    """Hears of deleted applications."""

    def __init__(self, store: SegmentStore, exports: ExportStore) -> None:
        self._store = store
        self._exports = exports

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """A deleted application leaves no segment, no version and no job behind."""
        for delivery in deliveries:
            event = applications_events.ApplicationDeleted.FromString(delivery.body)
            await self._exports.delete_application(event.application_id)
            await self._store.delete_application(event.application_id)


def _facts(event: endpoints_events.SegmentImported) -> ImportFacts:
    file_format = import_service_pb2.ImportFormat.Name(event.format)
    counts = {
        channel_pb2.ChannelType.Name(one.channel_type).removeprefix("CHANNEL_TYPE_"): one.count
        for one in event.channel_counts
    }
    return ImportFacts(
        size=event.size,
        channel_counts=counts,
        file_format=file_format.removeprefix("IMPORT_FORMAT_"),
        source_url=event.source_url,
        job_id=event.job_id,
    )
