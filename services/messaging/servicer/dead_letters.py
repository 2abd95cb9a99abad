"""`touchpoint.messaging.v1.DeadLettersService`."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from grpc import aio
from touchpoint.messaging.v1 import dead_letters_service_pb2 as pb
from touchpoint.messaging.v1 import message_pb2

from libs.errors import ResourceNotFound, Violations
from libs.mongo.paging import Pager, page_size
from libs.timestamps import to_timestamp
from services.messaging.domain.batches import DeadBatch
from services.messaging.servicer.names import CHANNELS, MESSAGE_TYPES
from services.messaging.servicer.pages import check_page
from services.messaging.store.batches import BatchStore
from services.messaging.usecases.dead_letters import DeadLetters

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"
MOST_BATCHES: Final = 100


class DeadLettersServicer:
    """Lists, shows and replays."""

    def __init__(self, letters: DeadLetters, batches: BatchStore, pager: Pager) -> None:
        self._letters = letters
        self._batches = batches
        self._pager = pager

    async def ListDeadLetters(
        self, request: pb.ListDeadLettersRequest, _: Context
    ) -> pb.ListDeadLettersResponse:
        channel, found = CHANNELS.name(request.channel_type), Violations()
        found.check(request.application_id, "application_id", "is needed")
        found.check(not request.channel_type or channel, "channel_type", "is not known")
        check_page(found, request.page_size)
        found.raise_if_any()
        size, query = page_size(request.page_size), [request.application_id, channel]
        after = self._pager.last(query, request.page_token)
        dead = await self._batches.dead_page(request.application_id, channel, after, size + 1)
        last = dead[size - 1] if len(dead) > size else None
        key = (last.death_time, last.batch.batch_id) if last else None
        return pb.ListDeadLettersResponse(
            dead_letters=[_letter(one) for one in dead[:size]],
            next_page_token=self._pager.token(query, key),
        )

    async def GetDeadLetter(
        self, request: pb.GetDeadLetterRequest, _: Context
    ) -> pb.GetDeadLetterResponse:
        found = Violations()
        found.check(request.application_id, "application_id", "is needed")
        found.check(request.batch_id, "batch_id", "is needed")
        found.raise_if_any()
        dead = await self._batches.dead_of(request.application_id, [request.batch_id])
        if not dead:
            raise ResourceNotFound("dead letter", request.batch_id)
        return pb.GetDeadLetterResponse(
            dead_letter=_letter(dead[0]), message_ids=_message_ids(dead[0])
        )

    async def ReplayDeadLetters(
        self, request: pb.ReplayDeadLettersRequest, _: Context
    ) -> pb.ReplayDeadLettersResponse:
        found = Violations()
        found.check(request.application_id, "application_id", "is needed")
        fine = len(request.batch_ids) <= MOST_BATCHES
        found.check(fine, "batch_ids", f"must be at most {MOST_BATCHES}")
        found.raise_if_any()
        count = await self._letters.replay(request.application_id, request.batch_ids)
        return pb.ReplayDeadLettersResponse(replayed_count=count)


def _letter(dead: DeadBatch) -> pb.DeadLetter:
    batch = dead.batch
    told = message_pb2.SendBatch.FromString(batch.body)
    return pb.DeadLetter(
        batch_id=batch.batch_id,
        dispatch_id=batch.dispatch_id,
        campaign_id=told.origin.campaign_id,
        channel_type=CHANNELS.number(batch.channel_type),
        message_type=MESSAGE_TYPES.number(batch.message_type),
        message_count=len(told.recipients),
        death_time=to_timestamp(dead.death_time),
    )


def _message_ids(dead: DeadBatch) -> Sequence[str]:
    told = message_pb2.SendBatch.FromString(dead.batch.body)
    return [one.message_id for one in told.recipients]
