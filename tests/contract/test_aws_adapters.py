"""Amazon SES and AWS End User Messaging through aiobotocore, over their real wire formats."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.messaging.adapters.aws import AwsAccount, AwsSmsAdapter, AwsVoiceAdapter, SesAdapter
from services.messaging.domain.ledger import Reason
from services.messaging.domain.mime import Mail, Skeleton
from services.messaging.domain.outbound import Answered, OutboundEmail, OutboundSms, OutboundVoice
from services.messaging.domain.outcomes import Status
from tests.support.desk import rule
from tests.support.sandboxes import Sandbox, sandbox

ACCOUNT = AwsAccount("eu-central-1", "sandbox", "not-shown", "set-1", timeout_seconds=2.0)


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    async with sandbox() as opened:
        yield opened


def ses(box: Sandbox, **changes: str) -> SesAdapter:
    url = f"http://127.0.0.1:{box.ports.push}"
    return SesAdapter(replace(ACCOUNT, url=url, **changes))  # type: ignore[arg-type]  # texts alone


def texts(box: Sandbox) -> AwsSmsAdapter:
    return AwsSmsAdapter(replace(ACCOUNT, url=f"http://127.0.0.1:{box.ports.push}/aws-sms"))


def mail(to: str) -> OutboundEmail:
    made = Mail(f"m-{to}", to, "Grüße", "<p>Hi</p>", "Hi", ())
    body = Skeleton("Shop <s@shop.example>", (), "shop.example").build(made, datetime.now(UTC))
    return OutboundEmail(f"m-{to}", "s@shop.example", to, body)


async def test_mails_arrive_byte_for_byte(box: Sandbox) -> None:
    wanted = [mail(f"u{n}@mail.example") for n in range(20)]
    async with ses(box) as adapter:
        answers = await adapter.send(wanted)
    assert {one.status for one in answers} == {Status.SUCCESSFUL}
    assert len({one.provider_ids for one in answers}) == 20
    [stored] = await box.messages("EMAIL", "u7@mail.example")
    async with box.http.get(f"/messages/{stored['number']}/raw") as answer:
        assert await answer.read() == wanted[7].body


async def test_answers_of_ses_mean_what_they_say(box: Sandbox) -> None:
    await box.behave(
        rule("EMAIL", "bad@mail.example", kind="reject"),
        rule("EMAIL", "busy@mail.example", kind="throttle", per_second=1),
        rule("EMAIL", "away@mail.example", kind="down"),
        rule("EMAIL", "slow@mail.example", kind="slow", delay_ms=4000),
    )
    names = ("bad", "busy", "busy", "away", "slow", "fine")
    async with ses(box) as adapter:
        answers = await adapter.send([mail(f"{name}@mail.example") for name in names])
    statuses = [one.status for one in answers]
    assert statuses[0] is Status.PERMANENT_FAILURE
    assert sorted(statuses[1:3]) == [Status.SUCCESSFUL, Status.THROTTLED]
    assert statuses[3:] == [Status.TEMPORARY_FAILURE, Status.UNKNOWN_FAILURE, Status.SUCCESSFUL]
    assert (await box.counts("EMAIL"))["slow@mail.example"] == 1


async def test_a_key_that_is_none_rejects_the_sender_and_is_not_shown(box: Sandbox) -> None:
    async with ses(box, access_key_id="another") as adapter:
        [answer] = await adapter.send([mail("u@mail.example")])
    assert answer.reason is Reason.PROVIDER_REJECTED_SENDER
    assert "not-shown" not in repr(ACCOUNT)


async def test_a_service_that_is_away_was_not_called() -> None:
    async with SesAdapter(replace(ACCOUNT, url="http://127.0.0.1:9")) as adapter:
        [answer] = await adapter.send([mail("u@mail.example")])
        assert answer.status is Status.NOT_CALLED
        assert not await adapter.ready()


async def test_texts_arrive_as_they_are(box: Sandbox) -> None:
    await box.behave(rule("SMS", "+2", kind="reject"))
    wanted = [
        OutboundSms("m1", "+15550001111", "+1", "Grüße – 5 €", "entity", "template"),
        OutboundSms("m2", "", "+2", "Hi"),
    ]
    async with texts(box) as adapter:
        answers = await adapter.send(wanted)
    assert [one.status for one in answers] == [Status.SUCCESSFUL, Status.PERMANENT_FAILURE]
    assert answers[0].account
    [stored] = await box.messages("SMS", "+1")
    assert (stored["body"], stored["from"]) == ("Grüße – 5 €", "+15550001111")


async def test_a_text_of_many_parts_takes_a_turn_for_each(box: Sandbox) -> None:
    turns: list[str] = []

    async def turn() -> Answered:
        turns.append("taken")
        return lambda: turns.append("answered")

    async with texts(box) as adapter:
        await adapter.send([OutboundSms("m1", "+15550001111", "+1", "x" * 200)], turn)
    assert turns == ["taken", "taken", "answered", "answered"]


def calls(box: Sandbox) -> AwsVoiceAdapter:
    url = f"http://127.0.0.1:{box.ports.push}/aws-sms"
    return AwsVoiceAdapter(replace(ACCOUNT, url=url, max_price_per_minute="0.05"))


def call(to: str, text: str, *, is_ssml: bool = False) -> OutboundVoice:
    return OutboundVoice(f"m-{to}", "+12065550100", to, text, is_ssml, "en-US", "Polly.Joanna")


async def test_calls_speak_text_and_ssml(box: Sandbox) -> None:
    plain, marked = "+12065550171", "+12065550172"
    wanted = [call(plain, "Tom & Ann"), call(marked, "Hi <break/>", is_ssml=True)]
    async with calls(box) as adapter:
        answers = await adapter.send(wanted)
    assert [one.status for one in answers] == [Status.SUCCESSFUL] * 2
    assert all(one.provider_ids[0] and one.account for one in answers)
    for number, said in ((plain, "Tom & Ann"), (marked, "<speak>Hi <break/></speak>")):
        [stored] = await box.messages("VOICE", number)
        async with box.http.get(f"/messages/{stored['number']}/raw") as answer:
            assert (await answer.read()).decode() == said


async def test_refused_calls_mean_what_they_say(box: Sandbox) -> None:
    await box.behave(
        rule("VOICE", "+12065550173", kind="reject"), rule("VOICE", "+12065550174", kind="down")
    )
    async with calls(box) as adapter:
        answers = await adapter.send([call("+12065550173", "Hi"), call("+12065550174", "Hi")])
    assert [one.status for one in answers] == [Status.PERMANENT_FAILURE, Status.TEMPORARY_FAILURE]
