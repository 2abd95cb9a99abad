"""The message centre over SMPP: our own client and smpplib in, HTTP out."""

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest
import smpplib.client
import smpplib.consts
import smpplib.gsm

from libs.smpp import receipt
from libs.smpp.client import Account, BindRefusedError, Client, Mode
from libs.smpp.codes import CommandStatus, MessageState
from libs.smpp.pdu import BindTransceiver, BindTransceiverResp, DeliverSm, SubmitSm
from libs.smpp.segments import segment_of, submits
from libs.smpp.session import ConnectionLostError, Limits, ResponseTimeoutError
from tests.integration.sandbox.conftest import Box, eventually

OK = CommandStatus.ESME_ROK


def sms(to: str, text: bytes = b"Hello", **fields: Any) -> SubmitSm:
    return SubmitSm(
        source_addr="+15550001", destination_addr=to, short_message=text, registered_delivery=1,
        **fields,
    )  # fmt: skip


class Inbox:
    """Collects what the centre delivers; `answers` are given first."""

    def __init__(self, *answers: CommandStatus) -> None:
        self.got: list[DeliverSm] = []
        self._answers = list(answers)

    async def take(self, message: DeliverSm) -> CommandStatus:
        self.got.append(message)
        return self._answers.pop(0) if self._answers else OK

    async def wait(self, count: int) -> list[DeliverSm]:
        async def enough() -> bool:
            return len(self.got) >= count

        await eventually(enough)
        return self.got

    def states(self) -> Counter[str]:
        found = (receipt.parse(m.payload) for m in self.got)
        return Counter(receipt.STATES[r.state] for r in found if r is not None)


async def messages(box: Box, to: str) -> list[dict[str, Any]]:
    found = await box.get("/messages", channel="SMS", to=to)
    assert isinstance(found, list)
    return found


async def behave(box: Box, *rules: dict[str, Any]) -> None:
    await box.put(
        "/behaviours",
        [{**rule, "match": {"channel": "SMS", **rule.get("match", {})}} for rule in rules],
    )


async def test_a_message_is_logged_and_its_receipt_comes_back(box: Box) -> None:
    inbox = Inbox()
    async with box.client(inbox.take) as client:
        answer = await client.submit(sms("+4917000001"))
        (delivered,) = await inbox.wait(1)
    assert answer.status == OK
    (found,) = await messages(box, "+4917000001")
    assert found["provider_message_id"] == answer.message_id
    assert (found["body"], found["from"], found["parts"]) == ("Hello", "+15550001", 1)
    assert (found["encoding"], found["carrier"]) == ("GSM_7", "default")
    assert delivered.is_receipt
    assert (delivered.source_addr, delivered.destination_addr) == ("+4917000001", "+15550001")
    assert delivered.receipted_message_id == answer.message_id
    assert delivered.message_state == MessageState.DELIVERED
    text = receipt.parse(delivered.payload)
    assert text is not None
    assert (text.message_id, text.state, text.text) == (
        answer.message_id,
        MessageState.DELIVERED,
        "Hello",
    )


async def test_no_receipt_is_sent_unasked(box: Box) -> None:
    await behave(box, {"match": {"to": "+1"}, "outcome": {"kind": "deliver", "state": "UNDELIV"}})
    inbox = Inbox()
    async with box.client(inbox.take) as client:
        for registered, to in ((0, "+1"), (2, "+2"), (2, "+1"), (1, "+2")):
            message = sms(to)
            message.registered_delivery = registered
            await client.submit(message)
        await inbox.wait(2)
    assert inbox.states() == {"UNDELIV": 1, "DELIVRD": 1}


@pytest.mark.parametrize(
    ("text", "encoding"), [("x" * 400 + "€", "GSM_7"), ("Привет 😀 " * 20, "UCS_2")]
)
async def test_parts_are_joined_in_any_order(box: Box, text: str, encoding: str) -> None:
    inbox = Inbox()
    parts = submits(text, sms("+4917000002"), reference=7)
    other = submits(text, sms("+4917000003"), reference=7)
    async with box.client(inbox.take) as client:
        answers = [await client.submit(p) for p in (*reversed(parts), *other[:1])]
        await inbox.wait(len(answers))
    (found,) = await messages(box, "+4917000002")
    assert (found["body"], found["encoding"], found["parts"]) == (text, encoding, len(parts))
    assert found["part_ids"] == [a.message_id for a in answers[len(parts) - 1 :: -1]]
    assert await messages(box, "+4917000003") == []
    assert (await box.get("/stats"))["SMS"]["unfinished"] == 1
    times = await box.get("/timestamps", channel="SMS")
    assert len(times) == len(answers)
    assert times == sorted(times)


