"""The Twilio adapter against its API."""

from collections.abc import AsyncIterator

import pytest

from services.messaging.adapters.push_client import PushService
from services.messaging.adapters.twilio import TwilioAccount, TwilioAdapter, TwilioCalls
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import Answered, OutboundSms, OutboundVoice
from services.messaging.domain.outcomes import Status
from tests.support.desk import rule
from tests.support.sandboxes import Sandbox, sandbox

SID = "AC" + "0" * 32


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    async with sandbox() as opened:
        yield opened


def adapter(box: Sandbox, token: str = "sandbox", timeout: float = 5.0) -> TwilioAdapter:  # noqa: S107
    service = PushService(f"http://127.0.0.1:{box.ports.push}", timeout)
    return TwilioAdapter(service, TwilioAccount(SID, token))


def text(to: str, said: str = "Hi & grüß – 5 €") -> OutboundSms:
    return OutboundSms(f"m-{to}", "+15550001111", to, said)


async def test_texts_arrive_as_they_are_with_an_id_and_a_turn_for_every_part(box: Sandbox) -> None:
    turns: list[str] = []

    async def turn() -> Answered:
        turns.append("taken")
        return lambda: turns.append("answered")

    async with adapter(box) as one:
        answers = await one.send([text("+15550000001"), text("+15550000002", "x" * 200)], turn)
    assert [answer.status for answer in answers] == [Status.SUCCESSFUL] * 2
    assert all(answer.provider_ids[0].startswith("SM") and answer.account for answer in answers)
    assert sorted(turns) == ["answered"] * 3 + ["taken"] * 3
    [stored] = await box.messages("SMS", "+15550000001")
    assert (stored["body"], stored["from"]) == ("Hi & grüß – 5 €", "+15550001111")


async def test_answers_mean_what_they_say(box: Sandbox) -> None:
    await box.behave(
        rule("SMS", "+1", kind="reject"),
        rule("SMS", "+2", kind="down"),
        rule("SMS", "+3", kind="throttle", per_second=1),
        rule("SMS", "+4", kind="slow", delay_ms=3000),
    )
    async with adapter(box, timeout=1.0) as one:
        wanted = [text("+1"), text("+2"), text("+3"), text("+3"), text("+4"), text("+5")]
        answers = await one.send(wanted)
    statuses = [answer.status for answer in answers]
    assert statuses[:2] == [Status.PERMANENT_FAILURE, Status.TEMPORARY_FAILURE]
    assert sorted(statuses[2:4]) == [Status.SUCCESSFUL, Status.THROTTLED]
    assert statuses[4:] == [Status.UNKNOWN_FAILURE, Status.SUCCESSFUL]
    assert answers[0].reason is Reason.INVALID_ADDRESS


async def test_wrong_credentials_reject_the_sender_and_are_not_shown(box: Sandbox) -> None:
    async with adapter(box, "wrong") as one:
        [answer] = await one.send([text("+5")])
    assert answer.reason is Reason.PROVIDER_REJECTED_SENDER
    assert "wrong" not in repr(TwilioAccount(SID, "wrong"))


async def test_calls_speak_what_they_are_given(box: Sandbox) -> None:
    await box.behave(rule("VOICE", "+2", kind="reject"))
    service = PushService(f"http://127.0.0.1:{box.ports.push}")
    plain = OutboundVoice(
        "m1", "+1555", "+1", "5 < 6 & more", is_ssml=False, language_code="de-DE", voice_id="Vicki"
    )
    ssml = OutboundVoice("m2", "+1555", "+3", 'A <break time="1s"/> B', is_ssml=True)
    refused = OutboundVoice("m3", "+1555", "+2", "Hi")
    async with TwilioCalls(service, TwilioAccount(SID, "sandbox")) as calls:
        answers = await calls.send([plain, ssml, refused])
    assert [one.status for one in answers] == [
        Status.SUCCESSFUL,
        Status.SUCCESSFUL,
        Status.PERMANENT_FAILURE,
    ]
    assert answers[0].provider_ids[0].startswith("CA")
    [first] = await box.messages("VOICE", "+1")
    said = '<Say language="de-DE" voice="Polly.Vicki">5 &lt; 6 &amp; more</Say>'
    assert first["body"] == f"<Response>{said}</Response>"
    [second] = await box.messages("VOICE", "+3")
    assert second["body"] == '<Response><Say>A <break time="1s"/> B</Say></Response>'
