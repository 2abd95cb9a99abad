"""One-time passwords through the real gateway, and through worker and SMS centre to a phone."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from grpc import aio
from touchpoint.messaging.v1 import channels_service_pb2 as channels
from touchpoint.messaging.v1 import messaging_service_pb2 as messaging
from touchpoint.messaging.v1 import otp_service_pb2 as pb

from libs.ids import new_id
from services.messaging.domain.otp import TEXTS, otp_key
from services.messaging.store.erasure import ErasureStore
from tests.integration.messaging.gateway_support import (
    METADATA,
    SMS,
    Gateway,
    running_gateway,
    sms_channel,
)
from tests.support.desk import worker
from tests.support.running import common, refusal
from tests.support.sandboxes import Sandbox, eventually, sandbox

pytestmark = pytest.mark.servers
_NUMBERS = itertools.count()
"""No phone gets the texts of two tests."""
SENT = messaging.DELIVERY_STATUS_SUCCESSFUL


@pytest.fixture(scope="module")
async def phones() -> AsyncIterator[Sandbox]:
    async with sandbox() as box:
        yield box


@pytest.fixture(scope="module")
async def gateway(
    mongo_uri: str, amqp_url: str, database_prefix: str, phones: Sandbox
) -> AsyncIterator[Gateway]:
    centre = f"127.0.0.1:{phones.ports.smpp}"
    given = common(mongo_uri, amqp_url, database_prefix, smpp_addr=centre, account_sms_rate=1000)
    async with (
        running_gateway(
            mongo_uri, amqp_url, database_prefix, smpp_addr=centre, account_sms_rate=1000
        ) as running,
        worker(given, "sms"),
    ):
        yield running


@pytest.fixture
async def app_id(gateway: Gateway) -> str:
    made = new_id()
    await gateway.channels.UpdateSmsChannel(
        channels.UpdateSmsChannelRequest(
            application_id=made, sms_channel=channels.SmsChannel(enabled=True, sender_id="SHOP")
        ),
        metadata=METADATA,
    )
    return made


def phone() -> str:
    return f"+1206555{next(_NUMBERS):04d}"


async def send(gateway: Gateway, app_id: str, to: str, **changes: Any) -> messaging.MessageResult:
    given: dict[str, Any] = {
        "channel": "SMS",
        "brand_name": "Shop",
        "destination_identity": to,
        "origination_identity": "SHOP",
        "reference_id": "sign-in",
        **changes,
    }
    request = pb.SendOTPMessageRequest(application_id=app_id, **given)
    answer: pb.SendOTPMessageResponse = await gateway.otp.SendOTPMessage(request, metadata=METADATA)
    return answer.result[to]


async def verify(
    gateway: Gateway, app_id: str, to: str, code: str, reference: str = "sign-in"
) -> bool:
    request = pb.VerifyOTPMessageRequest(
        application_id=app_id, destination_identity=to, otp=code, reference_id=reference
    )
    return bool((await gateway.otp.VerifyOTPMessage(request, metadata=METADATA)).valid)


async def code_on(phones: Sandbox, to: str, count: int = 1) -> str:
    async def there() -> list[dict[str, Any]]:
        found = await phones.messages("SMS", to)
        return found if len(found) >= count else []

    [newest, *_] = await eventually(there)
    [code] = re.findall(r"\d{5,8}", newest["body"])
    return str(code)


async def test_a_code_reaches_the_phone_and_is_right_once(
    gateway: Gateway, phones: Sandbox, app_id: str
) -> None:
    to = phone()
    result = await send(gateway, app_id, to, code_length=8, language="de-DE")
    assert (result.delivery_status, result.status_code) == (SENT, 200)
    code = await code_on(phones, to)
    assert len(code) == 8
    [text] = await phones.messages("SMS", to)
    assert text["body"] == f"Ihr Einmalpasswort von Shop lautet: {code}"
    assert not await verify(gateway, app_id, to, code, "another reference")
    assert await verify(gateway, app_id, to, code)
    assert not await verify(gateway, app_id, to, code)


async def test_every_language_reaches_the_phone(
    gateway: Gateway, phones: Sandbox, app_id: str
) -> None:
    for language, words in TEXTS.items():
        to = phone()
        await send(gateway, app_id, to, language=language, brand_name="{x} & 'Söhne' }}")
        code = await code_on(phones, to)
        [text] = await phones.messages("SMS", to)
        assert text["body"] == words.format(code=code, brand="{x} & 'Söhne' }}")
        assert await verify(gateway, app_id, to, code)


@pytest.mark.parametrize("sender", ["SHOP", "12345", "+12065550199"])
async def test_a_text_comes_from_whom_it_should(
    gateway: Gateway, phones: Sandbox, app_id: str, sender: str
) -> None:
    to = phone()
    await send(gateway, app_id, to, origination_identity=sender)
    await code_on(phones, to)
    [text] = await phones.messages("SMS", to)
    assert text["from"].lstrip("+") == sender.lstrip("+")


async def test_of_answers_at_the_same_time_one_is_right(
    gateway: Gateway, phones: Sandbox, app_id: str
) -> None:
    to = phone()
    await send(gateway, app_id, to, allowed_attempts=5)
    code = await code_on(phones, to)
    answers = await asyncio.gather(*(verify(gateway, app_id, to, code) for _ in range(5)))
    assert sum(answers) == 1


async def test_wrong_answers_kill_a_code(gateway: Gateway, phones: Sandbox, app_id: str) -> None:
    to = phone()
    await send(gateway, app_id, to, allowed_attempts=2)
    code = await code_on(phones, to)
    wrong = "0" * len(code) if code != "0" * len(code) else "1" * len(code)
    assert not await verify(gateway, app_id, to, wrong)
    assert not await verify(gateway, app_id, to, wrong)
    assert not await verify(gateway, app_id, to, code)


async def test_the_last_attempt_counts(gateway: Gateway, phones: Sandbox, app_id: str) -> None:
    to = phone()
    await send(gateway, app_id, to, allowed_attempts=2)
    code = await code_on(phones, to)
    assert not await verify(gateway, app_id, to, f"{code}0")
    assert await verify(gateway, app_id, to, code)


async def test_a_new_code_takes_the_place_of_the_old(
    gateway: Gateway, phones: Sandbox, app_id: str
) -> None:
    to = phone()
    await send(gateway, app_id, to)
    first = await code_on(phones, to)
    await send(gateway, app_id, to)
    second = await code_on(phones, to, 2)
    assert first == second or not await verify(gateway, app_id, to, first)
    assert await verify(gateway, app_id, to, second)


async def test_a_code_dies_when_its_time_is_over(
    gateway: Gateway, phones: Sandbox, app_id: str
) -> None:
    to = phone()
    await send(gateway, app_id, to)
    code, past = await code_on(phones, to), datetime.now(UTC) - timedelta(milliseconds=1)
    change = {"$set": {"expire_time": past}}
    assert (await gateway.database["otps"].update_one({"app_id": app_id}, change)).modified_count
    assert not await verify(gateway, app_id, to, code)


async def test_above_the_rate_there_is_no_code(gateway: Gateway, app_id: str) -> None:
    await sms_channel(gateway, app_id, parts_per_second=1)
    phones = [phone() for _ in range(8)]
    answers = await asyncio.gather(*(send(gateway, app_id, to) for to in phones))
    sent = dict(zip(phones, answers, strict=True))
    refused = [to for to, one in sent.items() if one.status_code == 429]
    assert refused
    throttled = messaging.DELIVERY_STATUS_THROTTLED
    assert all(sent[to].delivery_status == throttled for to in refused)
    keys = [otp_key(app_id, to, "sign-in") for to in refused]
    assert await gateway.database["otps"].count_documents({"_id": {"$in": keys}}) == 0
    kept = await gateway.database["otps"].count_documents({"app_id": app_id})
    assert kept == len(sent) - len(refused)


async def test_a_channel_that_is_off_leaves_no_code(gateway: Gateway) -> None:
    app_id, to = new_id(), phone()
    result = await send(gateway, app_id, to)
    assert result.delivery_status == messaging.DELIVERY_STATUS_PERMANENT_FAILURE
    assert await gateway.database["otps"].count_documents({"app_id": app_id}) == 0


async def test_logs_tell_neither_code_nor_number(
    gateway: Gateway, phones: Sandbox, app_id: str, capfd: pytest.CaptureFixture[str]
) -> None:
    to = phone()
    await send(gateway, app_id, to, code_length=8)
    code = await code_on(phones, to)
    assert await verify(gateway, app_id, to, code)
    with pytest.raises(aio.AioRpcError):
        await verify(gateway, app_id, to, code, "")
    said = "".join(capfd.readouterr())
    assert "SendOTPMessage" in said
    assert "VerifyOTPMessage" in said
    assert code not in said
    assert to.lstrip("+") not in said


async def test_who_gets_no_text_has_no_code(gateway: Gateway, app_id: str) -> None:
    to = phone()
    put = channels.PutSuppressedDestinationsRequest(application_id=app_id)
    put.destinations.add(
        channel_type=SMS, address=to, reason=channels.SUPPRESSION_REASON_STOP_KEYWORD
    )
    await gateway.channels.PutSuppressedDestinations(put, metadata=METADATA)
    result = await send(gateway, app_id, to)
    assert result.delivery_status == messaging.DELIVERY_STATUS_OPT_OUT
    assert await gateway.database["otps"].count_documents({"app_id": app_id}) == 0


async def test_nothing_tells_the_code_but_the_batch_that_goes_with_its_outcome(
    gateway: Gateway, phones: Sandbox, app_id: str
) -> None:
    to = phone()
    await send(gateway, app_id, to)
    code = await code_on(phones, to)
    telling = set()
    for name in await gateway.database.list_collection_names():
        found = await gateway.database[name].find({"app_id": app_id}).to_list(None)
        if any(code.encode() in repr(one).encode() for one in found):
            telling.add(name)
    assert telling <= {"batches"}
    [batch] = await gateway.database["batches"].find({"app_id": app_id}).to_list(None)
    assert batch["expire_time"] <= datetime.now(UTC) + timedelta(minutes=15)


async def test_a_deleted_application_leaves_no_code(gateway: Gateway, app_id: str) -> None:
    await send(gateway, app_id, phone())
    assert await gateway.database["otps"].count_documents({"app_id": app_id}) == 1
    await ErasureStore(gateway.database).forget(app_id)
    assert await gateway.database["otps"].count_documents({"app_id": app_id}) == 0


async def test_every_bad_field_is_named_and_nothing_kept(gateway: Gateway, app_id: str) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await send(gateway, app_id, "12", channel="EMAIL", code_length=9, brand_name="")
    wanted = {"channel", "destination_identity", "code_length", "brand_name"}
    assert refusal(caught.value).fields == wanted
    with pytest.raises(aio.AioRpcError) as caught:
        await verify(gateway, "", "12", "", "")
    wanted = {"application_id", "destination_identity", "reference_id", "otp"}
    assert refusal(caught.value).fields == wanted
    assert await gateway.database["otps"].count_documents({"app_id": app_id}) == 0