async def test_a_bind_needs_the_right_account(box: Box) -> None:
    for system_id, password, status in (
        ("other", "sandbox", CommandStatus.ESME_RINVSYSID),
        ("sandbox", "wrong", CommandStatus.ESME_RINVPASWD),
    ):
        client = Client(Account("127.0.0.1", box.ports.smpp, system_id, password), Inbox().take)
        with pytest.raises(BindRefusedError) as caught:
            await client.__aenter__()
        assert caught.value.status == status


async def test_roles_and_double_binds_are_held_to_the_standard(box: Box) -> None:
    async with box.client(mode=Mode.RECEIVER) as receiver:
        answer = await receiver.submit(sms("+1"))
        assert answer.status == CommandStatus.ESME_RINVBNDSTS
    async with box.client() as client:
        again = await client.session.request(BindTransceiver(system_id="sandbox"))
        assert isinstance(again, BindTransceiverResp)
        assert again.status == CommandStatus.ESME_RALYBND
        assert (await client.submit(sms(""))).status == CommandStatus.ESME_RINVDSTADR


async def test_receipts_wait_for_a_receiver_and_go_only_there(box: Box) -> None:
    inbox = Inbox()
    async with box.client(inbox.take, Mode.TRANSMITTER) as client:
        answer = await client.submit(sms("+1"))

    async def queued() -> bool:
        return bool((await box.get("/stats"))["SMS"]["waiting"] == 1)

    await eventually(queued)
    assert inbox.got == []
    async with box.client(inbox.take, Mode.RECEIVER):
        (delivered,) = await inbox.wait(1)
    assert delivered.receipted_message_id == answer.message_id


async def test_a_receipt_the_application_could_not_take_comes_again(box: Box) -> None:
    inbox = Inbox(CommandStatus.ESME_RX_T_APPN, OK)
    async with box.client(inbox.take) as client:
        answer = await client.submit(sms("+1"))
        got = await inbox.wait(2)
    assert [m.receipted_message_id for m in got] == [answer.message_id] * 2


async def test_outcomes_of_a_submission(box: Box) -> None:
    await behave(
        box,
        {"match": {"to": "+10*"}, "outcome": {"kind": "reject", "status": "ESME_RINVDSTADR"}},
        {"match": {"to": "+11*"}, "outcome": {"kind": "down", "mode": "refuse"}},
        {"match": {"to": "+12*"}, "outcome": {"kind": "deliver", "state": "EXPIRED", "copies": 2}},
        {"match": {"to": "+13*"}, "outcome": {"kind": "slow", "delay_ms": 120, "copies": 0}},
    )
    inbox = Inbox()
    loop = asyncio.get_running_loop()
    async with box.client(inbox.take) as client:
        assert (await client.submit(sms("+100"))).status == CommandStatus.ESME_RINVDSTADR
        assert (await client.submit(sms("+110"))).status == CommandStatus.ESME_RSYSERR
        assert (await client.submit(sms("+120"))).status == OK
        began = loop.time()
        assert (await client.submit(sms("+130"))).status == OK
        assert loop.time() - began >= 0.12
        await inbox.wait(2)
    assert inbox.states() == {"EXPIRED": 2}
    assert {m["to"] for m in await messages(box, "")} == {"+120", "+130"}
    assert (await box.get("/stats"))["SMS"]["verdicts"] == {
        "ESME_RINVDSTADR": 1,
        "ESME_RSYSERR": 1,
        "accepted": 2,
    }


async def test_a_lost_response_leaves_the_message_accepted(box: Box) -> None:
    await behave(box, {"outcome": {"kind": "lost"}})
    limits = Limits(response_seconds=0.2)
    async with box.client(limits=limits) as client:
        with pytest.raises(ResponseTimeoutError):
            await client.submit(sms("+1"))
    assert len(await messages(box, "+1")) == 1


async def test_a_number_that_is_down_cuts_the_link(box: Box) -> None:
    await behave(box, {"match": {"to": "+1"}, "outcome": {"kind": "down"}})
    async with box.client() as client:
        with pytest.raises(ConnectionLostError):
            await client.submit(sms("+1"))
    assert await messages(box, "+1") == []


async def test_a_centre_that_goes_down_cuts_every_link_and_refuses_binds(box: Box) -> None:
    async with box.client() as client:
        await behave(box, {"outcome": {"kind": "down"}})
        async with asyncio.timeout(5):
            await client.wait_closed()
    with pytest.raises(BindRefusedError, match="ESME_RBINDFAIL"):
        await box.client().__aenter__()
    await behave(box)
    async with box.client() as client:
        assert (await client.submit(sms("+1"))).status == OK


