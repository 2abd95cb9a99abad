"""Queue edge: events to store, and applications whose data goes."""

import asyncio
from collections.abc import Iterator, Sequence

from touchpoint.analytics.v1.event_pb2 import Event
from touchpoint.applications.v1.events_pb2 import ApplicationDeleted

from libs.bus.consumer import Delivery
from services.analytics.domain.counting import Facts, Record, record_id
from services.analytics.domain.frames import taken_apart
from services.analytics.store.events import EventStore
from services.analytics.usecases import Recorder


class EventsConsumer:
    """Stores the events of a batch of messages."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Returns once all are stored. Raises DecodeError, NotFrames, DependencyUnavailable."""
        records: list[Record] = []
        for delivery in deliveries:
            records.extend(_records(delivery.body))
            await asyncio.sleep(0)  # calls are answered between two messages
        await self._recorder.record(records)


def _records(batch: bytes) -> Iterator[Record]:
    facts = Facts()
    for body in taken_apart(batch):
        event = Event.FromString(body)
        # Every producer sets a time; one that forgets must not have its events lost.
        moment = event.event_time
        seconds = moment.seconds
        if not seconds:
            moment = event.arrival_time
            seconds = moment.seconds
        yield Record(
            record_id(event),
            event.client_id,
            seconds * 1000 + moment.nanos // 1_000_000,
            body,
            facts.of(event, seconds),
        )


class DeletionsConsumer:
    """Deletes what belongs to deleted applications."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        """Returns once the data is gone."""
        for delivery in deliveries:
            deleted = ApplicationDeleted.FromString(delivery.body)
            await self._store.delete_application(deleted.application_id)
