"""Campaigns and their versions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pymongo.errors import DuplicateKeyError

from libs.errors import ResourceNotFound, VersionConflict
from libs.mongo.client import Database, Document
from libs.mongo.tags import TagStore
from services.campaigns.domain.campaign import IN_APP_EVENT, Campaign, CampaignState
from services.campaigns.domain.states import OVER
from services.campaigns.store.documents import campaign_document, from_campaign_document

After = Sequence[Any] | None
_GONE = [CampaignState.DELETED.value]
_SHOWN = [CampaignState.SCHEDULED.value, CampaignState.EXECUTING.value]
_PAUSED = CampaignState.PAUSED.value


class CampaignStore:
    """The latest version of each campaign, and every version for good."""

    def __init__(self, database: Database) -> None:
        self._campaigns = database["campaigns"]
        self._versions = database["versions"]

    async def add(self, campaign: Campaign) -> Campaign:
        """Keep a new campaign; one of the same request id is returned instead."""
        await self._keep_version(campaign)
        try:
            await self._campaigns.insert_one(campaign_document(campaign))
        except DuplicateKeyError:
            query = {"app_id": campaign.application_id, "request_id": campaign.request_id}
            found = await self._campaigns.find_one(query)
            if found is None:
                raise
            await self._versions.delete_one({"_id": _version_id(campaign)})
            return from_campaign_document(found)
        return campaign

    async def get(self, app_id: str, campaign_id: str) -> Campaign:
        found = await self._campaigns.find_one({"_id": campaign_id, "app_id": app_id})
        if found is None or found["state"] in _GONE:
            raise ResourceNotFound("campaign", campaign_id)
        return from_campaign_document(found)

    async def get_version(self, app_id: str, campaign_id: str, version: int) -> Campaign:
        query = {"_id": f"{campaign_id}/{version}", "app_id": app_id}
        found = await self._versions.find_one(query)
        if found is None:
            raise ResourceNotFound("campaign version", f"{campaign_id}/{version}")
        return from_campaign_document(found | {"_id": campaign_id})

    async def save(self, campaign: Campaign, *, new_version: bool = False) -> Campaign:
        """Replace a campaign unless someone else did meanwhile. Raises VersionConflict."""
        saved = replace(campaign, revision=campaign.revision + 1)
        if new_version:
            await self._keep_version(saved)
        result = await self._campaigns.replace_one(
            {"_id": campaign.campaign_id, "revision": campaign.revision}, campaign_document(saved)
        )
        if not result.matched_count:
            raise VersionConflict("campaign", campaign.campaign_id)
        return saved

    async def page(self, app_id: str, state: str, after: After, limit: int) -> list[Campaign]:
        """Campaigns, newest first; without a state all but deleted ones."""
        query: Document = {"app_id": app_id, "state": state or {"$nin": _GONE}}
        if after is not None:
            moment, last_id = after
            query["$or"] = [
                {"creation_date": {"$lt": moment}},
                {"creation_date": moment, "_id": {"$lt": last_id}},
            ]
        cursor = self._campaigns.find(query).sort([("creation_date", -1), ("_id", -1)])
        return [from_campaign_document(found) async for found in cursor.limit(limit)]

    async def versions(
        self, app_id: str, campaign_id: str, before: int | None, limit: int
    ) -> list[Campaign]:
        """Versions of a campaign, newest first, below `before`."""
        query: Document = {"campaign_id": campaign_id, "app_id": app_id}
        if before is not None:
            query["version"] = {"$lt": before}
        cursor = self._versions.find(query).sort("version", -1).limit(limit)
        return [from_campaign_document(found | {"_id": campaign_id}) async for found in cursor]

    async def due(self, now: datetime, limit: int) -> list[Campaign]:
        """Scheduled campaigns that send and whose start has come, the longest due first."""
        query = {
            "state": CampaignState.SCHEDULED.value,
            "start_time": {"$lte": now},
            "definition.schedule.frequency": {"$ne": IN_APP_EVENT},
        }
        cursor = self._campaigns.find(query).sort("start_time", 1).limit(limit)
        return [from_campaign_document(found) async for found in cursor]

    async def in_app(self, app_id: str, until: datetime) -> list[Campaign]:
        """In-app campaigns that are on, or will be before `until`."""
        query = {**_in_app(_SHOWN), "app_id": app_id, "start_time": {"$lte": until}}
        return [from_campaign_document(found) async for found in self._campaigns.find(query)]

    async def due_in_app(self, now: datetime, limit: int) -> list[Campaign]:
        """Scheduled in-app campaigns that are on."""
        query = {
            **_in_app([CampaignState.SCHEDULED.value]),
            "start_time": {"$lte": now},
            "$or": [{"end_time": None}, {"end_time": {"$gt": now}}],
        }
        cursor = self._campaigns.find(query).limit(limit)
        return [from_campaign_document(found) async for found in cursor]

    async def ended_in_app(self, now: datetime, limit: int) -> list[Campaign]:
        """In-app campaigns whose end has come and whose state does not say so."""
        query = {**_in_app([*_SHOWN, _PAUSED]), "end_time": {"$lte": now}}
        cursor = self._campaigns.find(query).limit(limit)
        return [from_campaign_document(found) async for found in cursor]

    async def count_in_app(self, app_id: str, now: datetime) -> int:
        """In-app campaigns of an application that are not over."""
        query = {
            **_in_app([state.value for state in CampaignState if state not in OVER]),
            "app_id": app_id,
            "$or": [{"end_time": None}, {"end_time": {"$gt": now}}],
        }
        return await self._campaigns.count_documents(query)

    async def on_segment(self, app_id: str, segment_id: str) -> list[Campaign]:
        """Campaigns of a segment that are not over."""
        over = [s.value for s in (CampaignState.DELETED, CampaignState.COMPLETED)]
        query = {
            "app_id": app_id,
            "definition.segment_id": segment_id,
            "state": {"$nin": [*over, CampaignState.STOPPED.value]},
        }
        return [from_campaign_document(found) async for found in self._campaigns.find(query)]

    async def count_active(self) -> int:
        active = [CampaignState.SCHEDULED, CampaignState.EXECUTING, CampaignState.PENDING_NEXT_RUN]
        return await self._campaigns.count_documents(
            {"state": {"$in": [state.value for state in active]}}
        )

    async def delete_application(self, app_id: str) -> list[str]:
        """Delete all campaigns of an application; returns their ids."""
        ids: list[str] = await self._campaigns.distinct("_id", {"app_id": app_id})
        await self._versions.delete_many({"app_id": app_id})
        await self._campaigns.delete_many({"app_id": app_id})
        return ids

    async def _keep_version(self, campaign: Campaign) -> None:
        document = campaign_document(campaign)
        document |= {"_id": _version_id(campaign), "campaign_id": campaign.campaign_id}
        await self._versions.replace_one({"_id": document["_id"]}, document, upsert=True)


def _in_app(states: Sequence[str]) -> Document:
    return {"definition.schedule.frequency": IN_APP_EVENT, "state": {"$in": list(states)}}


def _version_id(campaign: Campaign) -> str:
    return f"{campaign.campaign_id}/{campaign.version}"


def tags(database: Database) -> TagStore:
    """Where the labels of campaigns are."""
    return TagStore(
        database,
        "campaigns",
        lambda app_id, one: {"_id": one, "app_id": app_id, "state": {"$nin": _GONE}},
        counter="revision",
    )
