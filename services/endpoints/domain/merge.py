"""The merge rules of spec 2.4: (stored or none, change, occasion) to the new endpoint."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.endpoints.domain.endpoint import Change, Endpoint, Occasion, Texts
from services.endpoints.domain.identity import cohort_of
from services.endpoints.domain.instants import to_millisecond


def merged(
    stored: Endpoint | None, change: Change, occasion: Occasion, known: Texts | None = None
) -> Endpoint:
    """The endpoint after the change; a new one when there was none.

    Every write makes it ACTIVE unless the change says otherwise, and refreshes EffectiveDate.
    `known` are its user's attributes, when others know them.
    """
    before = stored or _Nothing(change.endpoint_id)
    user_id = before.user_id if change.user_id is None else change.user_id
    if known is None:
        # Attributes belong to the user: another user's stay behind (spec 2.4).
        stays = user_id == before.user_id or not before.user_id
        known = before.user_attributes if stays else {}
    now = to_millisecond(occasion.now)
    effective = change.effective_date
    return Endpoint(
        occasion.application_id,
        before.endpoint_id,
        stored.cohort if stored else cohort_of(occasion.application_id, change.endpoint_id),
        stored.creation_date if stored else now,
        to_millisecond(effective) if effective else now,
        occasion.request_id,
        change.channel_type or before.channel_type,
        before.address if change.address is None else change.address,
        texts(before.attributes, change.attributes),
        {**before.metrics, **change.metrics} if change.metrics else before.metrics,
        fields(before.demographic, change.demographic),
        fields(before.place, change.place),
        _coordinates(before.coordinates, change.coordinates),
        user_id,
        texts(known, change.user_attributes),
        before.opted_out if change.opted_out is None else change.opted_out,
        bool(change.inactive),
    )


@dataclass(frozen=True, slots=True)
class _Nothing:
    """What an endpoint has before its first change."""

    endpoint_id: str
    channel_type: str = ""
    address: str = ""
    attributes: Texts = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    demographic: Mapping[str, str] = field(default_factory=dict)
    place: Mapping[str, str] = field(default_factory=dict)
    coordinates: Mapping[str, float] = field(default_factory=dict)
    user_id: str = ""
    user_attributes: Texts = field(default_factory=dict)
    opted_out: bool = False


def texts(before: Texts, change: Texts) -> Texts:
    """Named lists are replaced, not appended to; an empty list removes the name."""
    if not change:
        return before
    if all(change.values()):
        return {**before, **change} if before else change
    return {name: values for name, values in {**before, **change}.items() if values}


def fields(before: Mapping[str, str], change: Mapping[str, str]) -> Mapping[str, str]:
    """Sub-fields are merged one by one; an empty text removes one."""
    if not change:
        return before
    if all(change.values()):
        return {**before, **change} if before else change
    return {name: value for name, value in {**before, **change}.items() if value}


def _coordinates(before: Mapping[str, float], change: Mapping[str, float]) -> Mapping[str, float]:
    if not change:
        return before
    # Kept to one decimal (spec 2.2); adding 0.0 turns -0.0 into 0.0.
    rounded = {name: round(value, 1) + 0.0 for name, value in change.items()}
    return {**before, **rounded}


def deactivated(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose address a newer one has taken over (spec 2.5.1), or is dead."""
    return replace(endpoint, inactive=True)


def pushed_out(endpoint: Endpoint) -> Endpoint:
    """An endpoint that made room for a newer one of its user (spec 2.5.2)."""
    return replace(endpoint, inactive=True, user_id="", user_attributes={})


def agreed(members: Iterable[Texts], change: Texts) -> Texts:
    """What all endpoints of a user shall hold: what any of them knows, later ones winning, with
    the change on top. Concurrent writers come to the same result whoever is last.
    """
    union: dict[str, tuple[str, ...]] = {}
    for known in members:
        union.update(known)
    return texts(union, change)


def with_user_attributes(endpoint: Endpoint, attributes: Texts) -> Endpoint:
    """The endpoint with its user's attributes as they are now."""
    return replace(endpoint, user_attributes=dict(attributes))
