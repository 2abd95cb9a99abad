"""What the applications service says to others: that an application is gone."""

from touchpoint.applications.v1 import events_pb2

from libs.bus.publisher import Publisher, outgoing


class EventPublisher:
    """Publishes to `touchpoint.events`."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def application_deleted(self, application_id: str) -> None:
        """Tell every service to delete what it holds of the application."""
        event = events_pb2.ApplicationDeleted(application_id=application_id)
        await self._publisher.publish([outgoing("applications.deleted", event, application_id)])
