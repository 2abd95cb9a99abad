"""Writing endpoints: the one path of single updates, batches and imports."""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from libs.errors import VersionConflict, Violation
from services.endpoints.clients import Consent
from services.endpoints.domain.endpoint import Change, Endpoint, Occasion, Stored
from services.endpoints.domain.identity import reach_of
from services.endpoints.domain.limits import (
    Limits,
    name_violations,
    names_of,
    size_violations,
    violations,
)
from services.endpoints.domain.merge import agreed, deactivated, pushed_out, with_user_attributes
from services.endpoints.domain.plan import Item, Plan, Planner, items_of
from services.endpoints.domain.removal import without
from services.endpoints.store.endpoints import Draft, EndpointStore, drafted, plain_names
from services.endpoints.store.names import NameStore
from services.endpoints.store.removals import RemovalStore

ATTEMPTS: Final = 10
"""Rounds against other writers of the same endpoints before the caller is told."""
UserChanges = dict[str, dict[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Options:
    """How a batch is written. `whole` asks new endpoints for an address and a channel, `joins`
    makes all members of an imported segment, `check_only` writes nothing.
    """

    whole: bool = False
    joins: str = ""
    check_only: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change: the endpoint, or what is wrong; neither after a conflict."""

    endpoint: Endpoint | None = None
    refusal: tuple[Violation, ...] = ()


CONFLICT: Final = Outcome()


@dataclass(slots=True)
class _Work:
    """A batch on its way."""

    occasion: Occasion
    options: Options
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    users: UserChanges = field(default_factory=dict)


class Upserts:
    """Applies changes by the rules of spec 2.4 and 2.5; each stands alone."""

    def __init__(
        self,
        store: EndpointStore,
        names: NameStore,
        removals: RemovalStore,
        consent: Consent,
        limits: Limits,
    ) -> None:
        self._store = store
        self._removals = removals
        self._names = names
        self._consent = consent
        self._limits = limits

    async def apply(
        self, occasion: Occasion, changes: Sequence[Change], options: Options | None = None
    ) -> list[Outcome]:
        """One outcome a change, in their order. What is told as done is stored, and opt-outs are
        in force.
        """
        work = _Work(occasion, options or Options())
        removed = await self._removals.removed(occasion.application_id)
        changes = [without(change, removed) for change in changes]
        items = await self._admitted(work, changes)
        for attempt in range(ATTEMPTS):
            if not items:
                break
            await _stand_back(attempt)
            items = await self._round(work, items)
        for item in items:
            work.outcomes[item.index] = CONFLICT
        await self._agree(occasion.application_id, work.users)
        return [work.outcomes[index] for index in range(len(changes))]

    async def _admitted(self, work: _Work, changes: Sequence[Change]) -> list[Item]:
        """The changes without fault in themselves."""
        fine: list[tuple[int, Change]] = []
        for index, change in enumerate(changes):
            refusal = violations(change, self._limits)
            if refusal:
                work.outcomes[index] = Outcome(refusal=refusal)
            else:
                fine.append((index, change))
        fine = await self._with_known_names(work, fine)
        return items_of(work.occasion.application_id, fine)

    async def _with_known_names(
        self, work: _Work, changes: list[tuple[int, Change]]
    ) -> list[tuple[int, Change]]:
        named = [names_of(change) for _, change in changes]
        refused = await self._names.admit(
            work.occasion.application_id,
            set().union(*named),
            register=not work.options.check_only,
        )
        if not refused:
            return changes
        fine: list[tuple[int, Change]] = []
        for (index, change), names in zip(changes, named, strict=True):
            if beyond := names & refused:
                told = name_violations(beyond, self._limits)
                work.outcomes[index] = Outcome(refusal=told)
            else:
                fine.append((index, change))
        return fine

    async def _round(self, work: _Work, items: Sequence[Item]) -> list[Item]:
        """Read, plan, write once; returns the items that lost against other writers."""
        stored = await self._store.stored({item.document_id for item in items})
        plan = await self._planned(work, items, stored)
        drafts = self._drafts(work, plan, stored)
        if work.options.check_only:
            lost: set[str] = set()
        else:
            lost = await self._write(work, plan, drafts, stored)
        for draft in drafts:
            if draft.document_id not in lost:
                outcome = Outcome(plan.writes[draft.document_id])
                work.outcomes.update((i, outcome) for i in plan.indexes[draft.document_id])
        for user_id, named in plan.user_changes.items():
            work.users.setdefault(user_id, {}).update(named)
        return [i for i in items if i.document_id in lost and i.index not in work.outcomes]

    async def _planned(
        self, work: _Work, items: Sequence[Item], stored: Mapping[str, Stored]
    ) -> Plan:
        users = _joined_users(items, stored)
        members = await self._store.members(work.occasion.application_id, users)
        planner = Planner(stored, members, self._limits, work.occasion, whole=work.options.whole)
        for item in items:
            planner.add(item)
        for index, refusal in planner.plan.refused.items():
            work.outcomes[index] = Outcome(refusal=refusal)
        return planner.plan

    def _drafts(self, work: _Work, plan: Plan, stored: Mapping[str, Stored]) -> list[Draft]:
        drafts: list[Draft] = []
        for key, endpoint in plan.writes.items():
            draft = drafted(key, endpoint, stored.get(key), work.options.joins)
            refusal = size_violations(draft.size_bytes, self._limits)
            if refusal:
                work.outcomes.update((i, Outcome(refusal=refusal)) for i in plan.indexes[key])
            else:
                drafts.append(draft)
        return drafts

    async def _write(
        self, work: _Work, plan: Plan, drafts: Sequence[Draft], stored: Mapping[str, Stored]
    ) -> set[str]:
        application_id = work.occasion.application_id
        out, back = _minds_changed(plan, drafts, stored)
        await self.amend(plan.evicted, pushed_out)
        # Out before the write, back in only after it: a crash in between sends nothing.
        await self._consent.record(application_id, out.values(), ())
        written = await self._store.write(drafts)
        await self._consent.record(
            application_id, (), [name for key, name in back.items() if key not in written.lost]
        )
        if written.taken:
            await self._free(application_id, written.taken)
        return written.lost

    async def _free(self, application_id: str, reaches: Collection[str]) -> None:
        """Make the endpoints that hold these addresses INACTIVE (spec 2.5.1)."""

        def without(endpoint: Endpoint) -> Endpoint:
            held = reach_of(endpoint.channel_type, endpoint.address) in reaches
            return deactivated(endpoint) if held else endpoint

        holders = await self._store.holders(application_id, reaches)
        await self.amend(holders.values(), without)

    async def _agree(self, application_id: str, users: UserChanges) -> None:
        """Give all endpoints of a user the same attributes (spec 2.4)."""
        pending: Collection[str] = users
        for attempt in range(ATTEMPTS):
            known = await self._store.user_attributes(application_id, pending)
            apart = {
                user_id: members
                for user_id, members in known.items()
                if any(m.attributes != members[0].attributes for m in members)
            }
            if not apart:
                return
            await _stand_back(attempt)
            targets = {
                user_id: agreed((plain_names(m.attributes) for m in members), users[user_id])
                for user_id, members in apart.items()
            }

            def agreeing(endpoint: Endpoint, targets: Mapping = targets) -> Endpoint:  # type: ignore[type-arg]
                target = targets.get(endpoint.user_id)
                return endpoint if target is None else with_user_attributes(endpoint, target)

            await self.amend([m.document_id for ms in apart.values() for m in ms], agreeing)
            pending = apart
        raise VersionConflict("user", sorted(pending)[0])

    async def amend(
        self, document_ids: Iterable[str], amended: Callable[[Endpoint], Endpoint]
    ) -> None:
        """Change endpoints that others may be writing too; those that are gone are left alone."""
        pending = set(document_ids)
        for attempt in range(ATTEMPTS):
            if not pending:
                return
            await _stand_back(attempt)
            drafts = [
                drafted(key, after, before)
                for key, before in (await self._store.stored(pending)).items()
                if (after := amended(before.endpoint)) != before.endpoint
            ]
            pending = (await self._store.write(drafts)).lost
        if pending:
            raise VersionConflict("endpoint", sorted(pending)[0].rpartition("/")[2])


def _joined_users(items: Iterable[Item], stored: Mapping[str, Stored]) -> set[str]:
    """Users that get an endpoint they did not have."""
    joined: set[str] = set()
    for item in items:
        user_id = item.change.user_id
        before = stored.get(item.document_id)
        if user_id and (before is None or before.endpoint.user_id != user_id):
            joined.add(user_id)
    return joined


def _minds_changed(
    plan: Plan, drafts: Iterable[Draft], stored: Mapping[str, Stored]
) -> tuple[dict[str, str], dict[str, str]]:
    """Endpoint ids of those that opt out, and of those that come back, by document id."""
    out: dict[str, str] = {}
    back: dict[str, str] = {}
    for draft in drafts:
        key = draft.document_id
        before, after = stored.get(key), plan.writes[key]
        was_out = before is not None and before.endpoint.opted_out
        if after.opted_out != was_out:
            (out if after.opted_out else back)[key] = after.endpoint_id
    return out, back


async def _stand_back(attempt: int) -> None:
    """Wait a little before another try against others; not before the first."""
    if attempt:
        await asyncio.sleep(random.uniform(0, 0.005 * 2 ** min(attempt, 6)))
