"""The ledger in MongoDB: rows, the workers' windows, the gateway's clocks and what people ask."""

from libs.mongo.client import Database
from services.messaging.store.ledger.clock import ClockStore
from services.messaging.store.ledger.questions import Count, MessageQuery, QuestionStore, index_key
from services.messaging.store.ledger.rows import (
    INDEXES,
    Entry,
    Inserted,
    RowStore,
    Shared,
)
from services.messaging.store.ledger.windows import Claimed, WindowStore

__all__ = [
    "INDEXES",
    "Claimed",
    "ClockStore",
    "Count",
    "Entry",
    "Inserted",
    "LedgerStore",
    "MessageQuery",
    "QuestionStore",
    "RowStore",
    "Shared",
    "WindowStore",
    "index_key",
]


class LedgerStore(RowStore, WindowStore, ClockStore, QuestionStore):
    """Everything that can be done with the ledger, over one collection (`messages`)."""

    def __init__(self, database: Database) -> None:
        for part in (RowStore, WindowStore, ClockStore, QuestionStore):
            part.__init__(self, database)
