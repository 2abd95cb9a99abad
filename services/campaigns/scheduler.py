"""The clock edge: opens due runs, reads their audience shard by shard, and ends them.

Everything is claimed by lease, so any number of these may run; whoever dies is replaced when its
lease ends, and the next one goes on from the saved cursor.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

import grpc
from grpc import aio

from libs.chassis.logging import get_logger
from libs.clock import Clock
from libs.errors import ResourceNotFound, VersionConflict
from libs.ids import new_id
from services.campaigns.clients.audience import AudienceClient, Batch
from services.campaigns.clients.dispatch import DispatchClient
from services.campaigns.config import Settings
from services.campaigns.domain.activity import Activity, ActivityState, Shard
from services.campaigns.domain.audience import Plan
from services.campaigns.store.activities import ActivityStore
from services.campaigns.store.campaigns import CampaignStore
from services.campaigns.usecases.in_app import InAppStates
from services.campaigns.usecases.runs import Runs

_AWAY = (aio.AioRpcError, ConnectionError, TimeoutError)


class Scheduler:
    """Four loops: due campaigns, runs, shards, and controls the gateway does not know of yet."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        campaigns: CampaignStore,
        activities: ActivityStore,
        runs: Runs,
        feeder: "Feeder",
    ) -> None:
        self._poll_seconds = settings.poll_seconds
        self._clock = clock
        self._campaigns = campaigns
        self._activities = activities
        self._runs = runs
        self._feeder = feeder
        self._owner = new_id()

    async def open_due(self, stopping: asyncio.Event) -> None:
        """Open the runs of campaigns whose time has come."""
        await self._repeat(stopping, self._open_due)

    async def look_after_runs(self, stopping: asyncio.Event) -> None:
        """Begin runs that are pending and end those that are over."""
        await self._repeat(stopping, self._look_after_run)

    async def apply_controls(self, stopping: asyncio.Event) -> None:
        """Tell the gateway about holds and cancellations it could not be told at once."""
        await self._repeat(stopping, self._apply_controls)

    async def feed_shards(self, stopping: asyncio.Event) -> None:
        """Read free shards, several side by side."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._feeder.concurrency):
                group.create_task(self._repeat(stopping, self._feed_shard(stopping)))

    async def _open_due(self) -> bool:
        due = await self._campaigns.due(self._clock.now(), 20)
        for campaign in due:
            try:
                await self._runs.open(campaign)
            except VersionConflict:
                continue  # another scheduler, or an operator, was faster
        return bool(due)

    async def _look_after_run(self) -> bool:
        activity = await self._activities.lease(self._owner)
        if activity is None:
            return False
        pause_ms = int(self._poll_seconds * 1000)
        try:
            if activity.state in {ActivityState.PENDING, ActivityState.INITIALIZING}:
                await self._runs.begin(activity, self._clock.now())
            elif activity.state is ActivityState.RUNNING:
                await self._runs.finish_if_over(activity, self._clock.now())
        except ResourceNotFound:
            pause_ms = 60_000  # the campaign was deleted this moment; its run follows
        finally:
            await self._activities.release(activity.activity_id, self._owner, pause_ms)
        return False

    async def _apply_controls(self) -> bool:
        for activity in await self._activities.unapplied():
            await self._runs.apply_control(activity)
        return False

    def _feed_shard(self, stopping: asyncio.Event) -> Callable[[], Awaitable[bool]]:
        async def feed() -> bool:
            shard = await self._activities.lease_shard(self._owner)
            if shard is None:
                return False
            activity = await self._activities.activity(shard.activity_id)
            if activity is None:
                return False
            plan = await self._runs.plan(activity)
            await self._feeder.feed(activity, plan, shard, self._owner, stopping)
            return True

        return feed

    async def _repeat(self, stopping: asyncio.Event, step: Callable[[], Awaitable[bool]]) -> None:
        await _repeat(stopping, self._poll_seconds, step)


class InAppScheduler:
    """One loop: in-app campaigns, which have no runs, begin and end."""

    def __init__(self, poll_seconds: float, clock: Clock, in_app: InAppStates) -> None:
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._in_app = in_app

    async def follow(self, stopping: asyncio.Event) -> None:
        """Let their states follow their times."""
        await _repeat(stopping, self._poll_seconds, self._follow)

    async def _follow(self) -> bool:
        return await self._in_app.follow(self._clock.now())


class Feeder:
    """Reads a shard and hands it to the gateway, batch by batch, no faster than it is sent."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        activities: ActivityStore,
        audience: AudienceClient,
        dispatch: DispatchClient,
    ) -> None:
        self.concurrency = max(2, settings.shards_per_run)
        self._most_open = settings.most_open_messages
        self._lease_seconds = settings.lease_seconds
        self._clock = clock
        self._activities = activities
        self._audience = audience
        self._dispatch = dispatch

    async def feed(
        self, activity: Activity, plan: Plan, shard: Shard, owner: str, stopping: asyncio.Event
    ) -> None:
        """Read on from the shard's cursor until its end, a hold, a lost lease or a stop."""
        try:
            batches = self._audience.stream(activity.application_id, activity.audience, shard)
            async with aclosing(batches):
                shard = await self._feed(activity, plan, shard, owner, batches, stopping)
        finally:
            await self._activities.release_shard(shard, owner)

    async def _feed(
        self,
        activity: Activity,
        plan: Plan,
        shard: Shard,
        owner: str,
        batches: AsyncGenerator[Batch, None],
        stopping: asyncio.Event,
    ) -> Shard:
        unchecked = self._most_open  # a run that goes on may have many open: look first
        async for batch in batches:
            if unchecked >= self._most_open // 8:
                if not await self._wait_for_room(activity, shard, owner, stopping):
                    return shard
                unchecked = 0
            counters = await self._dispatch.submit(activity, plan, batch, self._clock.now())
            shard = replace(shard, cursor=batch.cursor)
            targeted = counters["ENDPOINT_PRODUCED"]
            mine = await self._activities.advance(shard, owner, targeted, counters)
            unchecked += targeted
            if not mine or stopping.is_set():
                return shard
        shard = replace(shard, done=True)
        await self._activities.advance(shard, owner, 0, {})
        return shard

    async def _wait_for_room(
        self, activity: Activity, shard: Shard, owner: str, stopping: asyncio.Event
    ) -> bool:
        """Wait while too many messages of the run are open; False when there is no point to."""
        while not stopping.is_set():
            progress = await self._dispatch.progress(activity.application_id, activity.activity_id)
            if progress.open_count <= self._most_open:
                return True
            await _wait(stopping, min(1.0, self._lease_seconds / 4))
            if not await self._activities.renew(shard, owner):
                return False
        return False


async def _repeat(
    stopping: asyncio.Event, poll_seconds: float, step: Callable[[], Awaitable[bool]]
) -> None:
    """Call `step` until stopped; at once again while it finds work. Failures are waited out."""
    while not stopping.is_set():
        try:
            busy = await step()
        except _AWAY as error:
            get_logger().warning("scheduler_waiting", cause=_cause(error))
            busy = False
        except Exception:
            get_logger().exception("scheduler_step_failed")
            busy = False
        if not busy:
            await _wait(stopping, poll_seconds)


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


def _cause(error: BaseException) -> str:
    if isinstance(error, aio.AioRpcError):
        code: grpc.StatusCode = error.code()
        return code.name
    return type(error).__name__
