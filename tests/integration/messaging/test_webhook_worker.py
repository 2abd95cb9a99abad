"""Webhooks from the ledger to the receiver: campaigns, answers, failures, lost rows, opt-outs."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.messaging.v1 import message_pb2

from libs.bus.publisher import Publisher
from libs.clock import SystemClock
from libs.ids import new_id
from libs.vault import Vault
from services.messaging.clients.events import EventPublisher
from services.messaging.clients.outbox import Cuts, Frame
from services.messaging.domain.ledger import Reason, State
from services.messaging.store.suppressions import STOP_KEYWORD, Suppression
from services.messaging.store.webhook_secrets import WebhookSecretStore
from services.messaging.usecases.feeding import Feeding
from services.messaging.usecases.refusals import Refusals
from tests.support.desk import (
    Desk,
    Events,
    counted,
    now,
    rule,
    settled,
    webhook_content,
    worker,
)
from tests.support.running import MASTER_KEY
from tests.support.sandboxes import Sandbox, eventually

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module", autouse=True)
async def webhook_worker(given: dict[str, Any], shared: Sandbox) -> AsyncIterator[None]:
    async with worker(given, "custom", webhook_allowed_hosts="127.0.0.1"):
        yield


async def frame(desk: Desk, box: Sandbox, **changes: Any) -> Frame:
    return await desk.frame("CUSTOM", content=webhook_content(box, desk.app_id), **changes)


def people(count: int) -> list[str]:
    return [f"c{n}" for n in range(count)]


async def test_a_campaign_reaches_the_webhook_once(
    desk: Desk, box: Sandbox, events: Events
) -> None:
    """Without a channel that anybody set up."""
    ids = await desk.send(await frame(desk, box), people(130))
    assert await settled(desk, ids, State.SENT) == {"SENT": 130}
    assert await box.counts("CUSTOM") == {f"e-c{n}": 1 for n in range(130)}
    took = await box.messages("CUSTOM")
    assert max(len(json.loads(one["body"])["Endpoints"]) for one in took) == 50
    assert {one["provider_message_id"] for one in took} == set(ids)
    await counted(events, desk, campaign_send=130)
    [status] = {e.attributes["campaign_send_status"] for e in events.of(desk.app_id)}
    assert status == "SUCCESS"


async def test_the_receiver_reads_the_whole_endpoint(desk: Desk, box: Sandbox) -> None:
    endpoint = endpoint_pb2.Endpoint(
        endpoint_id="e1",
        channel_type=channel_pb2.CHANNEL_TYPE_EMAIL,
        address="ann@shop.example",
        user=endpoint_pb2.User(user_id="ann"),
    )
    endpoint.attributes["Tier"].values.extend(["gold"])
    one = message_pb2.SendRecipient(
        endpoint_id="e1", address="ann@shop.example", endpoint=endpoint.SerializeToString()
    )
    cuts, made = Cuts(), await frame(desk, box)
    cuts.add(made, [one], now())
    await desk.submission.submit(cuts, (), now())
    [message_id] = [message_id for cut in cuts.cuts for message_id, _, _ in cut.recipients]
    await settled(desk, [message_id], State.SENT)
    [took] = await box.messages("CUSTOM", "e1")
    document = json.loads(took["body"])
    assert document["Endpoints"] == {
        "e1": {
            "Id": "e1",
            "ChannelType": "EMAIL",
            "Address": "ann@shop.example",
            "User": {"UserId": "ann"},
            "Attributes": {"Tier": ["gold"]},
        }
    }
    assert document["ScheduledTime"] == "2026-05-01T12:00:00Z"
    assert (document["CampaignId"], document["TreatmentId"]) == ("camp", "0")


async def test_what_the_webhook_answers_is_in_the_events_and_in_the_ledger(
    desk: Desk, box: Sandbox, events: Events
) -> None:
    await box.behave(rule("CUSTOM", "r", kind="deliver", text='{"tier": "gold"}'))
    ids = await desk.send(await frame(desk, box), people(3))
    await settled(desk, ids, State.SENT)
    await counted(events, desk, campaign_send=3)
    assert {e.attributes["tier"] for e in events.of(desk.app_id)} == {"gold"}
    # Told again from the ledger, should the events be lost.
    assert {row.attributes for row in await desk.rows(ids)} == {(("tier", "gold"),)}


async def test_a_malformed_answer_fails_nothing(desk: Desk, box: Sandbox) -> None:
    await box.behave(rule("CUSTOM", "r", kind="deliver", text="thank you"))
    ids = await desk.send(await frame(desk, box), people(2))
    assert await settled(desk, ids, State.SENT) == {"SENT": 2}
    assert all(row.detail and not row.attributes for row in await desk.rows(ids))


async def feeding(desk: Desk, bus: Publisher) -> Feeding:
    """The gateway's clock over the desk's database."""
    refusals = Refusals(EventPublisher(bus))
    return Feeding(desk.ledger, desk.batches, desk.dispatches, desk.outbox, refusals)


async def test_three_attempts_then_a_failure_with_its_reason(
    desk: Desk, box: Sandbox, bus: Publisher, events: Events
) -> None:
    await box.behave(rule("CUSTOM", "r", kind="reject", code=500))
    ids = await desk.send(await frame(desk, box), people(2))
    clock = await feeding(desk, bus)

    async def failed() -> bool:
        await clock.feed_due()
        return await desk.states(ids) == {"FAILED": 2}

    await eventually(failed, 60)
    rows = await desk.rows(ids)
    assert {(row.reason, row.attempts) for row in rows} == {(Reason.CUSTOM_DELIVERY_FAILURE, 3)}
    await counted(events, desk, campaign_send=2)
    statuses = {e.attributes["campaign_send_status"] for e in events.of(desk.app_id)}
    assert statuses == {"CUSTOM_DELIVERY_FAILURE"}


async def test_a_stranger_gets_nothing_and_the_row_says_why(desk: Desk, box: Sandbox) -> None:
    await box.behave(rule("CUSTOM", "r", kind="stranger"))
    ids = await desk.send(await frame(desk, box), people(2))
    assert await settled(desk, ids, State.FAILED) == {"FAILED": 2}
    rows = await desk.rows(ids)
    assert all("x-touchpoint-application-id" in row.detail for row in rows)
    assert await box.counts("CUSTOM") == {}


async def test_what_a_dead_worker_left_is_sent_again_with_the_same_ids_by_itself(
    desk: Desk, box: Sandbox, bus: Publisher
) -> None:
    """The receiver had it before the worker died, and takes a message once."""
    first = await desk.send(await frame(desk, box), people(60))
    await settled(desk, first, State.SENT)
    # Claimed, with a lease that is over: as if the worker had died between call and outcome.
    where = {"_id": {"$in": first}}
    await desk.database["messages"].update_many(where, {"$set": {"state": "QUEUED"}})
    token = new_id()
    await desk.ledger.resolve_and_claim((), "", first, token, lease_seconds=0)
    assert await desk.ledger.claimed_by(token, first) == set(first)
    clock = await feeding(desk, bus)
    assert await desk.ledger.mark_lost(await desk.ledger.now() + timedelta(seconds=1)) >= 60

    async def sent_again() -> bool:
        await clock.feed_due()
        return await desk.states(first) == {"SENT": 60}

    await eventually(sent_again, 60)
    assert await box.counts("CUSTOM") == {f"e-c{n}": 1 for n in range(60)}
    async with box.http.get("/stats") as answer:
        stats = await answer.json(content_type=None)
    assert stats["CUSTOM"]["verdicts"] == {"accepted": 60, "repeat": 60}


async def test_who_opted_out_or_said_stop_on_another_channel_gets_nothing(
    desk: Desk, box: Sandbox
) -> None:
    address, number = f"{new_id()}@shop.example", desk.number
    await desk.suppressions.record(desk.app_id, ["e-out"])
    await desk.suppressions.suppress(
        [Suppression("EMAIL", address, "COMPLAINT"), Suppression("SMS", number, STOP_KEYWORD)]
    )
    ids = await desk.send(await frame(desk, box), ["out", address, number, "fine"])
    await settled(desk, ids, State.SENT, State.SKIPPED)
    reasons = {row.address: row.reason for row in await desk.rows(ids)}
    assert reasons == {
        "out": Reason.OPT_OUT,
        address: Reason.SUPPRESSED,
        number: Reason.OPT_OUT,
        "fine": "",
    }
    assert await box.counts("CUSTOM") == {"e-fine": 1}


async def test_a_rate_of_the_campaign_is_kept(desk: Desk, box: Sandbox) -> None:
    ids = await desk.send(await frame(desk, box, messages_per_second=10), people(15))
    await settled(desk, ids, State.SENT)
    times = await box.http.get("/timestamps", params={"channel": "CUSTOM", "clock": "steady"})
    moments = await times.json(content_type=None)
    assert len(moments) == 15
    assert moments[-1] - moments[0] >= 400_000


async def test_a_secret_is_made_once_and_signs_with_the_one_before(desk: Desk) -> None:
    store = WebhookSecretStore(desk.database, Vault(MASTER_KEY))
    clock = SystemClock()
    [first] = await store.in_force(desk.app_id, clock.now())
    assert await store.in_force(desk.app_id, clock.now()) == [first]
    made = await store.rotate(desk.app_id, clock.now())
    both = await store.in_force(desk.app_id, clock.now())
    assert [one.text for one in both] == [made.text, first.text]
    later = clock.now() + timedelta(days=2)
    assert [one.text for one in await store.in_force(desk.app_id, later)] == [made.text]
    kept = await desk.database["webhook_secrets"].find_one({"_id": desk.app_id})
    assert first.text not in str(kept)
    assert made.text not in str(kept)
