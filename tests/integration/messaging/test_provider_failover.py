"""Several providers of one channel: while the first is away the next takes over, nobody twice."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.messaging.domain.channels import Aws, Security, Smpp, Smtp, Twilio
from services.messaging.domain.ledger import State
from tests.support.desk import Desk, people, settled, worker
from tests.support.sandboxes import Sandbox, eventually, sandbox

SID = "AC" + "0" * 32
NOWHERE = Smtp("127.0.0.1", 9, Security.NONE)


@pytest.fixture(scope="module")
async def second() -> AsyncIterator[Sandbox]:
    async with sandbox() as box:
        yield box


@pytest.fixture(scope="module", autouse=True)
async def both_workers(given: dict[str, Any], second: Sandbox) -> AsyncIterator[None]:
    url = f"http://127.0.0.1:{second.ports.push}"
    email = worker(given, "email", ses_url=url)
    async with email, worker(given, "sms", twilio_url=url, aws_sms_url=f"{url}/aws-sms"):
        yield


async def test_mail_goes_by_the_second_host_while_the_first_cannot_be_reached(
    desk: Desk, box: Sandbox, second: Sandbox
) -> None:
    backup = Smtp("127.0.0.1", second.ports.smtp, Security.NONE)
    await desk.open_email(box, smtp=NOWHERE, fallbacks=(backup,))
    ids = await desk.send(await desk.frame(), people(40, desk.app_id[:6]))
    assert await settled(desk, ids, State.SENT) == {"SENT": 40}
    counts = await second.counts("EMAIL")
    assert {counts[one] for one in people(40, desk.app_id[:6])} == {1}
    assert await box.counts("EMAIL") == {}


async def test_a_first_host_that_comes_back_is_used_again(
    desk: Desk, box: Sandbox, second: Sandbox
) -> None:
    await box.behave({"match": {"channel": "EMAIL"}, "outcome": {"kind": "down"}})
    first = Smtp("127.0.0.1", box.ports.smtp, Security.NONE)
    backup = Smtp("127.0.0.1", second.ports.smtp, Security.NONE)
    await desk.open_email(box, smtp=first, fallbacks=(backup,))
    before = people(20, f"{desk.app_id[:6]}b")
    ids = await desk.send(await desk.frame(), before)
    assert await settled(desk, ids, State.SENT) == {"SENT": 20}
    await box.behave()
    sent = 0

    async def is_back() -> bool:
        nonlocal sent
        sent += 1
        [one] = await desk.send(await desk.frame(), [f"{desk.app_id}-{sent}@mail.example"])
        await settled(desk, [one], State.SENT)
        return bool(await box.counts("EMAIL"))

    await eventually(is_back)
    counts = await second.counts("EMAIL")
    assert {counts[one] for one in before} == {1}


async def test_texts_go_by_twilio_while_the_centre_cannot_be_reached(
    desk: Desk, box: Sandbox, second: Sandbox
) -> None:
    gone = Smpp("127.0.0.1", 9, "sandbox", "sandbox")
    await desk.open_sms(box, smpp=gone, parts_per_second=100, fallbacks=(Twilio(SID, "sandbox"),))
    numbers = [f"+1555020{n:04d}" for n in range(20)]
    ids = await desk.send(await desk.frame("SMS"), numbers)
    assert await settled(desk, ids, State.SENT) == {"SENT": 20}
    counts = await second.counts("SMS")
    assert {counts[one] for one in numbers} == {1}
    assert all(row.provider_ids[0].startswith("SM") for row in await desk.rows(ids))


async def test_twilio_alone(desk: Desk, box: Sandbox, second: Sandbox) -> None:
    await desk.open_sms(box, smpp=Smpp(), parts_per_second=100, twilio=Twilio(SID, "sandbox"))
    [one] = await desk.send(await desk.frame("SMS"), ["+15550209999"])
    assert await settled(desk, [one], State.SENT) == {"SENT": 1}
    assert len(await second.messages("SMS", "+15550209999")) == 1


async def test_aws_takes_over_for_mail_and_texts(desk: Desk, box: Sandbox, second: Sandbox) -> None:
    aws = Aws("eu-central-1", "sandbox", "secret")
    await desk.open_email(box, smtp=NOWHERE, fallbacks=(aws,))
    await desk.open_sms(box, smpp=Smpp(), parts_per_second=100, aws=aws)
    mails = people(5, f"{desk.app_id[:6]}s")
    sent = await desk.send(await desk.frame(), mails)
    texted = await desk.send(await desk.frame("SMS"), ["+15550208888"])
    assert await settled(desk, sent + texted, State.SENT) == {"SENT": 6}
    counts = await second.counts("EMAIL")
    assert {counts[one] for one in mails} == {1}
    assert len(await second.messages("SMS", "+15550208888")) == 1
