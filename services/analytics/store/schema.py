"""Indexes. Every event is written to each of its own, so there are only those listings need."""

from typing import Final

from libs.mongo.indexes import Index, Indexes

# Figures go back 90 days (spec 10.7).
_MARKED_SECONDS: Final = 90 * 86_400
APPLICATION_TIME: Final = "application_time"

INDEXES: Final[Indexes] = {
    "events": (
        # The event type is in it so that a listing of one type reads keys, not documents. What is
        # too old is found by it too: an index of the time alone would cost more than it saves.
        Index(
            APPLICATION_TIME,
            (("app_id", 1), ("event_time", -1), ("_id", -1), ("event_type", 1)),
        ),
        Index("client_time", (("app_id", 1), ("client_id", 1), ("event_time", -1), ("_id", -1))),
        Index(
            "campaign_time",
            (("app_id", 1), ("campaign_id", 1), ("event_time", -1), ("_id", -1)),
            partial={"campaign_id": {"$exists": True}},
        ),
    ),
    "counters": (
        Index("campaign_day", (("app_id", 1), ("campaign_id", 1), ("day", 1))),
        Index("application_day", (("app_id", 1), ("day", 1))),
    ),
    # Few: opens, clicks and what apps see of campaigns.
    "marks": (Index("retention", (("seen_time", 1),), expire_after_seconds=_MARKED_SECONDS),),
}
