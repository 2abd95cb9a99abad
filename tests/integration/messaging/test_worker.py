"""Channel workers with a real database, a real broker and real SMTP and SMPP servers."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from touchpoint.messaging.v1 import message_pb2

from libs.ids import new_id
from services.messaging.domain.channels import EmailChannel, Replies, Security, Smtp
from services.messaging.domain.dispatch import Control
from services.messaging.domain.ledger import Reason, State
from services.messaging.store.suppressions import Suppression
from tests.support.desk import Desk, Events, counted, now, people, rule, settled
from tests.support.sandboxes import Sandbox, eventually

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]
SENT = State.SENT.value


async def test_a_batch_is_sent_exactly_once(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    await desk.open_email(box)
    ids = await desk.send(await desk.frame(), people(250))
    assert await settled(desk, ids, State.SENT) == {SENT: 250}
    assert await box.counts("EMAIL") == dict.fromkeys(people(250), 1)
    await counted(events, desk, email_send=250, email_delivered=250, campaign_send=250)
    rows = await desk.rows(ids)
    assert {row.attempts for row in rows} == {1}
    assert all(row.provider_ids for row in rows)
    (event, *_) = [e for e in events.of(desk.app_id) if e.event_type == "_email.send"]
    attributes = dict(event.attributes)
    assert attributes.pop("message_id") in ids
    assert attributes == {
        "campaign_id": "camp",
        "campaign_activity_id": "act",
        "treatment_id": "0",
        "message_type": "PROMOTIONAL",
    }
    assert event.client_id.startswith("e-u")


async def test_a_batch_that_comes_again_sends_nothing_and_tells_the_same(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    await desk.open_email(box)
    ids = await desk.send(await desk.frame(), people(100))
    await settled(desk, ids, State.SENT)
    batch = await desk.batch_of(ids[0])
    for _ in range(3):
        await desk.outbox.publish([batch], 5)
    # One more that is sent says that the lane has passed the repeats.
    after = await desk.send(await desk.frame(), people(1, "after"))
    await settled(desk, after, State.SENT)
    assert max((await box.counts("EMAIL")).values()) == 1
    await counted(events, desk, email_send=101, email_delivered=101, campaign_send=101)


async def test_hold_and_cancel_stop_the_rest(desk: Desk, box: Sandbox, workers: None) -> None:
    await desk.open_email(box, messages_per_second=20)
    for control, state in ((Control.HOLD, State.HELD), (Control.CANCEL, State.CANCELLED)):
        frame = await desk.frame()
        ids = await desk.send(frame, people(100, control.value))

        async def begun(ids: list[str] = ids) -> bool:
            return (await desk.states(ids))[SENT] > 2

        await eventually(begun)
        await desk.dispatches.control(desk.app_id, frame.dispatch_id, control, now())
        states = await settled(desk, ids, State.SENT, state)
        assert 2 < states[SENT] < 90
        rows = [row for row in await desk.rows(ids) if row.state is state]
        reason = Reason.STOPPED if control is Control.CANCEL else Reason.NONE
        assert {row.reason for row in rows} == {reason}
    sent = await box.counts("EMAIL")
    assert max(sent.values()) == 1


async def test_what_is_too_late_is_not_sent(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    await desk.open_email(box)
    frame = await desk.frame(expire_time=now() - timedelta(seconds=1))
    ids = await desk.send(frame, people(20))
    await settled(desk, ids, State.SKIPPED)
    assert {row.reason for row in await desk.rows(ids)} == {Reason.EXPIRED}
    assert await box.counts("EMAIL") == {}
    await counted(events, desk, campaign_send=20)


async def test_what_gets_too_late_in_the_middle_stops(
    desk: Desk, box: Sandbox, workers: None
) -> None:
    await desk.open_email(box, messages_per_second=20)
    frame = await desk.frame(expire_time=now() + timedelta(seconds=1.5))
    ids = await desk.send(frame, people(100))
    states = await settled(desk, ids, State.SENT, State.SKIPPED)
    assert 5 < states[SENT] < 60


async def test_opt_outs_and_suppressions_hold_before_and_in_the_middle(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    await desk.open_email(box, messages_per_second=20)
    everyone = people(60, f"o{new_id()[:6]}")
    await desk.suppressions.record(desk.app_id, [f"E-{everyone[1]}"])
    await desk.suppressions.suppress([Suppression("EMAIL", everyone[2].upper(), "BOUNCE")])
    ids = await desk.send(await desk.frame(), everyone)

    async def begun() -> bool:
        return (await desk.states(ids))[SENT] >= 3

    await eventually(begun)
    late = everyone[30:]
    await desk.suppressions.record(desk.app_id, [f"e-{one}" for one in late])
    counts_at_acknowledgement = await box.counts("EMAIL")
    states = await settled(desk, ids, State.SENT, State.SKIPPED)
    rows = dict(zip(everyone, await desk.rows(ids), strict=True))
    assert rows[everyone[1]].reason is Reason.OPT_OUT
    assert rows[everyone[2]].reason is Reason.SUPPRESSED
    counts = await box.counts("EMAIL")
    assert not set(late) & (set(counts) - set(counts_at_acknowledgement))
    assert {rows[one].reason for one in late} == {Reason.OPT_OUT}
    assert states[SENT] == 28


async def test_a_deferral_waits_for_its_next_attempt(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    await desk.open_email(box)
    await box.behave(rule("EMAIL", "d*", kind="defer", times=9))
    ids = await desk.send(await desk.frame(), [*people(3, "d"), *people(3, "ok")])
    states = await settled(desk, ids, State.SENT, State.RETRY)
    assert states == {SENT: 3, "RETRY": 3}
    for expected in (State.RETRY, State.FAILED):
        rows = [row for row in await desk.rows(ids) if row.state is State.RETRY]
        assert all(row.due_time and row.due_time > row.update_time for row in rows)
        assert {row.detail for row in rows} == {"450 4.2.0 Mailbox busy, try again later"}
        again = [row.message_id for row in rows]
        # The gateway's clock does this when they are due.
        await desk.database["messages"].update_many(
            {"_id": {"$in": again}}, {"$set": {"state": "QUEUED"}, "$unset": {"due_time": 1}}
        )
        await desk.outbox.publish_part(await desk.batch_of(ids[0]), again, 5)
        await settled(desk, again, expected)
    rows = await desk.rows(again)
    assert {(row.reason, row.attempts) for row in rows} == {(Reason.RETRIES_EXHAUSTED, 3)}
    await counted(
        events, desk, email_send=6, email_delivered=3, campaign_send=6, email_softbounce=3
    )


async def test_a_dead_address_is_suppressed_at_once(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    await desk.open_email(box)
    dead = f"dead{new_id()[:6]}@mail.example"
    await box.behave(rule("EMAIL", dead, kind="reject"))
    ids = await desk.send(await desk.frame(), [dead])
    await settled(desk, ids, State.FAILED)
    assert (await desk.rows(ids))[0].reason is Reason.HARD_BOUNCE
    await counted(events, desk, email_send=1, email_hardbounce=1, campaign_send=1)
    again = await desk.send(await desk.frame(), [dead])
    await settled(desk, again, State.SKIPPED)
    assert (await desk.rows(again))[0].reason is Reason.SUPPRESSED


async def test_a_provider_that_is_down_costs_no_attempt(
    desk: Desk, box: Sandbox, workers: None
) -> None:
    tries = 0

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        writer.close()

    async def tried() -> bool:
        return tries >= 3

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        smtp = Smtp("127.0.0.1", server.sockets[0].getsockname()[1], Security.NONE)
        await desk.open_email(box, smtp=smtp)
        ids = await desk.send(await desk.frame(), people(30))
        await eventually(tried)
        assert await desk.states(ids) == {"QUEUED": 30}
    await desk.open_email(box)
    await settled(desk, ids, State.SENT)
    assert {row.attempts for row in await desk.rows(ids)} == {1}


async def test_no_channel_no_message(desk: Desk, box: Sandbox, workers: None) -> None:
    ids = await desk.send(await desk.frame(), people(3))
    await settled(desk, ids, State.SKIPPED)
    assert {row.reason for row in await desk.rows(ids)} == {Reason.CHANNEL_DISABLED}
    await desk.open_email(box)
    await settled(desk, await desk.send(await desk.frame(), people(1)), State.SENT)
    channel = await desk.channels.email(desk.app_id)
    assert isinstance(channel, EmailChannel)
    await desk.channels.save_email(desk.app_id, replace(channel, enabled=False), now())

    async def is_off() -> bool:
        off = await desk.send(await desk.frame(), people(1, "off"))
        return (await settled(desk, off, State.SENT, State.SKIPPED)).keys() == {"SKIPPED"}

    # Workers look every second.
    await eventually(is_off)


async def test_contents_that_cannot_be_rendered_are_told(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    await desk.open_email(box)
    broken = message_pb2.MessageContent(email=message_pb2.EmailContent(text="{{#if"))
    missing = message_pb2.MessageContent(
        email=message_pb2.EmailContent(text="Hi {{Nick}}"), skip_on_missing_variable=True
    )
    for content, reason in (
        (broken, Reason.RENDERING_FAILURE),
        (missing, Reason.MISSING_VARIABLE),
    ):
        ids = await desk.send(await desk.frame(content=content), people(2))
        await settled(desk, ids, State.SKIPPED)
        assert {row.reason for row in await desk.rows(ids)} == {reason}
    await counted(events, desk, email_rendering_failure=4, campaign_send=4)


async def test_tracked_mails_carry_links_and_a_way_out(
    desk: Desk, box: Sandbox, workers: None
) -> None:
    await desk.open_email(box)
    content = message_pb2.MessageContent(
        email=message_pb2.EmailContent(
            subject="Hi",
            html='<a href="https://x.example">x</a> <a href="{{UnsubscribeUrl}}">out</a>',
            tracked=True,
            unsubscribable=True,
        )
    )
    await settled(desk, await desk.send(await desk.frame(content=content), people(1)), State.SENT)
    (mail,) = await box.messages("EMAIL")
    headers = {name.lower(): value for name, value in mail["headers"]}
    assert headers["list-unsubscribe"].startswith("<https://links.example/u/")
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert mail["html"].count("https://links.example/c/") == 1
    assert mail["html"].count("https://links.example/u/") == 1
    assert mail["html"].count("https://links.example/o/") == 1
    assert mail["envelope_from"].endswith("@ret.example")


async def test_the_recipient_sees_the_trace_id(desk: Desk, box: Sandbox, workers: None) -> None:
    await desk.open_email(box)
    raw = b"From: Shop <shop@shop.example>\r\nSubject: Raw\r\n\r\nHi\r\n"
    whole = message_pb2.MessageContent(email=message_pb2.EmailContent(raw=raw))
    ids = await desk.send(await desk.frame(trace_id="order-17"), ["made@mail.example"])
    ids += await desk.send(
        await desk.frame(trace_id="order-17", content=whole), ["whole@mail.example"]
    )
    ids += await desk.send(await desk.frame(), ["none@mail.example"])
    await settled(desk, ids, State.SENT)
    for to, seen in (("made", ["order-17"]), ("whole", ["order-17"]), ("none", [])):
        (found,) = await box.messages("EMAIL", f"{to}@mail.example")
        assert [value for name, value in found["headers"] if name == "X-Trace-Id"] == seen


def number() -> str:
    return f"+49151{int(new_id()[:7], 16) % 10**8:08d}"


async def test_texts_are_sent_and_their_receipts_applied(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    await desk.open_sms(box, parts_per_second=200)
    good, bad = number(), number()
    await box.behave(rule("SMS", bad, kind="deliver", state="UNDELIV", error="001", after_ms=1))
    content = message_pb2.MessageContent(sms=message_pb2.SmsContent(body="x" * 400))
    ids = await desk.send(await desk.frame("SMS", content=content), [good, bad])
    assert await settled(desk, ids, State.DELIVERED, State.FAILED) == {"DELIVERED": 1, "FAILED": 1}
    rows = await desk.rows(ids)
    assert [row.parts for row in rows] == [3, 3]
    assert rows[1].reason is Reason.UNREACHABLE
    await counted(events, desk, SMS_BUFFERED=2, SMS_SUCCESS=1, SMS_FAILURE=1, campaign_send=2)
    found = {e.event_type: dict(e.attributes) for e in events.of(desk.app_id)}
    assert found["_SMS.FAILURE"]["record_status"] == "UNREACHABLE"
    assert found["_SMS.SUCCESS"]["record_status"] == "DELIVERED"
    assert found["_SMS.BUFFERED"]["number_of_message_parts"] == "3"
    assert found["_SMS.SUCCESS"]["origination_phone_number"] == desk.number
    assert found["_SMS.SUCCESS"]["iso_country_code"] == "DE"


async def test_a_receipt_comes_on_any_link_of_the_account_and_tells_the_context(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    """Two applications share one login, and the link of the one that sent is gone."""
    other, person = Desk(desk.database, desk.publisher), number()
    await box.behave(rule("SMS", person, kind="deliver", after_ms=2500))
    for one in (desk, other):
        await one.open_sms(box, parts_per_second=100)
    await settled(desk, await desk.send(await desk.frame("SMS"), [number()]), State.DELIVERED)
    ids = await other.send(await other.frame("SMS", context={"order": "17"}), [person])
    await settled(other, ids, State.SENT)
    await desk.database["channels"].delete_many({"app_id": other.app_id})
    await settled(other, ids, State.DELIVERED)
    await counted(events, other, SMS_BUFFERED=1, SMS_SUCCESS=1, campaign_send=1)
    told = {e.event_type: e.attributes for e in events.of(other.app_id)}
    assert told["_SMS.SUCCESS"]["customer_context"] == '{"order": "17"}'


async def test_stop_help_and_start(desk: Desk, box: Sandbox, events: Events, workers: None) -> None:
    await desk.open_sms(box, parts_per_second=100, replies=Replies(help="Call us"))
    person = number()
    # The link is there once a text went out over it.
    await settled(desk, await desk.send(await desk.frame("SMS"), [person]), State.DELIVERED)
    await box.inbound(person, desk.number, "Stop.")
    await heard(box, person, "unsubscribed")
    stopped = await desk.send(await desk.frame("SMS"), [person])
    await settled(desk, stopped, State.SKIPPED)
    assert (await desk.rows(stopped))[0].reason is Reason.OPT_OUT
    await box.inbound(person, desk.number, "HELP")
    await heard(box, person, "Call us")
    await box.inbound(person, desk.number, "start")
    await heard(box, person, "subscribed again")
    await settled(desk, await desk.send(await desk.frame("SMS"), [person]), State.DELIVERED)
    await box.inbound(person, desk.number, "stopping by later")

    async def received() -> bool:
        return events.ids(desk.app_id)["_SMS.RECEIVED"] == 4

    await eventually(received)
    assert events.ids(desk.app_id)["_SMS.OPTOUT"] == 1
    texts = [message["body"] for message in await box.messages("SMS", person)]
    assert len(texts) == 5
    assert {message["from"] for message in await box.messages("SMS", person)} == {desk.number}


async def test_a_text_is_the_one_applications_whose_number_it_names(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    """Two applications send over one account: its links say nothing about whom a text is for."""
    other = Desk(desk.database, desk.publisher)
    for one, answer in ((desk, "Call us"), (other, "Write to us")):
        await one.open_sms(box, parts_per_second=100, replies=Replies(help=answer))
        await settled(one, await one.send(await one.frame("SMS"), [number()]), State.DELIVERED)
    mine, others = people_with_phones(3), people_with_phones(3)
    for person in mine:
        await box.inbound(person, desk.number, "Help")
    for person in others:
        await box.inbound(person, other.number, "Help")
    for person in mine:
        await heard(box, person, "Call us")
    for person in others:
        await heard(box, person, "Write to us")
    await counted(events, desk, SMS_BUFFERED=4, SMS_SUCCESS=4, SMS_RECEIVED=3, campaign_send=1)
    await counted(events, other, SMS_BUFFERED=4, SMS_SUCCESS=4, SMS_RECEIVED=3, campaign_send=1)
    await desk.database["channels"].delete_many({"app_id": other.app_id})


async def test_a_shared_number_answers_for_the_one_that_wrote_last(
    desk: Desk, box: Sandbox, events: Events, workers: None
) -> None:
    other = Desk(desk.database, desk.publisher, number=desk.number)
    person = number()
    for one, answer in ((desk, "Call us"), (other, "Write to us")):
        await one.open_sms(box, parts_per_second=100, replies=Replies(help=answer))
        await settled(one, await one.send(await one.frame("SMS"), [person]), State.DELIVERED)
    await box.inbound(person, desk.number, "Help")
    await heard(box, person, "Write to us")
    # Nobody wrote to this one: the application that has had the number longest is meant.
    stranger = number()
    await box.inbound(stranger, desk.number, "Help")
    await heard(box, stranger, "Call us")
    await desk.database["channels"].delete_many({"app_id": other.app_id})


def people_with_phones(count: int) -> list[str]:
    return [number() for _ in range(count)]


async def heard(box: Sandbox, person: str, words: str) -> None:
    async def check() -> bool:
        return any(words in message["body"] for message in await box.messages("SMS", person))

    await eventually(check)


async def test_texts_keep_to_the_pace(desk: Desk, box: Sandbox, workers: None) -> None:
    await desk.open_sms(box, parts_per_second=20)
    content = message_pb2.MessageContent(sms=message_pb2.SmsContent(body="x" * 200))
    numbers = [number() for _ in range(30)]
    ids = await desk.send(await desk.frame("SMS", content=content), numbers)
    await settled(desk, ids, State.DELIVERED, State.SENT)
    query = {"channel": "SMS", "clock": "steady"}
    async with box.http.get("/timestamps", params=query) as answer:
        times = sorted(await answer.json(content_type=None))
    assert len(times) == 60
    shortest = min(times[i] - times[i - 20] for i in range(20, 60))
    # The sandbox reads in this very loop, among workers and events: it may be this much late.
    assert shortest > 975_000
    assert times[-1] - times[0] < 5_000_000


async def test_codes_go_before_newsletters(desk: Desk, box: Sandbox, workers: None) -> None:
    await desk.open_email(box)
    await box.behave(rule("EMAIL", "news*", kind="slow", delay_ms=20))
    news = await desk.send(await desk.frame(), people(1000, "news"))
    code = await desk.send(await desk.frame(message_type="TRANSACTIONAL"), people(1, "code"))
    await settled(desk, code, State.SENT)
    assert (await desk.states(news))[SENT] < 600
    await settled(desk, news, State.SENT)