async def test_carriers_hold_their_throughput(box: Box) -> None:
    await box.put(
        "/carriers",
        [
            {"name": "slow", "prefixes": ["1555"], "per_second": 2},
            {"name": "late", "prefixes": ["1556"], "per_minute": 3, "over": "receipt"},
            {"name": "wide", "prefixes": ["1"]},
            {"name": "off", "prefixes": ["44"], "state": "refuse"},
        ],
    )
    inbox = Inbox()
    async with box.client(inbox.take) as client:
        slow = [(await client.submit(sms("+15551"))).status for _ in range(4)]
        late = [(await client.submit(sms("+15561"))).status for _ in range(5)]
        wide = [(await client.submit(sms("+15571"))).status for _ in range(5)]
        off = (await client.submit(sms("+441"))).status
        await inbox.wait(12)
    throttled = CommandStatus.ESME_RTHROTTLED
    assert slow == [OK, OK, throttled, throttled]
    assert late == [OK] * 5
    assert wide == [OK] * 5
    assert off == CommandStatus.ESME_RSYSERR
    assert inbox.states() == {"DELIVRD": 2 + 3 + 5, "REJECTD": 2}
    carriers = {m["carrier"] for m in await messages(box, "+15551")}
    assert carriers == {"slow"}
    states = [m["state"] for m in await messages(box, "+15561")]
    assert states == ["REJECTD"] * 2 + ["DELIVRD"] * 3
    assert len(await box.get("/timestamps", channel="SMS", carrier="slow")) == 4
    accepted = await box.get("/timestamps", channel="SMS", carrier="slow", accepted=1)
    assert len(accepted) == 2


async def test_receipts_are_shuffled(box: Box) -> None:
    await behave(box, {"outcome": {"kind": "deliver", "after_ms": 1, "shuffle_ms": 300}})
    inbox = Inbox()
    async with box.client(inbox.take) as client:
        sent = [(await client.submit(sms("+1"))).message_id for _ in range(30)]
        await inbox.wait(30)
    got = [m.receipted_message_id for m in inbox.got]
    assert sorted(map(str, got)) == sorted(sent)
    assert got != sent


async def test_a_person_replies(box: Box) -> None:
    await behave(
        box,
        {
            "match": {"to": "+1"},
            "outcome": {"kind": "deliver", "copies": 0},
            "actions": [{"kind": "reply", "text": "STOP", "after_ms": 5}],
        },
    )
    inbox = Inbox()
    async with box.client(inbox.take) as client:
        await client.submit(sms("+1"))
        (stop,) = await inbox.wait(1)
    assert (stop.source_addr, stop.destination_addr) == ("+1", "+15550001")
    assert (stop.payload, stop.is_receipt) == (b"STOP", False)


async def test_an_inbound_message_is_injected_in_parts(box: Box) -> None:
    inbox = Inbox()
    text = "Ж" * 100
    async with box.client(inbox.take):
        document = {"from": "+491", "to": "+15550001", "text": text}
        async with box.http.post("/inbound", json=document) as answer:
            assert (answer.status, await answer.json()) == (202, {"parts": 2})
        got = [segment_of(m) for m in await inbox.wait(2)]
    data = b"".join(part.data for part in sorted(got, key=lambda part: part.number))
    assert data.decode("utf-16-be") == text
    assert {part.total for part in got} == {2}


def _smpplib_sends(port: int, found: dict[str, Any]) -> None:
    """A foreign client, blocking, on a thread of its own."""
    client = smpplib.client.Client("127.0.0.1", port, allow_unknown_opt_params=True)
    done = threading.Event()

    def receive(pdu: Any, **_: object) -> int:
        found["receipt"] = (pdu.receipted_message_id, pdu.message_state, pdu.short_message)
        done.set()
        return 0

    client.set_message_sent_handler(lambda pdu: found.setdefault("ids", []).append(pdu.message_id))
    client.set_message_received_handler(receive)
    client.connect()
    client.bind_transceiver(system_id="sandbox", password="sandbox")
    parts, coding, esm_class = smpplib.gsm.make_parts("Grüße von nebenan")
    client.send_message(
        source_addr="15550001",
        destination_addr="491",
        short_message=parts[0],
        data_coding=coding,
        esm_class=esm_class,
        registered_delivery=True,
    )
    while not done.is_set():
        client.read_once()
    client.unbind()
    client.disconnect()


async def test_a_foreign_client_is_served(box: Box) -> None:
    found: dict[str, Any] = {}
    async with asyncio.timeout(10):
        await asyncio.to_thread(_smpplib_sends, box.ports.smpp, found)
    (kept,) = await messages(box, "491")
    assert kept["body"] == "Grüße von nebenan"
    message_id = found["ids"][0]
    assert message_id.decode() == kept["provider_message_id"]
    assert found["receipt"][0] == message_id
    assert found["receipt"][1] == MessageState.DELIVERED
    assert b"stat:DELIVRD" in found["receipt"][2]
