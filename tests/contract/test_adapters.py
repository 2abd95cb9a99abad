"""Both provider adapters against real servers of their protocols: the same promises for each."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from libs.smpp.client import Account
from libs.smpp.session import Limits
from services.messaging.adapters.inbound_mail import InboundMail
from services.messaging.adapters.null import NullAdapter
from services.messaging.adapters.smpp import Ears, SmppAdapter
from services.messaging.adapters.smtp import MailServer, SmtpAdapter
from services.messaging.domain.accounts import account_key
from services.messaging.domain.ledger import Reason
from services.messaging.domain.mime import Mail, Skeleton
from services.messaging.domain.outbound import (
    Adapter,
    Answered,
    InboundSms,
    MailReport,
    Outbound,
    OutboundEmail,
    OutboundSms,
    PartReceipt,
)
from services.messaging.domain.outcomes import Status
from tests.support.sandboxes import Sandbox, eventually, sandbox

NOBODY = Limits(window=10, response_seconds=1.0)
Make = Callable[[str], Outbound]


@dataclass
class Heard:
    """What came in; receipts are refused while `refusing`."""

    receipts: list[PartReceipt] = field(default_factory=list)
    texts: list[InboundSms] = field(default_factory=list)
    refusing: int = 0

    async def on_receipt(self, receipt: PartReceipt) -> bool:
        if self.refusing:
            self.refusing -= 1
            return False
        self.receipts.append(receipt)
        return True

    async def on_inbound(self, text: InboundSms) -> None:
        if self.refusing:
            self.refusing -= 1
            raise ConnectionError
        self.texts.append(text)


@dataclass(frozen=True)
class Case:
    """One adapter, what makes its messages, and how the sandbox is told to treat them."""

    channel: str
    adapter: Adapter
    make: Make
    heard: Heard
    to: Callable[[int], str]
    deferral: dict[str, Any]


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Sandbox]:
    async with sandbox() as box:
        yield box


@pytest.fixture
async def box(shared: Sandbox) -> Sandbox:
    await shared.reset()
    return shared


def mail_to(address: str) -> OutboundEmail:
    mail = Mail("0" * 32, address, "Hello", "<p>Hi</p>\r\n.\r\n..dots", "Hi\n.\n..dots")
    body = Skeleton("Shop <shop@shop.example>").build(mail, _now())
    return OutboundEmail("0" * 32, f"bounce+{'0' * 32}@shop.example", address, body)


def text_to(number: str, text: str = "Hello") -> OutboundSms:
    return OutboundSms("0" * 32, "+15550001", number, text)


def mail_server(box: Sandbox, **changes: Any) -> MailServer:
    given: dict[str, Any] = {"security": "NONE", "timeout_seconds": 5.0, "connections": 4}
    return MailServer("127.0.0.1", box.ports.smtp, **{**given, **changes})


@asynccontextmanager
async def smtp_case(box: Sandbox) -> AsyncIterator[Case]:
    async with SmtpAdapter(mail_server(box)) as adapter:
        yield Case(
            "EMAIL",
            adapter,
            mail_to,
            Heard(),
            lambda n: f"u{n}@mail.example",
            {"kind": "defer", "times": 1},
        )


@asynccontextmanager
async def smpp_case(box: Sandbox, limits: Limits = NOBODY) -> AsyncIterator[Case]:
    heard = Heard()
    account = Account("127.0.0.1", box.ports.smpp, "sandbox", "sandbox")
    adapter = SmppAdapter(account, Ears(heard.on_receipt, heard.on_inbound), limits, 5.0)
    async with asyncio.TaskGroup() as group:
        link = group.create_task(adapter.run())
        yield Case(
            "SMS",
            adapter,
            text_to,
            heard,
            lambda n: f"+4915100{n:05d}",
            {"kind": "reject", "status": "ESME_RSYSERR"},
        )
        link.cancel()


@pytest.fixture(params=["smtp", "smpp"])
async def case(request: pytest.FixtureRequest, box: Sandbox) -> AsyncIterator[Case]:
    # A fixture's generator may be resumed by another task: the context lives in a task of its own.
    made: asyncio.Future[Case] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def hold() -> None:
        async with (smtp_case if request.param == "smtp" else smpp_case)(box) as one:
            made.set_result(one)
            await over.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(hold())
        yield await made
        over.set()


async def test_everything_is_accepted_in_order(case: Case, box: Sandbox) -> None:
    assert await case.adapter.ready()
    answers = await case.adapter.send([case.make(case.to(n)) for n in range(16)])
    assert [answer.status for answer in answers] == [Status.SUCCESSFUL] * 16
    found = {m["to"]: m for m in await box.messages(case.channel)}
    assert set(found) == {case.to(n) for n in range(16)}
    for n, answer in enumerate(answers):
        assert answer.provider_ids == (found[case.to(n)]["provider_message_id"],)


async def test_one_refusal_is_nobody_elses(case: Case, box: Sandbox) -> None:
    await box.behave(
        {"match": {"channel": case.channel, "to": case.to(1)}, "outcome": {"kind": "reject"}}
    )
    assert await case.adapter.ready()
    answers = await case.adapter.send([case.make(case.to(n)) for n in range(4)])
    statuses = [answer.status for answer in answers]
    good = Status.SUCCESSFUL
    assert statuses == [good, Status.PERMANENT_FAILURE, good, good]
    expected = Reason.HARD_BOUNCE if case.channel == "EMAIL" else Reason.INVALID_ADDRESS
    assert answers[1].reason is expected
    assert answers[1].detail


async def test_a_deferral_may_be_tried_again(case: Case, box: Sandbox) -> None:
    await box.behave({"match": {"channel": case.channel}, "outcome": case.deferral})
    assert await case.adapter.ready()
    (first,) = await case.adapter.send([case.make(case.to(1))])
    assert first.status is Status.TEMPORARY_FAILURE
    await box.behave()
    (second,) = await case.adapter.send([case.make(case.to(1))])
    assert second.status is Status.SUCCESSFUL
    assert len(await box.messages(case.channel)) == 1


async def test_throttling_is_told_apart(case: Case, box: Sandbox) -> None:
    outcome = {"kind": "throttle", "per_second": 2}
    await box.behave({"match": {"channel": case.channel}, "outcome": outcome})
    assert await case.adapter.ready()
    answers = [(await case.adapter.send([case.make(case.to(n))]))[0] for n in range(4)]
    statuses = [answer.status for answer in answers]
    assert statuses == [Status.SUCCESSFUL] * 2 + [Status.THROTTLED] * 2


async def test_turns_are_taken_before_each_message(case: Case, box: Sandbox) -> None:
    turns: list[float] = []
    answered = 0

    def told() -> None:
        nonlocal answered
        answered += 1

    async def turn() -> Answered:
        await asyncio.sleep(0.03)
        turns.append(time.monotonic())
        return told

    assert await case.adapter.ready()
    answers = await case.adapter.send([case.make(case.to(n)) for n in range(5)], turn)
    assert [answer.status for answer in answers] == [Status.SUCCESSFUL] * 5
    assert len(turns) == answered == 5


async def test_nothing_is_called_while_the_provider_is_down(case: Case, box: Sandbox) -> None:
    assert await case.adapter.ready()
    await box.behave({"match": {"channel": case.channel}, "outcome": {"kind": "down"}})

    async def is_down() -> bool:
        return not await case.adapter.ready()

    if case.channel == "SMS":
        await eventually(is_down)
    answers = await case.adapter.send([case.make(case.to(n)) for n in range(3)])
    assert Status.SUCCESSFUL not in {answer.status for answer in answers}
    assert Status.UNKNOWN_FAILURE not in {answer.status for answer in answers}
    await eventually(is_down)
    await box.behave()
    await eventually(case.adapter.ready)
    (again,) = await case.adapter.send([case.make(case.to(1))])
    assert again.status is Status.SUCCESSFUL
    assert len(await box.messages(case.channel)) == 1


async def test_null_takes_everything() -> None:
    adapter = NullAdapter()
    assert await adapter.ready()
    answers = await adapter.send([text_to("+1"), text_to("+2")])
    assert [answer.status for answer in answers] == [Status.SUCCESSFUL] * 2


async def test_a_mail_arrives_byte_for_byte(box: Sandbox) -> None:
    async with SmtpAdapter(mail_server(box)) as adapter:
        mail = mail_to("dots@mail.example")
        await adapter.send([mail])
    (found,) = await box.messages("EMAIL", "dots@mail.example")
    async with box.http.get(f"/messages/{found['number']}/raw") as answer:
        raw = await answer.read()
    assert raw == mail.body
    assert found["envelope_from"] == mail.sender


async def test_no_address_becomes_a_command_of_its_own(box: Sandbox) -> None:
    evil = OutboundEmail("", "b@shop.example", "a@b.example>\r\nRSET\r\nRCPT TO:<x@y.example", b"x")
    async with SmtpAdapter(mail_server(box, connections=1)) as adapter:
        bad, good = await adapter.send([evil, mail_to("ok@mail.example")])
    assert (bad.status, good.status) == (Status.PERMANENT_FAILURE, Status.SUCCESSFUL)
    assert await box.counts("EMAIL") == {"ok@mail.example": 1}


async def test_connections_are_reused(box: Sandbox) -> None:
    async with SmtpAdapter(mail_server(box, connections=2)) as adapter:
        for round_number in range(5):
            await adapter.send([mail_to(f"u{round_number}{n}@mail.example") for n in range(4)])
        assert len(adapter._idle) == 2


@pytest.mark.parametrize("username", ["", "postman"])
async def test_starttls_and_authentication(username: str) -> None:
    async with sandbox(smtp_username=username, smtp_password=SecretStr("secret")) as box:
        good = mail_server(
            box, security="STARTTLS", verify_certificate=False, username=username,
            password="secret" if username else "",
        )  # fmt: skip
        async with SmtpAdapter(good) as adapter:
            (answer,) = await adapter.send([mail_to("tls@mail.example")])
            assert answer.status is Status.SUCCESSFUL
        async with SmtpAdapter(mail_server(box, security="STARTTLS")) as adapter:
            assert not await adapter.ready()  # the sandbox's certificate is its own
        if username:
            bad = mail_server(
                box, security="STARTTLS", verify_certificate=False, username=username,
                password="wrong",
            )  # fmt: skip
            async with SmtpAdapter(bad) as adapter:
                assert not await adapter.ready()
                (answer,) = await adapter.send([mail_to("auth@mail.example")])
                assert answer.status is Status.NOT_CALLED


async def test_a_mail_server_that_falls_silent_after_data_leaves_the_outcome_open(
    box: Sandbox,
) -> None:
    slow = {
        "match": {"channel": "EMAIL", "to": "slow@*"},
        "outcome": {"kind": "slow", "delay_ms": 3000},
    }
    await box.behave(slow)
    async with SmtpAdapter(mail_server(box, timeout_seconds=0.7)) as adapter:
        began = time.monotonic()
        lost, fine = await adapter.send([mail_to("slow@mail.example"), mail_to("ok@mail.example")])
        assert time.monotonic() - began < 2
        assert lost.status is Status.UNKNOWN_FAILURE
        assert fine.status is Status.SUCCESSFUL
        (again,) = await adapter.send([mail_to("next@mail.example")])
        assert again.status is Status.SUCCESSFUL


async def _silent_server(replies: list[bytes]) -> asyncio.Server:
    """A mail server that says these replies, one a line received, and hangs up after the last."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        for reply in replies:
            await reader.readline()
            writer.write(reply)
        await reader.readline()
        writer.close()
        await writer.wait_closed()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("replies", "status", "reason"),
    [
        ([b"250 hi\r\n"], Status.NOT_CALLED, Reason.NONE),
        ([b"250 hi\r\n", b"250 ok\r\n"], Status.NOT_CALLED, Reason.NONE),
        (
            [b"250 hi\r\n", b"550 5.7.1 bad sender\r\n", b"250 ok\r\n"],
            Status.PERMANENT_FAILURE,
            Reason.PROVIDER_REJECTED_SENDER,
        ),
        (
            [b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"],
            Status.UNKNOWN_FAILURE,
            Reason.NONE,
        ),
        (
            [b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"554 spam\r\n", b"250 ok\r\n"],
            Status.PERMANENT_FAILURE,
            Reason.PERMANENT_FAILURE,
        ),
    ],
)
async def test_a_connection_that_breaks_says_how_far_a_mail_came(
    replies: list[bytes], status: Status, reason: Reason
) -> None:
    server = await _silent_server(replies)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        SmtpAdapter(
            MailServer("127.0.0.1", port, "NONE", connections=1, timeout_seconds=3)
        ) as adapter,
    ):
        (answer,) = await adapter.send([mail_to("u@mail.example")])
    assert (answer.status, answer.reason) == (status, reason)


