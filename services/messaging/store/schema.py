"""The indexes of every collection of this service, created when a process starts."""

from typing import Final

from libs.mongo.client import Database
from libs.mongo.indexes import Indexes, ensure_indexes
from services.messaging.store import (
    batches,
    certificates,
    channels,
    complaints,
    contents,
    dispatches,
    holds,
    ledger,
    limits,
    otp,
    requests,
    suppressions,
)

INDEXES: Final[Indexes] = {
    **ledger.INDEXES,
    **batches.INDEXES,
    **dispatches.INDEXES,
    **contents.INDEXES,
    "channels": (*channels.INDEXES["channels"], *certificates.INDEXES["channels"]),
    **suppressions.INDEXES,
    **requests.INDEXES,
    **otp.INDEXES,
    **holds.INDEXES,
    **complaints.INDEXES,
}


async def prepare(database: Database) -> None:
    """Create what is missing."""
    await ensure_indexes(database, INDEXES)
    for collection, models in limits.INDEXES.items():
        await database[collection].create_indexes(models)
