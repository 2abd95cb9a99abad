"""Send batches: which lane they take, and which recipients of a repeat belong in one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.messaging.domain.families import family

BATCH_SIZE: Final = 100
"""Recipients a queue message; architecture.md 6 shows why not one each."""
TRANSACTIONAL: Final = "TRANSACTIONAL"
PROMOTIONAL: Final = "PROMOTIONAL"


@dataclass(frozen=True, slots=True)
class Batch:
    """A serialized `SendBatch` of `size` messages and where it goes.

    `check_count` is how often it was looked at.
    """

    batch_id: str
    app_id: str
    dispatch_id: str
    channel_type: str
    message_type: str
    body: bytes
    create_time: datetime
    expire_time: datetime | None = None
    published: bool = False
    check_count: int = 0
    size: int = 0

    @property
    def routing_key(self) -> str:
        return routing_key(self.channel_type, self.message_type)


@dataclass(frozen=True, slots=True)
class DeadBatch:
    """A batch that a worker gave up, and when."""

    batch: Batch
    death_time: datetime


def routing_key(channel_type: str, message_type: str) -> str:
    """Where a channel's messages of a class go (`email.transactional`)."""
    return f"{family(channel_type)}.{message_type.lower()}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recipient already stands in the ledger."""

    endpoint_id: str
    batch_id: str


@dataclass(frozen=True, slots=True)
class Sorted:
    """What becomes of the recipients of a batch some of whose rows were there already.

    `stay` and `duplicates` are message ids; `repeated` counts rows this call need not write.
    """

    stay: frozenset[str]
    duplicates: frozenset[str]
    repeated: int


def sort_known(
    batch_id: str, recipients: Sequence[tuple[str, str, str]], known: Mapping[str, Place]
) -> Sorted:
    """Sort (message id, endpoint id, address) by what the ledger knows of them.

    The row of another endpoint means a duplicate address; a row of another batch is sent by that
    batch. Only rows of this very batch, and new ones, stay in it.
    """
    stay, duplicates = set(), set()
    for message_id, endpoint_id, _ in recipients:
        place = known.get(message_id)
        if place is None or _is_here(place, endpoint_id, batch_id):
            stay.add(message_id)
        elif place.endpoint_id.lower() != endpoint_id.lower():
            duplicates.add(message_id)
    known_here = sum(1 for message_id, _, _ in recipients if message_id in known)
    return Sorted(frozenset(stay), frozenset(duplicates), known_here - len(duplicates))


def _is_here(place: Place, endpoint_id: str, batch_id: str) -> bool:
    return place.batch_id == batch_id and place.endpoint_id.lower() == endpoint_id.lower()