async def test_long_texts_go_in_parts_with_a_turn_each(box: Sandbox) -> None:
    turns = 0

    async def turn() -> Answered:
        nonlocal turns
        turns += 1
        return lambda: None

    async with smpp_case(box) as case:
        assert await case.adapter.ready()
        long = text_to("+491", "Ж" * 150)
        (answer,) = await case.adapter.send([long], turn)
    (found,) = await box.messages("SMS", "+491")
    assert answer.status is Status.SUCCESSFUL
    assert (found["body"], found["parts"], found["encoding"]) == ("Ж" * 150, 3, "UCS_2")
    assert len(answer.provider_ids) == 3
    assert turns == 3


async def test_a_lost_answer_leaves_the_outcome_open(box: Sandbox) -> None:
    await box.behave({"match": {"channel": "SMS", "to": "+491"}, "outcome": {"kind": "lost"}})
    async with smpp_case(box) as case:
        assert await case.adapter.ready()
        lost, fine = await case.adapter.send([text_to("+491"), text_to("+492")])
    assert (lost.status, fine.status) == (Status.UNKNOWN_FAILURE, Status.SUCCESSFUL)


async def test_a_link_that_is_cut_comes_back(box: Sandbox) -> None:
    cut = {"match": {"channel": "SMS", "to": "+491"}, "outcome": {"kind": "down"}}
    await box.behave(cut)
    async with smpp_case(box) as case:
        assert await case.adapter.ready()
        (lost,) = await case.adapter.send([text_to("+491")])
        assert lost.status is Status.UNKNOWN_FAILURE
        await eventually(case.adapter.ready)
        (fine,) = await case.adapter.send([text_to("+492")])
        assert fine.status is Status.SUCCESSFUL


