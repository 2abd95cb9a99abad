"""Event batches: joined from serialized parts, they read as whole events with derived ids."""

from datetime import UTC, datetime

from touchpoint.analytics.v1 import events_pb2

from libs.ids import derived_id
from libs.timestamps import from_timestamp
from services.messaging.clients.events import EventBatch
from services.messaging.domain.happenings import Happening

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 5, 1, 13, tzinfo=UTC)


def test_events_are_whole() -> None:
    batch = EventBatch("app", {"campaign_id": "c", "treatment_id": "0"})
    long = "x" * 5000
    batch.extend(
        [
            Happening("_email.send", "m1", "e1", AT, "u1", {"message_id": "m1"}),
            Happening("_email.send", "m2", "e2", LATER, "", {"message_id": "m2", "feedback": long}),
            Happening("_campaign.send", "mü", "e3", AT, "", {"treatment_id": "1"}),
        ]
    )
    assert len(batch) == 3
    outgoing = batch.outgoing()
    assert (outgoing.routing_key, len(batch)) == ("messaging.events", 0)
    assert outgoing.type == "touchpoint.analytics.v1.EventBatch"
    one, two, three = events_pb2.EventBatch.FromString(outgoing.body).events
    assert one.event_id == derived_id("m1", "_email.send")
    assert three.event_id == derived_id("mü", "_campaign.send")
    assert (one.application_id, one.client_id, one.user_id) == ("app", "e1", "u1")
    assert dict(one.attributes) == {"campaign_id": "c", "treatment_id": "0", "message_id": "m1"}
    assert two.attributes["feedback"] == long
    assert from_timestamp(one.event_time) == AT
    assert from_timestamp(two.event_time) == LATER
    assert from_timestamp(three.event_time) == AT
    assert one.HasField("arrival_time")
    assert three.attributes["treatment_id"] == "1"  # its own value wins


def test_what_could_not_be_published_comes_first_again() -> None:
    batch = EventBatch("app", {})
    batch.extend([Happening("a", "1", "c", AT)])
    body = batch.outgoing().body
    batch.extend([Happening("b", "2", "c", AT)])
    batch.put_back(body)
    events = events_pb2.EventBatch.FromString(batch.outgoing().body).events
    assert [event.event_type for event in events] == ["a", "b"]
