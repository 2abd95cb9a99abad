"""Property: a filter compiled for MongoDB admits exactly the endpoints the in-memory one does."""

import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from math import isclose
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.mongo.client import new_client
from libs.mongo.indexes import ensure_clustered
from services.endpoints.domain.channels import CHANNELS
from services.endpoints.domain.endpoint import Endpoint, Stored
from services.endpoints.domain.evaluate import distance_km, matches
from services.endpoints.domain.filters import (
    Activity,
    Channel,
    Distance,
    Filter,
    Group,
    Imported,
    Instant,
    Number,
    Text,
    Version,
    check_filter,
    nodes,
)
from services.endpoints.domain.identity import application_range, document_id
from services.endpoints.store.documents import to_document, to_stored
from services.endpoints.store.filters import query_for

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
NAMES = st.sampled_from(["Plan", "a.b", "$x", "0", "%2E", "Größe"])
WORDS = [
    "pro",
    "Pro",
    "New York",
    "Newcastle",
    "ew",
    "a.c",
    "abc",
    "(x|y)",
    "^a$",
    "2.0",
    "2",
    "2.0.1",
    "10.1",
    "2.0-rc.1",
    "2.0-rc.2",
    "2026-11-25",
    "2026-11-25T00:00:00Z",
    "2026-11-25T12:00:00.123456Z",
    "2026-11-24T23:59:59.999Z",
    "2026-13-01",
    "2026-11-25T12:00:00+02:00",
    "line\nbreak",
    "Ünï",
]
VALUES = st.one_of(st.sampled_from(WORDS), st.text(max_size=4).filter(lambda t: "\0" not in t))
LISTS = st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=3).map(tuple), max_size=3)
NUMBERS = st.sampled_from([-1.0, 0.0, 0.1, 1.0, 100.0, 1e18])
MOMENTS = st.one_of(
    st.sampled_from([NOW, NOW + timedelta(microseconds=123456), NOW.replace(hour=0)]),
    st.integers(-(10**8), 10**8).map(lambda n: NOW + timedelta(milliseconds=n)),
)
LATITUDE = st.integers(-900, 900).map(lambda n: n / 10)
LONGITUDE = st.integers(-1800, 1800).map(lambda n: n / 10)
SEGMENTS = st.sampled_from(["s1", "s2"])
CHANNEL = st.sampled_from(sorted(CHANNELS))
COMPARISON = st.sampled_from(
    ["EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"]
)
VERSIONS = ["2", "2.0.0", "2.0.1", "10.1", "2.0-rc.1", "1.9", "0"]
ATTRIBUTE = st.sampled_from(["ATTRIBUTE", "USER_ATTRIBUTE"])
FIXED = st.sampled_from(["APP_VERSION", "MAKE", "MODEL", "PLATFORM", "COUNTRY", "USER_ID"])


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


@st.composite
def endpoints(draw: Any) -> Stored:
    def some(names: list[str], values: st.SearchStrategy[Any]) -> dict[str, Any]:
        drawn = {name: draw(optional(values)) for name in names}
        return {name: value for name, value in drawn.items() if value not in {None, ""}}

    has_point = draw(st.booleans())
    endpoint = Endpoint(
        "app",
        uuid.uuid4().hex,
        7,
        NOW,
        NOW,
        channel_type=draw(st.one_of(st.just(""), CHANNEL)),
        attributes=draw(LISTS),
        metrics=draw(st.dictionaries(NAMES, NUMBERS, max_size=3)),
        demographic=some(
            ["app_version", "make", "model", "platform"],
            st.one_of(st.sampled_from(VERSIONS), VALUES),
        ),
        place=some(["country", "city"], VALUES),
        coordinates={"latitude": draw(LATITUDE), "longitude": draw(LONGITUDE)} if has_point else {},
        user_id=draw(st.one_of(st.just(""), VALUES)),
        user_attributes=draw(LISTS),
    )
    activity = draw(MOMENTS)
    imports = frozenset(draw(st.lists(SEGMENTS, max_size=2)))
    return Stored(
        endpoint, 1, activity.replace(microsecond=activity.microsecond // 1000 * 1000), imports
    )


def single_tests() -> st.SearchStrategy[Filter]:
    values = st.lists(VALUES, min_size=1, max_size=3).map(tuple)
    operator = st.sampled_from(["IN", "NOT_IN", "CONTAINS"])
    flags = st.booleans()
    return st.one_of(
        st.builds(Text, ATTRIBUTE, operator, values, NAMES),
        st.builds(Text, FIXED, operator, values),
        st.builds(Instant, ATTRIBUTE, NAMES, optional(MOMENTS), optional(MOMENTS), flags, flags),
        st.builds(Version, ATTRIBUTE, COMPARISON, st.sampled_from(VERSIONS), NAMES),
        st.builds(Version, st.just("APP_VERSION"), COMPARISON, st.sampled_from(VERSIONS)),
        st.builds(Number, NAMES, COMPARISON, NUMBERS),
        st.builds(Distance, LATITUDE, LONGITUDE, st.floats(1, 20_000)),
        st.builds(Activity, flags, MOMENTS),
        st.builds(Imported, SEGMENTS),
        st.builds(Channel, flags, st.lists(CHANNEL, min_size=1, max_size=3).map(tuple)),
    )


def filters() -> st.SearchStrategy[Filter]:
    kinds = st.sampled_from(["ALL", "ANY", "NONE"])
    return st.recursive(
        single_tests(),
        lambda parts: st.builds(Group, kinds, st.lists(parts, max_size=4).map(tuple)),
        max_leaves=8,
    )


@pytest.fixture(scope="module")
async def collection(mongo_uri: str, database_prefix: str) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        client = new_client(mongo_uri, "test")
        stack.callback(client.close)
        database = client.get_database(f"{database_prefix}filters")
        await ensure_clustered(database, "endpoints")
        yield database["endpoints"]


def near_a_border(stored: Stored, asked: Filter) -> bool:
    """Whether the two ways of computing a distance may fall on different sides of a range."""
    for _, _, node in nodes(asked):
        if isinstance(node, Distance):
            away = distance_km(stored, node)
            if away is not None and isclose(away, node.range_km, rel_tol=1e-6, abs_tol=1e-3):
                return True
    return False


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    some=st.lists(endpoints(), min_size=4, max_size=12),
    asked=st.lists(filters(), min_size=6, max_size=12),
)
async def test_the_store_and_the_domain_admit_the_same(
    collection: Any, some: list[Stored], asked: list[Filter]
) -> None:
    await collection.delete_many({})
    by_id = {document_id("app", s.endpoint.endpoint_id): s for s in some}
    documents = [
        to_document(key, s.endpoint, s.last_activity, sorted(s.imports)) for key, s in by_id.items()
    ]
    await collection.insert_many(documents)
    for document in documents:
        assert to_stored(document).endpoint == by_id[document["_id"]].endpoint
    for one in asked:
        check_filter(one)
        query = query_for(application_range("app"), one)
        found = {d["_id"] async for d in collection.find(query, {"_id": 1})}
        for key, stored in by_id.items():
            if not near_a_border(stored, one):
                assert (key in found) == matches(stored, one), (one, stored)
