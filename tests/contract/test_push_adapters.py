"""Adapters of push services against services of their protocols: the same promises for each."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.messaging.adapters.adm import AdmAdapter, AdmClient
from services.messaging.adapters.apns import ApnsAdapter, ApnsChoice, AppleCertificate, AppleKey
from services.messaging.adapters.baidu import BaiduAdapter, BaiduApp
from services.messaging.adapters.fcm import FcmAdapter, ServiceAccount
from services.messaging.adapters.push_client import PushAdapter, PushService
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import OutboundPush
from services.messaging.domain.outcomes import Status
from services.messaging.domain.push import Notification, payload_of
from tests.support.desk import rule
from tests.support.keys import certificate, p256_key, pem, rsa_key
from tests.support.sandboxes import Sandbox, sandbox

KINDS = ("APNS", "GCM", "ADM", "BAIDU")
NOW = datetime.now(UTC)
HELLO = Notification(
    title="Hi", body="Grüße 🎉", action="URL", url="https://shop.example/a?b=1&c=ü"
)


@dataclass
class Services:
    """The sandbox, the file of its certificate, and settings of adapters to it."""

    box: Sandbox
    ca_file: str

    def adapter(self, kind: str, **changes: Any) -> PushAdapter:
        plain = f"http://127.0.0.1:{self.box.ports.push}"
        timeout = changes.pop("timeout", 5.0)
        if kind == "APNS":
            return self.apns(changes.get("identity"), timeout)
        service = PushService(plain, timeout)
        if kind == "GCM":
            account = ServiceAccount("shop-1", "a@shop-1.example", pem(rsa_key()), "key-1")
            return FcmAdapter(service, f"{plain}/token", account)
        secret = changes.get("secret", "sandbox")
        if kind == "ADM":
            return AdmAdapter(service, f"{plain}/auth/O2/token", AdmClient("app", secret))
        return BaiduAdapter(service, BaiduApp("app", secret))

    def apns(
        self, identity: AppleKey | AppleCertificate | None = None, timeout: float = 5.0
    ) -> ApnsAdapter:
        url = f"https://127.0.0.1:{self.box.ports.apns}"
        service = PushService(url, timeout, self.ca_file, speaks_http2=True)
        key = identity or AppleKey("TEAM012345", "KEY0123456", pem(p256_key()))
        return ApnsAdapter(service, "com.example.shop", key)


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    folder = tmp_path_factory.mktemp("push")
    client_ca, ca = folder / "client.pem", folder / "ca.pem"
    _write(client_ca, certificate(p256_key()))
    async with sandbox(apns_client_ca=str(client_ca)) as box:
        async with box.http.get("/certificate.pem") as answer:
            _write(ca, await answer.text())
        yield Services(box, str(ca))


@pytest.fixture
async def services(shared: Services) -> Services:
    await shared.box.reset()
    return shared


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def push(kind: str, token: str, n: int = 0, **changes: Any) -> OutboundPush:
    one = Notification(**{"title": "Hi", "body": "Grüße", **changes})
    made = payload_of(kind, one, token, NOW)
    return OutboundPush(f"m{n}-{token}", token, made.body, made.headers, one.authentication)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_hundred_arrive_once_each_in_order(services: Services, kind: str) -> None:
    messages = [push(kind, f"tok{n}", n) for n in range(100)]
    async with services.adapter(kind) as adapter:
        assert await adapter.ready()
        answers = await adapter.send(messages)
    assert {one.status for one in answers} == {Status.SUCCESSFUL}
    assert all(one.provider_ids[0] for one in answers)
    assert await services.box.counts("PUSH") == {f"tok{n}": 1 for n in range(100)}


@pytest.mark.parametrize("kind", KINDS)
async def test_each_answer_means_the_same_for_every_service(services: Services, kind: str) -> None:
    await services.box.behave(
        rule("PUSH", "dead", kind="dead"),
        rule("PUSH", "busy", kind="throttle", per_second=1),
        rule("PUSH", "later", kind="defer", times=1),
    )
    async with services.adapter(kind) as adapter:
        [dead, later, fine] = await adapter.send([push(kind, t) for t in ("dead", "later", "x")])
        busy = await adapter.send([push(kind, "busy", n) for n in range(3)])
        [again] = await adapter.send([push(kind, "later")])
    assert (dead.status, dead.reason) == (Status.PERMANENT_FAILURE, Reason.DEAD_TOKEN)
    assert later.status is Status.TEMPORARY_FAILURE
    assert (fine.status, again.status) == (Status.SUCCESSFUL, Status.SUCCESSFUL)
    assert sorted(one.status for one in busy) == [
        Status.SUCCESSFUL,
        Status.THROTTLED,
        Status.THROTTLED,
    ]
    assert await services.box.counts("PUSH") == {"later": 1, "x": 1, "busy": 1}


@pytest.mark.parametrize("kind", KINDS)
async def test_who_does_not_answer_in_time_may_have_it(services: Services, kind: str) -> None:
    await services.box.behave(rule("PUSH", "slow", kind="slow", delay_ms=3000))
    async with services.adapter(kind, timeout=1.0) as adapter:
        [slow, fine] = await adapter.send([push(kind, "slow"), push(kind, "x")])
    assert (slow.status, fine.status) == (Status.UNKNOWN_FAILURE, Status.SUCCESSFUL)
    assert "slow" not in slow.detail


async def test_a_service_that_is_away_was_not_called_and_is_left_alone_for_a_moment() -> None:
    key = AppleKey("TEAM012345", "KEY0123456", pem(p256_key()))
    service = PushService("https://127.0.0.1:9", 1.0, speaks_http2=True)
    async with ApnsAdapter(service, "com.example.shop", key) as adapter:
        assert await adapter.ready()
        [answer] = await adapter.send([push("APNS", "x")])
        assert answer.status is Status.NOT_CALLED
        assert not await adapter.ready()


async def test_apple_is_told_topic_type_priority_and_one_id_for_every_attempt(
    services: Services,
) -> None:
    async with services.adapter("APNS") as adapter:
        first = await adapter.send([push("APNS", "t")])
        second = await adapter.send([push("APNS", "t")])
        silent = push("APNS", "s", silent_push=True, title="", body="", data={"a": "b"})
        [quiet] = await adapter.send([silent])
        [voip] = await adapter.send([push("APNS_VOIP", "v")])
    assert first[0].provider_ids == second[0].provider_ids
    assert (quiet.status, voip.status) == (Status.SUCCESSFUL, Status.SUCCESSFUL)
    [stored] = await services.box.messages("PUSH", "s")
    told = json.loads(stored["body"])
    assert told["aps"] == {"content-available": 1}
    assert json.loads(told["data"]["pinpoint"]["jsonBody"]) == {"a": "b"}


async def test_apple_takes_a_certificate_in_the_place_of_a_key(services: Services) -> None:
    key = p256_key()
    own = AppleCertificate(certificate(key), pem(key))
    wanted = [push("APNS", f"t{n}", n, authentication=how) for n, how in enumerate(HOW)]
    async with services.apns() as usual, services.apns(own) as other:
        answers = await ApnsChoice(usual, other, "KEY").send(wanted)
    assert {one.status for one in answers} == {Status.SUCCESSFUL}
    assert len(await services.box.counts("PUSH")) == len(HOW)


HOW = ("", "KEY", "CERTIFICATE", "TOKEN")


async def test_a_provider_token_that_apple_calls_too_old_is_made_anew(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = iter([7200.0])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - next(ages, 0.0))
    async with services.adapter("APNS") as adapter:
        [answer] = await adapter.send([push("APNS", "t")])
    assert answer.status is Status.SUCCESSFUL


async def test_apple_refuses_who_shows_nothing_it_knows(services: Services) -> None:
    wrong = AppleKey("", "KEY0123456", pem(p256_key()))
    async with services.adapter("APNS", identity=wrong) as adapter:
        [answer] = await adapter.send([push("APNS", "t")])
    assert (answer.status, answer.reason) == (
        Status.PERMANENT_FAILURE,
        Reason.PROVIDER_REJECTED_SENDER,
    )


@pytest.mark.parametrize("kind", ["ADM", "BAIDU"])
async def test_wrong_credentials_reject_the_sender(services: Services, kind: str) -> None:
    async with services.adapter(kind, secret="wrong") as adapter:
        [answer] = await adapter.send([push(kind, "t")])
    assert (answer.status, answer.reason) == (
        Status.PERMANENT_FAILURE,
        Reason.PROVIDER_REJECTED_SENDER,
    )
    assert "wrong" not in repr(adapter.__dict__)


async def test_firebase_gets_texts_alone_and_a_legacy_payload_in_its_new_form(
    services: Services,
) -> None:
    legacy = {
        "priority": "high",
        "time_to_live": 60,
        "notification": {"title": "Old", "android_channel_id": "news"},
        "data": {"n": 1},
    }
    async with services.adapter("GCM") as adapter:
        wanted = [
            push("GCM", "new", title="Hi"),
            push("GCM", "old", raw_content=json.dumps(legacy)),
        ]
        answers = await adapter.send(wanted)
    assert {one.status for one in answers} == {Status.SUCCESSFUL}
    [new] = await services.box.messages("PUSH", "new")
    assert json.loads(new["body"])["data"]["pinpoint.notification.title"] == "Hi"
    [stored] = await services.box.messages("PUSH", "old")
    told = json.loads(stored["body"])
    assert told["data"] == {"n": "1"}
    assert told["notification"] == {"title": "Old"}
    assert told["android"] == {
        "priority": "HIGH",
        "ttl": "60s",
        "notification": {"channel_id": "news"},
    }


async def test_a_token_of_amazon_that_moved_is_told(services: Services) -> None:
    await services.box.behave(rule("PUSH", "old", kind="moved", text="new"))
    async with services.adapter("ADM") as adapter:
        [moved, kept] = await adapter.send([push("ADM", "old"), push("ADM", "same")])
    assert (moved.status, moved.new_address) == (Status.SUCCESSFUL, "new")
    assert kept.new_address == ""


@pytest.mark.parametrize("kind", ["GCM", "ADM"])
async def test_an_access_token_that_died_is_asked_for_anew(kind: str) -> None:
    async with sandbox(push_token_seconds=1) as box:
        services = Services(box, "")
        async with services.adapter(kind) as adapter:
            statuses = [(await adapter.send([push(kind, f"t{n}")]))[0].status for n in range(3)]
    assert statuses == [Status.SUCCESSFUL] * 3
