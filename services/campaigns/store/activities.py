"""Runs and the shards of their audience; leases by the database's own clock."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from libs.errors import ResourceNotFound
from libs.mongo.client import Database, Document
from services.campaigns.domain.activity import OPEN, Activity, ActivityState, Shard, Totals

After = Sequence[Any] | None


class ActivityStore:
    """Runs, leased one at a time, and their shards, leased one by one."""

    def __init__(self, database: Database, lease_seconds: float) -> None:
        self._activities = database["activities"]
        self._shards = database["shards"]
        self._lease_ms = int(lease_seconds * 1000)

    async def add(self, activity: Activity) -> None:
        """Keep a run; one of the same id (the same occurrence) stays as it is."""
        try:
            await self._activities.insert_one(_document(activity))
        except DuplicateKeyError:
            return

    async def get(self, app_id: str, campaign_id: str, activity_id: str) -> Activity:
        query = {"_id": activity_id, "app_id": app_id, "campaign_id": campaign_id}
        found = await self._activities.find_one(query)
        if found is None:
            raise ResourceNotFound("campaign activity", activity_id)
        return _activity(found)

    async def page(self, app_id: str, campaign_id: str, after: After, limit: int) -> list[Activity]:
        """Runs of a campaign, newest first."""
        query: Document = {"campaign_id": campaign_id, "app_id": app_id}
        if after is not None:
            moment, last_id = after
            query["$or"] = [
                {"scheduled_start": {"$lt": moment}},
                {"scheduled_start": moment, "_id": {"$lt": last_id}},
            ]
        cursor = self._activities.find(query).sort([("scheduled_start", -1), ("_id", -1)])
        return [_activity(found) async for found in cursor.limit(limit)]

    async def open_of(self, campaign_id: str) -> Activity | None:
        """The run of a campaign that is in progress."""
        query = {"campaign_id": campaign_id, "state": {"$in": [s.value for s in OPEN]}}
        found = await self._activities.find_one(query)
        return _activity(found) if found else None

    async def has_sent(self, campaign_id: str) -> bool:
        """Whether a run of the campaign ever began to send; one that could not start did not."""
        query = {"campaign_id": campaign_id, "start": {"$ne": None}}
        return await self._activities.count_documents(query, limit=1) > 0

    async def lease(self, owner: str) -> Activity | None:
        """Take a run nobody looks after: not started, or possibly at its end."""
        found = await self._activities.find_one_and_update(
            {
                "state": {"$in": [s.value for s in OPEN]},
                "$expr": {"$lt": ["$lease_until", "$$NOW"]},
            },
            [{"$set": {"owner": owner, "lease_until": self._until()}}],
            sort=[("lease_until", 1)],
            return_document=True,
        )
        return _activity(found) if found else None

    async def release(self, activity_id: str, owner: str, milliseconds: int) -> None:
        """Let others look after the run, `milliseconds` from now."""
        await self._activities.update_one(
            {"_id": activity_id, "owner": owner},
            [{"$set": {"lease_until": {"$add": ["$$NOW", milliseconds]}}}],
        )

    async def start(self, activity: Activity, shards: Sequence[Shard]) -> None:
        """Keep what the start of a run found out, and the shards of its audience."""
        for shard in shards:
            key = {"_id": f"{shard.activity_id}/{shard.number}"}
            await self._shards.update_one(
                key, {"$setOnInsert": _shard_document(shard)}, upsert=True
            )
        await self._activities.update_one(
            {"_id": activity.activity_id, "state": {"$in": ["PENDING", "INITIALIZING"]}},
            {
                "$set": {
                    "state": activity.state.value,
                    "start": activity.start,
                    "audience": activity.audience,
                    "expire_time": activity.expire_time,
                }
            },
        )

    async def set_control(self, activity_id: str, state: ActivityState, control: str) -> None:
        """Note what the gateway shall do; `applied` follows once it does."""
        await self._activities.update_one(
            {"_id": activity_id, "state": {"$in": [s.value for s in OPEN]}},
            {"$set": {"state": state.value, "control": control}},
        )
        await self._shards.update_many(
            {"activity_id": activity_id}, {"$set": {"held": control != "RELEASE"}}
        )

    async def set_applied(self, activity_id: str, control: str) -> None:
        """Note what the gateway does now."""
        await self._activities.update_one(
            {"_id": activity_id, "control": control}, {"$set": {"applied": control}}
        )

    async def unapplied(self) -> list[Activity]:
        """Runs the gateway does not treat as it shall (its service was away)."""
        query = {"$expr": {"$ne": ["$control", "$applied"]}}
        return [_activity(found) async for found in self._activities.find(query).limit(100)]

    async def finish(self, activity: Activity) -> None:
        """Keep the end of a run."""
        await self._activities.update_one(
            {"_id": activity.activity_id},
            {
                "$set": {
                    "state": activity.state.value,
                    "end": activity.end,
                    "result": activity.result,
                    "state_reason": activity.state_reason,
                    "final_counts": dict(activity.final_counts),
                }
            },
        )

    async def lease_shard(self, owner: str) -> Shard | None:
        """Take a shard nobody reads."""
        found = await self._shards.find_one_and_update(
            {"done": False, "held": False, "$expr": {"$lt": ["$lease_until", "$$NOW"]}},
            [{"$set": {"owner": owner, "lease_until": self._until()}}],
            sort=[("lease_until", 1)],
            return_document=True,
        )
        return _shard(found) if found else None

    async def advance(
        self, shard: Shard, owner: str, targeted: int, metrics: Mapping[str, int]
    ) -> bool:
        """Save a shard's cursor with the counters of the batch before it, and renew the lease.

        False means: the shard is held, or another runner has it. Stop reading.
        """
        counted = {
            f"metrics.{name}": {"$add": [{"$ifNull": [f"$metrics.{name}", 0]}, number]}
            for name, number in metrics.items()
            if number
        }
        found = await self._shards.find_one_and_update(
            {"_id": f"{shard.activity_id}/{shard.number}", "owner": owner},
            [
                {
                    "$set": {
                        "cursor": shard.cursor,
                        "done": shard.done,
                        "targeted": {"$add": ["$targeted", targeted]},
                        "lease_until": self._until(),
                        **counted,
                    }
                }
            ],
            return_document=True,
        )
        return found is not None and not found["held"] and not found["done"]

    async def renew(self, shard: Shard, owner: str) -> bool:
        """Keep a shard while waiting for the queue to empty; False as for `advance`."""
        return await self.advance(shard, owner, 0, {})

    async def release_shard(self, shard: Shard, owner: str) -> None:
        """Let another runner go on with the shard at once."""
        await self._shards.update_one(
            {"_id": f"{shard.activity_id}/{shard.number}", "owner": owner},
            [{"$set": {"owner": "", "lease_until": {"$subtract": ["$$NOW", 1]}}}],
        )

    async def totals(self, activity_id: str) -> Totals:
        """The sum over a run's shards; not done when it has none yet."""
        metrics: Counter[str] = Counter()
        targeted, done, count = 0, True, 0
        async for shard in self._shards.find({"activity_id": activity_id}):
            metrics.update(shard["metrics"])
            targeted += shard["targeted"]
            done = done and shard["done"]
            count += 1
        return Totals(targeted, done and count > 0, metrics)

    async def activity(self, activity_id: str) -> Activity | None:
        """A run by its id alone, for runners."""
        found = await self._activities.find_one({"_id": activity_id})
        return _activity(found) if found else None

    async def delete_application(self, app_id: str) -> None:
        ids = await self._activities.distinct("_id", {"app_id": app_id})
        await self._shards.delete_many({"activity_id": {"$in": ids}})
        await self._activities.delete_many({"app_id": app_id})

    def _until(self) -> Document:
        return {"$add": ["$$NOW", self._lease_ms]}


_NEVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _document(activity: Activity) -> Document:
    return {
        "_id": activity.activity_id,
        "app_id": activity.application_id,
        "campaign_id": activity.campaign_id,
        "campaign_version": activity.campaign_version,
        "scheduled_start": activity.scheduled_start,
        "state": activity.state.value,
        "start": activity.start,
        "end": activity.end,
        "result": activity.result,
        "state_reason": activity.state_reason,
        "control": activity.control,
        "applied": activity.applied,
        "audience": activity.audience,
        "expire_time": activity.expire_time,
        "final_counts": dict(activity.final_counts),
        "owner": "",
        "lease_until": _NEVER,
    }


def _activity(found: Document) -> Activity:
    return Activity(
        activity_id=found["_id"],
        application_id=found["app_id"],
        campaign_id=found["campaign_id"],
        campaign_version=found["campaign_version"],
        scheduled_start=found["scheduled_start"],
        state=ActivityState(found["state"]),
        start=found["start"],
        end=found["end"],
        result=found["result"],
        state_reason=found["state_reason"],
        control=found["control"],
        applied=found["applied"],
        audience=bytes(found["audience"]),
        expire_time=found["expire_time"],
        final_counts=found["final_counts"],
    )


def _shard_document(shard: Shard) -> Document:
    return {
        "activity_id": shard.activity_id,
        "number": shard.number,
        "count": shard.count,
        "cursor": shard.cursor,
        "done": shard.done,
        "held": False,
        "targeted": 0,
        "metrics": {},
        "owner": "",
        "lease_until": _NEVER,
    }


def _shard(found: Document) -> Shard:
    return Shard(
        found["activity_id"], found["number"], found["count"], found["cursor"], found["done"]
    )
