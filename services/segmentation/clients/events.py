"""What segmentation says to others: that a segment is gone."""

from touchpoint.segmentation.v1 import events_pb2

from libs.bus.publisher import Publisher, outgoing
from libs.ids import derived_id


class EventPublisher:
    """Publishes to `touchpoint.events`."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def segment_deleted(self, app_id: str, segment_id: str) -> None:
        """Campaigns on the segment become DELETED."""
        event = events_pb2.SegmentDeleted(application_id=app_id, segment_id=segment_id)
        key = derived_id("segment deleted", app_id, segment_id)
        await self._publisher.publish([outgoing("segmentation.deleted", event, key)])