async def test_a_text_that_is_throttled_half_way_is_not_begun_again(box: Sandbox) -> None:
    outcome = {"kind": "throttle", "per_second": 2}
    await box.behave({"match": {"channel": "SMS", "to": "+491"}, "outcome": outcome})
    async with smpp_case(box) as case:
        assert await case.adapter.ready()
        (answer,) = await case.adapter.send([text_to("+491", "x" * 400)])
    (found,) = await box.messages("SMS", "+491")
    assert answer.status is Status.SUCCESSFUL
    assert (found["parts"], found["body"]) == (3, "x" * 400)


async def test_receipts_come_until_they_are_taken(box: Sandbox) -> None:
    outcome = {"kind": "deliver", "state": "UNDELIV", "error": "027", "after_ms": 5}
    await box.behave({"match": {"channel": "SMS", "to": "+491"}, "outcome": outcome})
    async with smpp_case(box) as case:
        assert await case.adapter.ready()
        case.heard.refusing = 1
        (answer,) = await case.adapter.send([text_to("+491")])

        async def heard() -> list[PartReceipt]:
            return case.heard.receipts

        (receipt,) = await eventually(heard)
    # Ids are unique within the account: whoever hears the receipt knows whose it is.
    account = account_key("127.0.0.1", box.ports.smpp, "sandbox")
    assert answer.account == account
    assert receipt == PartReceipt(answer.provider_ids[0], "UNDELIV", "027", "+15550001", account)


