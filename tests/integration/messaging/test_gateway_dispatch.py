"""Dispatches through the real gateway: repeats, crashes between steps, duplicates, controls."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from grpc import aio
from touchpoint.analytics.v1 import event_pb2
from touchpoint.applications.v1 import events_pb2 as applications_events
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import dispatch_service_pb2 as pb
from touchpoint.messaging.v1 import message_pb2
from touchpoint.messaging.v1 import messaging_service_pb2 as messaging_pb

from libs.bus.publisher import Publisher, outgoing
from libs.bus.topology import EVENTS
from libs.ids import derived_id, new_id
from services.messaging.clients.outbox import Cuts, Frame
from services.messaging.domain.ledger import Origin, Outcome, State
from services.messaging.store.ledger import Shared
from tests.integration.messaging.gateway_support import (
    EMAIL,
    METADATA,
    SMS,
    Gateway,
    email_channel,
    new_dispatch,
    recipients,
    running_gateway,
    submission,
    until,
)
from tests.support.running import refusal

pytestmark = pytest.mark.servers
HOLD, RELEASE, CANCEL = (
    pb.DISPATCH_CONTROL_HOLD,
    pb.DISPATCH_CONTROL_RELEASE,
    pb.DISPATCH_CONTROL_CANCEL,
)


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as running:
        yield running


async def control(gateway: Gateway, app_id: str, dispatch_id: str, value: int) -> None:
    request = pb.ControlDispatchRequest(
        application_id=app_id,
        dispatch_id=dispatch_id,
        control=value,  # type: ignore[arg-type]
    )
    await gateway.dispatch.ControlDispatch(request, metadata=METADATA)


async def states(gateway: Gateway, dispatch_id: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in (await gateway.rows(dispatch_id)).values():
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    return counts


async def test_recipients_are_queued_once_however_often_they_are_submitted(
    gateway: Gateway,
) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    request = submission(app_id, dispatch_id, recipients(250))
    first = await gateway.dispatch.SubmitRecipients(request, metadata=METADATA)
    again = await gateway.dispatch.SubmitRecipients(request, metadata=METADATA)
    assert (first.queued_count, first.repeated_count) == (250, 0)
    assert (again.queued_count, again.repeated_count) == (0, 250)
    batches = await gateway.published(dispatch_id)
    ids = [one.message_id for batch in batches for one in batch.recipients]
    assert [len(batch.recipients) for batch in batches] == [100, 100, 50]
    assert sorted(set(ids)) == sorted(ids)
    assert len(ids) == 250
    assert ids[0] == derived_id(dispatch_id, "EMAIL", batches[0].recipients[0].address)
    assert await states(gateway, dispatch_id) == {"QUEUED": 250}


async def test_a_repeat_cut_otherwise_queues_only_what_is_new(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    first = submission(app_id, dispatch_id, recipients(150))
    await gateway.dispatch.SubmitRecipients(first, metadata=METADATA)
    await gateway.published()
    shifted = submission(app_id, dispatch_id, recipients(150, first=50))
    answer = await gateway.dispatch.SubmitRecipients(shifted, metadata=METADATA)
    assert (answer.queued_count, answer.repeated_count) == (50, 100)
    ids = await gateway.published_ids(dispatch_id)
    assert len(ids) == len(set(ids)) == 50


async def test_an_address_of_two_endpoints_gets_one_message(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    one = message_pb2.SendRecipient(endpoint_id="e1", address="Ann@Shop.example")
    same = message_pb2.SendRecipient(endpoint_id="e2", address="ann@shop.example")
    later = message_pb2.SendRecipient(endpoint_id="e3", address="ann@shop.example ")
    answer = await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, [one, same]), metadata=METADATA
    )
    assert (answer.queued_count, answer.duplicate_count) == (1, 1)
    for expected in ((1, 0), (0, 1)):
        answer = await gateway.dispatch.SubmitRecipients(
            submission(app_id, dispatch_id, [later]), metadata=METADATA
        )
        assert (answer.duplicate_count, answer.repeated_count) == expected
    assert len(await gateway.published_ids(dispatch_id)) == 1
    rows = await gateway.rows(dispatch_id)
    assert rows["Ann@Shop.example/e1"]["state"] == "QUEUED"
    for key in ("ann@shop.example/e2", "ann@shop.example /e3"):
        assert (rows[key]["state"], rows[key]["reason"]) == ("SKIPPED", "DUPLICATE_ADDRESS")


async def test_who_gets_nothing_is_in_the_ledger_with_the_reason(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    request = submission(app_id, dispatch_id, [message_pb2.SendRecipient(endpoint_id="no-address")])
    request.skipped.add(
        endpoint_id="e9",
        channel_type=EMAIL,
        treatment_id="0",
        reason=message_pb2.MESSAGE_REASON_HOLDOUT,
    )
    request.groups.add(treatment_id="7", channel_type=SMS).recipients.add(
        endpoint_id="e8", address="+12065550142"
    )
    async with gateway.hearing() as heard:
        for _ in range(2):
            await gateway.dispatch.SubmitRecipients(request, metadata=METADATA)
        events = await heard()
    told = {one.event_id: one for one in events}
    assert len(events) == 2 * len(told)  # a repeat tells the same events again
    assert {(e.client_id, e.attributes["campaign_send_status"]) for e in told.values()} == {
        ("no-address", "FAILURE_PERMANENT"),
        ("e9", "HOLDOUT"),
        ("e8", "UNSUPPORTED_CHANNEL"),
    }
    campaign_id = f"campaign-of-{dispatch_id}"
    assert {e.attributes["campaign_id"] for e in told.values()} == {campaign_id}
    rows = await gateway.rows(dispatch_id)
    assert {key: row["reason"] for key, row in rows.items()} == {
        "/no-address": "MISSING_ADDRESS",
        "/e9": "HOLDOUT",
        "+12065550142/e8": "CHANNEL_MISMATCH",
    }
    assert await gateway.published(dispatch_id) == []


def cuts_for(dispatch_id: str, app_id: str, count: int) -> Cuts:
    cuts = Cuts()
    frame = Frame(dispatch_id, Origin(app_id), "EMAIL", "PROMOTIONAL", "c", "0", None)
    cuts.add(frame, recipients(count), datetime.now(UTC) - timedelta(minutes=1))
    return cuts


async def test_a_crash_before_the_rows_leaves_nothing_but_a_repeat_that_works(
    gateway: Gateway,
) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    cuts = cuts_for(dispatch_id, app_id, 3)
    await gateway.batches.insert([cut.batch for cut in cuts.cuts])
    answer = await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(3)), metadata=METADATA
    )
    assert answer.queued_count == 3
    # The clock may have been as quick as the caller; a repeat in the queue is no repeat of a send.
    assert len(set(await gateway.published_ids(dispatch_id))) == 3
    assert await states(gateway, dispatch_id) == {"QUEUED": 3}


async def test_a_crash_before_publishing_is_finished_by_the_clock(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    cuts = cuts_for(dispatch_id, app_id, 4)
    cut = cuts.cuts[0]
    # The last recipient's row belongs to another batch: this one must not send it.
    shared = _shared(cut.frame, cut.batch.batch_id)
    entries = cut.recipients
    await gateway.ledger.insert([(shared, entries[:3])])
    await gateway.ledger.insert([(_shared(cut.frame, "another"), entries[3:])])
    await gateway.batches.insert([cut.batch])

    found: list[str] = []

    async def fed() -> bool:
        found.extend(await gateway.published_ids(dispatch_id))
        return len(found) >= 3

    await until(fed)
    assert sorted(found) == sorted(message_id for message_id, _, _ in cut.recipients[:3])


async def test_rows_that_come_after_the_clock_looked_are_published_soon(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    (cut,) = cuts_for(dispatch_id, app_id, 2).cuts
    await gateway.batches.insert([cut.batch])

    async def looked_at() -> bool:
        found = await gateway.database["batches"].find_one({"_id": cut.batch.batch_id})
        return "checker" in (found or {})

    await until(looked_at)
    await gateway.ledger.insert([(_shared(cut.frame, cut.batch.batch_id), cut.recipients)])

    async def fed() -> bool:
        return len(await gateway.published_ids(dispatch_id)) == 2

    await until(fed, 10)


def _shared(frame: Frame, batch_id: str) -> Shared:
    return Shared(
        frame.origin,
        frame.dispatch_id,
        batch_id,
        frame.channel_type,
        frame.treatment_id,
        frame.message_type,
        datetime.now(UTC),
    )


async def test_hold_release_and_cancel(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(5)), metadata=METADATA
    )
    ids = await gateway.published_ids(dispatch_id)
    await control(gateway, app_id, dispatch_id, HOLD)
    # What a worker does with the batch while the dispatch is on hold:
    await gateway.ledger.close_unclaimed([Outcome(one, State.HELD) for one in ids])
    assert await states(gateway, dispatch_id) == {"HELD": 5}
    assert await gateway.published_ids(dispatch_id) == []

    await control(gateway, app_id, dispatch_id, RELEASE)
    found: list[str] = []

    async def released() -> bool:
        found.extend(await gateway.published_ids(dispatch_id))
        return len(found) >= 5

    await until(released)
    assert sorted(found) == ids
    assert await states(gateway, dispatch_id) == {"QUEUED": 5}

    await gateway.ledger.resolve_and_claim([], "", ids[:1], "token", 30)
    await control(gateway, app_id, dispatch_id, CANCEL)
    assert await states(gateway, dispatch_id) == {"CANCELLED": 4, "CLAIMED": 1}
    rows = (await gateway.rows(dispatch_id)).values()
    assert {row["reason"] for row in rows if row["state"] == "CANCELLED"} == {"STOPPED"}
    with pytest.raises(aio.AioRpcError) as refused:
        await control(gateway, app_id, dispatch_id, RELEASE)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_retry_is_fed_when_it_is_due_and_not_before(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(2)), metadata=METADATA
    )
    ids = await gateway.published_ids(dispatch_id)
    await gateway.ledger.resolve_and_claim([], "", ids, "t1", 30)
    now = await gateway.ledger.now()
    await gateway.ledger.resolve_and_claim(
        [
            Outcome(ids[0], State.RETRY, due_time=now + timedelta(seconds=0.3)),
            Outcome(ids[1], State.RETRY, due_time=now + timedelta(hours=1)),
        ],
        "t1",
        [],
        "",
        30,
    )
    found: list[str] = []

    async def fed() -> bool:
        found.extend(await gateway.published_ids(dispatch_id))
        return bool(found)

    await until(fed)
    assert found == ids[:1]
    assert await gateway.ledger.now() >= now + timedelta(seconds=0.3)
    assert await states(gateway, dispatch_id) == {"QUEUED": 1, "RETRY": 1}


async def test_a_lost_worker_leaves_promotional_rows_to_an_operator(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(3)), metadata=METADATA
    )
    ids = await gateway.published_ids(dispatch_id)
    claimed = await gateway.ledger.resolve_and_claim([], "", ids, "dead", 0.05)
    assert claimed.message_ids == set(ids)

    async def unknown() -> bool:
        return await states(gateway, dispatch_id) == {"UNKNOWN": 3}

    await until(unknown)
    assert await gateway.published_ids(dispatch_id) == []

    async def resolve(action: int, only: list[str]) -> int:
        request = messaging_pb.ResolveUnknownMessagesRequest(
            application_id=app_id,
            dispatch_id=dispatch_id,
            action=action,  # type: ignore[arg-type]
            message_ids=only,
        )
        answer = await gateway.messaging.ResolveUnknownMessages(request, metadata=METADATA)
        return int(answer.resolved_count)

    request_type = messaging_pb.ResolveUnknownMessagesRequest
    assert await resolve(request_type.ACTION_WRITE_OFF, ids[:1]) == 1
    assert await resolve(request_type.ACTION_RESEND, []) == 2
    found: list[str] = []

    async def resent() -> bool:
        found.extend(await gateway.published_ids(dispatch_id))
        return len(found) >= 2

    await until(resent)
    assert sorted(found) == ids[1:]
    assert await states(gateway, dispatch_id) == {"FAILED": 1, "QUEUED": 2}
    # The worker that was thought dead comes back: what it says no longer counts.
    late = await gateway.ledger.resolve_and_claim([Outcome(ids[1], State.SENT)], "dead", [], "", 30)
    assert late.late_outcomes == 1
    assert await states(gateway, dispatch_id) == {"FAILED": 1, "QUEUED": 2}


async def test_what_the_provider_has_is_marked_sent_and_told(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    who = recipients(3)
    who[0].context["order"] = "17"
    await gateway.dispatch.SubmitRecipients(submission(app_id, dispatch_id, who), metadata=METADATA)
    ids = await gateway.published_ids(dispatch_id)
    await gateway.ledger.resolve_and_claim([], "", ids, "dead", 0.05)

    async def unknown() -> bool:
        return await states(gateway, dispatch_id) == {"UNKNOWN": 3}

    await until(unknown)
    request = messaging_pb.ResolveUnknownMessagesRequest(
        application_id=app_id,
        dispatch_id=dispatch_id,
        action=messaging_pb.ResolveUnknownMessagesRequest.ACTION_MARK_SENT,
        message_ids=ids[:2],
    )
    told: list[event_pb2.Event] = []
    async with gateway.hearing() as heard:
        answers = [
            await gateway.messaging.ResolveUnknownMessages(request, metadata=METADATA)
            for _ in range(2)
        ]

        async def all_told() -> bool:
            told.extend(await heard())
            return len(told) >= 6

        await until(all_told)
    assert [answer.resolved_count for answer in answers] == [2, 0]
    assert await states(gateway, dispatch_id) == {"SENT": 2, "UNKNOWN": 1}
    rows = {row["_id"]: row for row in (await gateway.rows(dispatch_id)).values()}
    assert [rows[one]["reason"] for one in ids] == ["", "", "WORKER_LOST"]
    # The ids are those a worker gives the same events.
    names = ("_email.send", "_email.delivered", "_campaign.send")
    assert Counter(event.event_id for event in told) == {
        derived_id(one, name): 1 for one in ids[:2] for name in names
    }
    statuses = [e.attributes["campaign_send_status"] for e in told if "_campaign" in e.event_type]
    assert statuses == ["SUCCESS", "SUCCESS"]
    contexts = {
        e.client_id: e.attributes.get("customer_context", "")
        for e in told
        if e.event_type == "_email.send"
    }
    ours = {rows[one]["endpoint_id"] for one in ids[:2]}
    assert contexts == {one: '{"order": "17"}' if one == "e0" else "" for one in ours}


async def test_a_lost_worker_leaves_transactional_rows_to_be_sent_again(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id, message_type=1)
    await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(2)), metadata=METADATA
    )
    ids = await gateway.published_ids(dispatch_id)
    await gateway.ledger.resolve_and_claim([], "", ids, "dead", 0.05)
    found: list[str] = []

    async def resent() -> bool:
        found.extend(await gateway.published_ids(dispatch_id))
        return len(found) >= 2

    await until(resent)
    assert sorted(found) == ids
    rows = await gateway.ledger.rows_of(ids)
    assert {(row.state, row.attempts) for row in rows.values()} == {(State.QUEUED, 1)}


async def test_rows_whose_queue_message_was_lost_are_fed_again(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(3)), metadata=METADATA
    )
    ids = await gateway.published_ids(dispatch_id)  # the broker has lost them
    await gateway.ledger.resolve_and_claim([], "", ids[:1], "t", 30)
    await gateway.ledger.resolve_and_claim([Outcome(ids[0], State.SENT)], "t", [], "", 30)
    await gateway.database["batches"].update_many(
        {"dispatch_id": dispatch_id}, {"$set": {"check_time": datetime.now(UTC)}}
    )
    found: list[str] = []

    async def fed() -> bool:
        found.extend(await gateway.published_ids(dispatch_id))
        return len(found) >= 2

    await until(fed)
    assert sorted(found) == ids[1:]


async def test_a_finished_batch_is_forgotten(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(2)), metadata=METADATA
    )
    ids = await gateway.published_ids(dispatch_id)
    await gateway.ledger.resolve_and_claim([], "", ids, "t", 30)
    await gateway.ledger.resolve_and_claim([Outcome(i, State.SENT) for i in ids], "t", [], "", 30)
    where = {"dispatch_id": dispatch_id}
    assert await gateway.database["batches"].count_documents(where) == 1
    await gateway.database["batches"].update_many(
        where, {"$set": {"check_time": datetime.now(UTC)}}
    )

    async def gone() -> bool:
        return await gateway.database["batches"].count_documents(where) == 0

    await until(gone)


async def test_what_waits_too_long_expires(gateway: Gateway) -> None:
    app_id = new_id()
    later = datetime.now(UTC) + timedelta(hours=1)
    dispatch_id = await new_dispatch(gateway, app_id, expire_time=later)
    await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(3)), metadata=METADATA
    )
    ids = await gateway.published_ids(dispatch_id)
    await gateway.ledger.close_unclaimed([Outcome(ids[0], State.HELD)])
    await gateway.ledger.resolve_and_claim([], "", ids[1:2], "t", 30)
    await gateway.ledger.resolve_and_claim([Outcome(ids[1], State.SENT)], "t", [], "", 30)

    async def expired() -> bool:
        return await states(gateway, dispatch_id) == {"SKIPPED": 2, "SENT": 1}

    found: list[str] = []

    async def told() -> bool:
        found.extend(event.attributes["campaign_send_status"] for event in await heard())
        return len(found) >= 2

    async with gateway.hearing() as heard:
        await gateway.database["batches"].update_many(
            {"dispatch_id": dispatch_id}, {"$set": {"expire_time": datetime.now(UTC)}}
        )
        await until(expired)
        await until(told)
    assert found == ["EXPIRED", "EXPIRED"]
    rows = await gateway.ledger.rows_of(ids[:1])
    assert rows[ids[0]].reason == "EXPIRED"


async def test_get_dispatch_counts_and_estimates(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id, messages_per_second=10)
    texts = [
        message_pb2.SendRecipient(endpoint_id=f"s{n}", address=f"+1206555{n:04}") for n in range(50)
    ]
    await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(40)), metadata=METADATA
    )
    await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, texts, SMS), metadata=METADATA
    )
    answer = await gateway.dispatch.GetDispatch(
        pb.GetDispatchRequest(application_id=app_id, dispatch_id=dispatch_id), metadata=METADATA
    )
    counts = {(one.channel_type, one.state, one.treatment_id): one.count for one in answer.counts}
    queued = message_pb2.MESSAGE_STATE_QUEUED
    assert counts == {(EMAIL, queued, "0"): 40, (SMS, queued, "0"): 50}
    assert answer.open_count == 90
    assert answer.seconds_left == 5
    assert answer.control == RELEASE
    await gateway.published()


async def test_counts_are_read_from_the_index_alone(gateway: Gateway) -> None:
    plan = await gateway.database.command(
        "explain",
        {
            "aggregate": "messages",
            "pipeline": [
                {"$match": {"dispatch_id": "x"}},
                {
                    "$group": {
                        "_id": {"state": "$state", "reason": "$reason"},
                        "count": {"$sum": 1},
                    }
                },
            ],
            "hint": "messages_counted",
            "cursor": {},
        },
        verbosity="queryPlanner",
    )
    text = str(plan)
    assert "messages_counted" in text
    assert "FETCH" not in text
    assert "COLLSCAN" not in text


async def test_bad_input_names_every_bad_field(gateway: Gateway) -> None:
    create = pb.CreateDispatchRequest(
        application_id=new_id(),
        messages_per_second=-1,
        contents=[
            pb.DispatchContent(
                channel_type=channel_pb2.CHANNEL_TYPE_VOICE, content=message_pb2.MessageContent()
            ),
            pb.DispatchContent(
                channel_type=EMAIL,
                content=message_pb2.MessageContent(sms=message_pb2.SmsContent(body="x")),
            ),
        ],
    )
    with pytest.raises(aio.AioRpcError) as refused:
        await gateway.dispatch.CreateDispatch(create, metadata=METADATA)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal(refused.value).fields == {
        "dispatch_id",
        "messages_per_second",
        "contents[0].channel_type",
        "contents[0].content",
        "contents[1].content",
    }
    submit = pb.SubmitRecipientsRequest(
        groups=[pb.RecipientGroup(recipients=recipients(1001))], skipped=[pb.SkippedRecipient()]
    )
    with pytest.raises(aio.AioRpcError) as refused:
        await gateway.dispatch.SubmitRecipients(submit, metadata=METADATA)
    assert refusal(refused.value).fields == {
        "application_id",
        "dispatch_id",
        "groups",
        "groups[0].channel_type",
        "skipped[0].channel_type",
        "skipped[0].reason",
        "skipped[0].endpoint_id",
    }
    resolve = messaging_pb.ResolveUnknownMessagesRequest()
    with pytest.raises(aio.AioRpcError) as refused:
        await gateway.messaging.ResolveUnknownMessages(resolve, metadata=METADATA)
    assert refusal(refused.value).fields == {"application_id", "dispatch_id", "action"}
    assert "RESEND, WRITE_OFF or MARK_SENT" in (refused.value.details() or "")


async def test_applications_do_not_see_each_other(gateway: Gateway) -> None:
    mine, other = new_id(), new_id()
    dispatch_id = await new_dispatch(gateway, mine)
    await email_channel(gateway, mine)
    await gateway.dispatch.SubmitRecipients(
        submission(mine, dispatch_id, recipients(1)), metadata=METADATA
    )
    message_id = (await gateway.published_ids(dispatch_id))[0]
    calls = [
        gateway.dispatch.GetDispatch(
            pb.GetDispatchRequest(application_id=other, dispatch_id=dispatch_id), metadata=METADATA
        ),
        gateway.dispatch.SubmitRecipients(
            submission(other, dispatch_id, recipients(1)), metadata=METADATA
        ),
        gateway.messaging.GetMessage(
            messaging_pb.GetMessageRequest(application_id=other, message_id=message_id),
            metadata=METADATA,
        ),
    ]
    for call in calls:
        with pytest.raises(aio.AioRpcError) as refused:
            await call
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    for app_id, expected in ((mine, 1), (other, 0)):
        ask = messaging_pb.ListMessagesRequest
        for request in (
            ask(application_id=app_id, dispatch_id=dispatch_id),
            ask(application_id=app_id, endpoint_id="e0"),
            ask(application_id=app_id, campaign_id=f"campaign-of-{dispatch_id}"),
        ):
            answer = await gateway.messaging.ListMessages(request, metadata=METADATA)
            assert len(answer.messages) == expected, request


async def test_pages_hold_every_message_once(gateway: Gateway) -> None:
    app_id = new_id()
    dispatch_id = await new_dispatch(gateway, app_id)
    await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(23)), metadata=METADATA
    )
    ids = await gateway.published_ids(dispatch_id)
    await gateway.ledger.resolve_and_claim([], "", ids[:9], "t", 30)
    seen: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        answer = await gateway.messaging.ListMessages(
            messaging_pb.ListMessagesRequest(
                application_id=app_id, dispatch_id=dispatch_id, page_size=5, page_token=token
            ),
            metadata=METADATA,
        )
        seen += [one.message_id for one in answer.messages]
        token, pages = answer.next_page_token, pages + 1
    assert sorted(seen) == ids
    assert pages == 5
    claimed = await gateway.messaging.ListMessages(
        messaging_pb.ListMessagesRequest(
            application_id=app_id,
            dispatch_id=dispatch_id,
            state=message_pb2.MESSAGE_STATE_CLAIMED,
        ),
        metadata=METADATA,
    )
    assert sorted(one.message_id for one in claimed.messages) == ids[:9]


async def test_a_deleted_application_is_forgotten(gateway: Gateway) -> None:
    gone, other = new_id(), new_id()
    for app_id in (gone, other):
        await email_channel(gateway, app_id)
        dispatch_id = await new_dispatch(gateway, app_id)
        await gateway.dispatch.SubmitRecipients(
            submission(app_id, dispatch_id, recipients(2)), metadata=METADATA
        )
        await gateway.suppressions.record(app_id, ["e1"])
    await gateway.published()
    event = applications_events.ApplicationDeleted(application_id=gone)
    publisher = Publisher(gateway.amqp_url, EVENTS, "tests")
    await publisher.publish([outgoing("applications.deleted", event, new_id())])
    await publisher.close()

    async def held(app_id: str) -> dict[str, int]:
        names = ("messages", "batches", "dispatches", "contents", "channels")
        found = {
            name: await gateway.database[name].count_documents({"app_id": app_id}) for name in names
        }
        blocked = await gateway.suppressions.blocked(app_id, "EMAIL", ["e1"], [])
        return found | {"optouts": len(blocked.endpoint_ids)}

    async def forgotten() -> bool:
        return not any((await held(gone)).values())

    await until(forgotten)
    assert await held(other) == {
        "messages": 2,
        "batches": 1,
        "dispatches": 1,
        "contents": 2,
        "channels": 1,
        "optouts": 1,
    }
