"""What a batch of changes means for the endpoints at hand: merges, users and their caps, addresses.

Pure: everything read before is handed in, everything to be written comes out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from libs.errors import Violation
from services.endpoints.domain.channels import REPLACEABLE
from services.endpoints.domain.endpoint import Change, Endpoint, Occasion, Stored, Texts
from services.endpoints.domain.identity import document_id, reach_of
from services.endpoints.domain.limits import Limits, missing_for_new
from services.endpoints.domain.merge import agreed, deactivated, merged, pushed_out

Refusal = tuple[Violation, ...]
_TOO_MANY: Final = "the user has no room for another endpoint of this channel"


@dataclass(frozen=True, slots=True)
class Item:
    """A change, and its place in the request."""

    index: int
    change: Change
    document_id: str


@dataclass(slots=True)
class Plan:
    """What to do. Keys of `writes`, `evicted` and `indexes` are document ids.

    `user_changes` holds, for every user touched, the attributes named by the batch, in order.
    """

    writes: dict[str, Endpoint] = field(default_factory=dict)
    indexes: dict[str, list[int]] = field(default_factory=dict)
    evicted: set[str] = field(default_factory=set)
    refused: dict[int, Refusal] = field(default_factory=dict)
    user_changes: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)


class Planner:
    """Goes through the changes of a batch in order; a later one sees what earlier ones did."""

    def __init__(
        self,
        stored: Mapping[str, Stored],
        members: Iterable[tuple[str, Endpoint]],
        limits: Limits,
        occasion: Occasion,
        *,
        whole: bool = False,
    ) -> None:
        """`members` are the endpoints of the users concerned, with their document ids; `whole`
        asks new endpoints for an address and a channel.
        """
        self._stored = stored
        self._limits = limits
        self._occasion = occasion
        self._whole = whole
        self._users: dict[str, dict[str, Endpoint]] = {}
        for document, endpoint in members:
            self._users.setdefault(endpoint.user_id, {})[document] = endpoint
        self._holders: dict[str, str] = {}
        self.plan = Plan()

    def add(self, item: Item) -> None:
        """Plan one change."""
        plan, document = self.plan, item.document_id
        before = plan.writes.get(document)
        if before is None and (stored := self._stored.get(document)) is not None:
            before = stored.endpoint
        after = merged(before, item.change, self._occasion, self._known(before, item.change))
        refusal = missing_for_new(after) if self._whole and before is None else ()
        if not refusal and after.user_id:
            refusal = self._join(document, before, after, item.change.user_attributes)
        if refusal:
            plan.refused[item.index] = refusal
            return
        if before is not None and before.user_id and before.user_id != after.user_id:
            self._users.get(before.user_id, {}).pop(document, None)
        plan.writes[document] = after
        plan.indexes.setdefault(document, []).append(item.index)
        self._take_address(document, after)

    def _known(self, before: Endpoint | None, change: Change) -> Texts | None:
        """The attributes of the user an endpoint comes to; None when no others know them."""
        if not change.user_id or (before is not None and before.user_id == change.user_id):
            return None
        members = self._users.get(change.user_id)
        if not members:
            return None
        own = before.user_attributes if before is not None and not before.user_id else {}
        return agreed([own, *(member.user_attributes for member in members.values())], {})

    def _join(
        self, document: str, before: Endpoint | None, after: Endpoint, change: Texts
    ) -> Refusal:
        """Make the endpoint one of its user's, or say why it cannot be."""
        members = self._users.setdefault(after.user_id, {})
        joins = before is None or before.user_id != after.user_id
        if joins and members:
            refusal = self._make_room(members, after.channel_type)
            if refusal:
                return refusal
        if joins or change:
            self.plan.user_changes.setdefault(after.user_id, {}).update(change)
        members[document] = after
        return ()

    def _make_room(self, members: dict[str, Endpoint], channel_type: str) -> Refusal:
        """Spec 2.5.2: a device pushes out the user's oldest device; others are refused."""
        if len(members) < self._limits.most_per_user:
            return ()
        devices = [d for d, m in members.items() if m.channel_type in REPLACEABLE]
        if channel_type not in REPLACEABLE or not devices:
            return (
                Violation("user.user_id", f"{_TOO_MANY} ({self._limits.most_per_user} at most)"),
            )
        oldest = min(devices, key=lambda document: (members[document].effective_date, document))
        pushed = members.pop(oldest)
        if oldest in self.plan.writes:
            self.plan.writes[oldest] = pushed_out(pushed)
        else:
            self.plan.evicted.add(oldest)
        return ()

    def _take_address(self, document: str, endpoint: Endpoint) -> None:
        """Spec 2.5.1 within the batch; the store's unique index does the same for the rest."""
        reach = "" if endpoint.inactive else reach_of(endpoint.channel_type, endpoint.address)
        if not reach:
            return
        holder = self._holders.get(reach)
        if holder is not None and holder != document:
            other = self.plan.writes[holder]
            if reach_of(other.channel_type, other.address) == reach:
                self.plan.writes[holder] = deactivated(other)
        self._holders[reach] = document


def items_of(application_id: str, changes: Iterable[tuple[int, Change]]) -> list[Item]:
    """Changes with their document ids."""
    return [Item(i, c, document_id(application_id, c.endpoint_id)) for i, c in changes]