async def test_inbound_texts_are_joined_and_come_until_they_are_taken(box: Sandbox) -> None:
    async with smpp_case(box) as case:
        assert await case.adapter.ready()
        case.heard.refusing = 1
        await box.inbound("+491", "+15550001", "Ж" * 100)
        await box.inbound("+492", "+15550001", "STOP")

        async def both() -> bool:
            return len(case.heard.texts) == 2

        await eventually(both)
        texts = {text.sender: text.text for text in case.heard.texts}
        assert texts == {"+491": "Ж" * 100, "+492": "STOP"}
        # The same reference again is a new text, not the rest of the old one.
        await box.inbound("+491", "+15550001", "Щ" * 100)

        async def third() -> bool:
            return len(case.heard.texts) == 3

        await eventually(third)
        assert case.heard.texts[2].text == "Щ" * 100


async def test_bounces_and_complaints_come_to_the_return_path(box: Sandbox) -> None:
    reports: list[MailReport] = []

    async def on_report(report: MailReport) -> None:
        reports.append(report)

    async with (
        InboundMail(("127.0.0.1", 0), on_report) as inbound,
        sandbox(bounce_smtp=f"127.0.0.1:{inbound.port}") as other,
        SmtpAdapter(mail_server(other)) as adapter,
    ):
        await other.behave(
            _mail_rule("hard@*", {"kind": "bounce", "after_ms": 1}),
            _mail_rule("soft@*", {"kind": "bounce", "status": "4.2.2", "after_ms": 1}),
            _mail_rule("spam@*", {"kind": "complain", "after_ms": 1}),
        )
        people = ["hard@m.example", "soft@m.example", "spam@m.example"]
        ids = [f"{n:032x}" for n in range(3)]
        await adapter.send(
            [
                OutboundEmail(i, f"bounce+{i}@shop.example", to, mail_to(to).body)
                for i, to in zip(ids, people, strict=True)
            ]
        )

        async def all_in() -> bool:
            return len(reports) == 3

        await eventually(all_in)
    found = {report.message_id: report for report in reports}
    assert (found[ids[0]].kind, found[ids[0]].status) == ("bounce", "5.1.1")
    assert "user unknown" in found[ids[0]].detail
    assert found[ids[0]].is_final
    assert (found[ids[1]].kind, found[ids[1]].is_final) == ("bounce", False)
    assert found[ids[2]].kind == "complaint"


async def test_a_report_that_cannot_be_taken_is_left_with_the_sender() -> None:
    async def on_report(_: MailReport) -> None:
        raise ConnectionError

    bounce = (
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    )
    async with InboundMail(("127.0.0.1", 0), on_report) as inbound:
        server = MailServer("127.0.0.1", inbound.port, "NONE", timeout_seconds=3)
        async with SmtpAdapter(server) as adapter:
            path = f"bounce+{'a' * 32}@shop.example"
            kept, refused, harmless = await adapter.send(
                [
                    OutboundEmail("", "", path, bounce),
                    OutboundEmail("", "", "someone@shop.example", bounce),
                    OutboundEmail("", "", path, b"Subject: hello\r\n\r\nhi\r\n"),
                ]
            )
    assert kept.status is Status.TEMPORARY_FAILURE
    assert refused.reason is Reason.HARD_BOUNCE
    assert harmless.status is Status.SUCCESSFUL


def _mail_rule(to: str, outcome: dict[str, Any]) -> dict[str, Any]:
    return {"match": {"channel": "EMAIL", "to": to}, "outcome": outcome}


def _now() -> datetime:
    return datetime.now(UTC)
