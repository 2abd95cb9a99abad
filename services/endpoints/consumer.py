"""The queue edge: activity from events, tokens that were refused, applications that are gone."""

from collections.abc import Sequence
from datetime import datetime

from touchpoint.analytics.v1 import events_pb2 as analytics
from touchpoint.applications.v1 import events_pb2 as applications
from touchpoint.messaging.v1 import events_pb2 as messaging

from libs.bus.consumer import Delivery
from libs.clock import Clock
from libs.endpoint_values import CHANNELS
from libs.timestamps import from_timestamp
from services.endpoints.domain.identity import document_id, is_application_id
from services.endpoints.domain.instants import to_millisecond
from services.endpoints.store.endpoints import EndpointStore
from services.endpoints.store.jobs import FileStore, JobStore
from services.endpoints.store.names import NameStore
from services.endpoints.store.removals import RemovalStore
from services.endpoints.usecases.tokens import RefusedToken, Tokens


class ActivityConsumer:
    """Moves the last activity of endpoints forward; the same event twice changes nothing."""

    def __init__(self, store: EndpointStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        now = to_millisecond(self._clock.now())
        newest: dict[str, datetime] = {}
        for delivery in deliveries:
            for event in analytics.EventBatch.FromString(delivery.body).events:
                moment = from_timestamp(event.event_time)
                if moment is None or not event.client_id:
                    continue
                if not is_application_id(event.application_id):
                    continue
                key = document_id(event.application_id, event.client_id)
                # A device whose clock is ahead has not been active in the future.
                seen = min(to_millisecond(moment), now)
                newest[key] = max(seen, newest.get(key, seen))
        await self._store.touch(newest)


class TokenConsumer:
    """Endpoints whose push token is dead, or was replaced."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            event = messaging.TokensRefused.FromString(delivery.body)
            if is_application_id(event.application_id):
                await self._tokens.refuse(
                    event.application_id, [_refused(one) for one in event.tokens]
                )


def _refused(token: messaging.RefusedToken) -> RefusedToken:
    channel_type = CHANNELS.get(token.channel_type, "")
    return RefusedToken(token.endpoint_id, channel_type, token.address, token.new_address)


class DeletionConsumer:
    """Deletes what the service holds of an application."""

    def __init__(
        self,
        store: EndpointStore,
        names: NameStore,
        removals: RemovalStore,
        jobs: JobStore,
        files: FileStore,
    ) -> None:
        self._store = store
        self._removals = removals
        self._names = names
        self._jobs = jobs
        self._files = files

    async def handle(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            event = applications.ApplicationDeleted.FromString(delivery.body)
            if not is_application_id(event.application_id):
                continue
            for job_id in await self._jobs.delete_application(event.application_id):
                await self._files.delete(job_id)
            await self._store.delete_application(event.application_id)
            await self._names.delete_application(event.application_id)
            await self._removals.delete_application(event.application_id)
