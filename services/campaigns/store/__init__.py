"""Campaigns, versions, runs and shards in MongoDB."""

from typing import Final

from libs.mongo.indexes import Index, Indexes

INDEXES: Final[Indexes] = {
    "campaigns": [
        Index("by_app", (("app_id", 1), ("creation_date", -1), ("_id", -1))),
        Index("due", (("state", 1), ("start_time", 1))),
        Index(
            "in_app",
            (("app_id", 1), ("state", 1), ("start_time", 1)),
            partial={"definition.schedule.frequency": "IN_APP_EVENT"},
        ),
        Index(
            "in_app_ending",
            (("state", 1), ("end_time", 1)),
            partial={"definition.schedule.frequency": "IN_APP_EVENT"},
        ),
        Index("by_segment", (("app_id", 1), ("definition.segment_id", 1))),
        Index(
            "by_request",
            (("app_id", 1), ("request_id", 1)),
            unique=True,
            partial={"request_id": {"$gt": ""}},
        ),
    ],
    "versions": [Index("by_campaign", (("campaign_id", 1), ("version", -1)))],
    "activities": [
        Index("by_campaign", (("campaign_id", 1), ("scheduled_start", -1), ("_id", -1))),
        Index("open", (("state", 1), ("lease_until", 1))),
    ],
    "shards": [
        Index("by_activity", (("activity_id", 1),)),
        Index("free", (("done", 1), ("held", 1), ("lease_until", 1))),
    ],
}
