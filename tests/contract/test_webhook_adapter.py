"""The webhook adapter against the sandbox's receiver, and against addresses it must not call."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from services.messaging.adapters import webhook
from services.messaging.adapters.webhook import Reach, WebhookAdapter
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import OutboundWebhook
from services.messaging.domain.outcomes import Answer, Status
from services.messaging.domain.webhooks import CustomWords, WebhookCall, head_of
from tests.support.desk import rule
from tests.support.sandboxes import Sandbox, eventually, sandbox

KEYS = (b"new" * 8, b"old" * 8)
LOCAL = frozenset({"127.0.0.1"})
CAMPAIGN = {"CampaignId": "camp", "TreatmentId": "1", "ActivityId": "act"}


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Sandbox]:
    async with sandbox() as box:
        yield box


@pytest.fixture
async def box(shared: Sandbox) -> Sandbox:
    await shared.reset()
    return shared


@pytest.fixture
async def adapter() -> AsyncIterator[WebhookAdapter]:
    made = WebhookAdapter(Reach(LOCAL, timeout_seconds=0.5))
    async with asyncio.TaskGroup() as group:
        kept = group.create_task(made.run())
        yield made
        kept.cancel()


def call_of(url: str, app_id: str = "app") -> WebhookCall:
    words = CustomWords(url, "hello", "2026-05-01T12:00:00Z")
    return WebhookCall(url, app_id, head_of(words, app_id, CAMPAIGN), KEYS)


def people(count: int, url: str, app_id: str = "app") -> list[OutboundWebhook]:
    call = call_of(url, app_id)
    return [
        OutboundWebhook(f"m{n}", f"e{n}", json.dumps({"Address": f"a{n}"}).encode(), call)
        for n in range(count)
    ]


def receiver(box: Sandbox, name: str = "r", app_id: str = "app") -> str:
    return f"http://127.0.0.1:{box.ports.push}/webhooks/{app_id}/{name}"


def failures(answers: list[Answer]) -> set[tuple[Status, Reason]]:
    return {(one.status, one.reason) for one in answers}


REFUSED = (Status.PERMANENT_FAILURE, Reason.CUSTOM_DELIVERY_FAILURE)
AWAY = (Status.TEMPORARY_FAILURE, Reason.CUSTOM_DELIVERY_FAILURE)


async def test_fifty_endpoints_a_request_signed_by_every_secret(
    adapter: WebhookAdapter, box: Sandbox
) -> None:
    answers = await adapter.send(people(120, receiver(box)))
    assert answers == [Answer(Status.SUCCESSFUL)] * 120
    took = await box.messages("CUSTOM")
    assert sorted(one["to"] for one in took) == sorted(f"e{n}" for n in range(120))
    assert sorted({len(json.loads(one["body"])["Endpoints"]) for one in took}) == [20, 50]
    for one in took:
        document, headers = json.loads(one["body"]), dict(one["headers"])
        endpoints = document.pop("Endpoints")
        assert document == {
            "Message": {},
            "Data": "hello",
            "ApplicationId": "app",
            **CAMPAIGN,
            "ScheduledTime": "2026-05-01T12:00:00Z",
        }
        assert endpoints == {name: {"Address": f"a{name[1:]}"} for name in endpoints}
        ids = headers["x-touchpoint-message-ids"].split(",")
        assert ids == [f"m{name[1:]}" for name in endpoints]
        _check_signature(headers, one["body"].encode())


def _check_signature(headers: dict[str, str], body: bytes) -> None:
    """As Standard Webhooks 1.0 describes it, written down a second time."""
    moment = headers["webhook-timestamp"]
    assert abs(time.time() - int(moment)) < 60
    signed = f"{headers['webhook-id']}.{moment}.".encode() + body
    digests = [hmac.new(key, signed, hashlib.sha256).digest() for key in KEYS]
    wanted = [f"v1,{base64.b64encode(digest).decode()}" for digest in digests]
    assert headers["webhook-signature"].split(" ") == wanted


async def test_attributes_of_the_answer(adapter: WebhookAdapter, box: Sandbox) -> None:
    await box.behave(rule("CUSTOM", "r", kind="deliver", text='{"tier": "gold"}'))
    answers = await adapter.send(people(2, receiver(box)))
    assert {one.attributes for one in answers} == {(("tier", "gold"),)}


@pytest.mark.parametrize("text", ["thanks", '{"n": 1}', "[1]"])
async def test_a_malformed_answer_is_a_delivery(
    adapter: WebhookAdapter, box: Sandbox, text: str
) -> None:
    await box.behave(rule("CUSTOM", "r", kind="deliver", text=text))
    [answer] = await adapter.send(people(1, receiver(box)))
    assert (answer.status, answer.attributes) == (Status.SUCCESSFUL, ())
    assert answer.detail


@pytest.mark.parametrize(
    ("outcome", "wanted"),
    [
        ({"kind": "down"}, AWAY),
        ({"kind": "defer"}, AWAY),
        ({"kind": "reject", "code": 500}, AWAY),
        ({"kind": "reject", "code": 408}, AWAY),
        ({"kind": "reject", "code": 429}, AWAY),
        ({"kind": "reject", "code": 400}, REFUSED),
        ({"kind": "reject", "code": 404}, REFUSED),
        ({"kind": "reject", "code": 302}, REFUSED),
        ({"kind": "stranger"}, REFUSED),
    ],
)
async def test_what_is_tried_again_and_what_is_final(
    adapter: WebhookAdapter, box: Sandbox, outcome: dict[str, Any], wanted: tuple[Status, Reason]
) -> None:
    await box.behave(rule("CUSTOM", "r", **outcome))
    answers = await adapter.send(people(3, receiver(box)))
    assert failures(answers) == {wanted}
    assert len(answers) == 3
    assert await box.counts("CUSTOM") == {}


async def test_a_url_whose_owner_names_another_application_gets_nothing(
    adapter: WebhookAdapter, box: Sandbox
) -> None:
    answers = await adapter.send(people(1, receiver(box, app_id="other")))
    assert failures(answers) == {REFUSED}
    assert "x-touchpoint-application-id" in answers[0].detail
    assert await box.counts("CUSTOM") == {}


async def test_the_owner_is_asked_once_and_again_when_the_answer_is_old(
    adapter: WebhookAdapter, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = receiver(box)
    assert failures(await adapter.send(people(1, url))) == {(Status.SUCCESSFUL, Reason.NONE)}
    await box.behave(rule("CUSTOM", "r", kind="stranger"))
    assert failures(await adapter.send(people(1, url))) == {(Status.SUCCESSFUL, Reason.NONE)}
    monkeypatch.setattr(webhook, "OWNED_SECONDS", 0.0)
    fresh = receiver(box, "fresh")
    assert failures(await adapter.send(people(1, fresh))) == {(Status.SUCCESSFUL, Reason.NONE)}
    await box.behave(rule("CUSTOM", "fresh", kind="stranger"))
    assert failures(await adapter.send(people(1, fresh))) == {REFUSED}


async def test_a_slow_receiver_gets_it_again_and_takes_it_once(
    adapter: WebhookAdapter, box: Sandbox
) -> None:
    await box.behave(rule("CUSTOM", "r", kind="slow", delay_ms=2000))
    sent = people(3, receiver(box))
    assert failures(await adapter.send(sent)) == {AWAY}
    await box.behave()
    assert failures(await adapter.send(sent)) == {(Status.SUCCESSFUL, Reason.NONE)}
    assert await box.counts("CUSTOM") == {"e0": 1, "e1": 1, "e2": 1}
    async with box.http.get("/stats") as answer:
        stats = await answer.json(content_type=None)
    assert stats["CUSTOM"]["verdicts"] == {"accepted": 3, "repeat": 3}


async def test_nobody_at_home_is_tried_again(adapter: WebhookAdapter) -> None:
    assert failures(await adapter.send(people(1, "http://127.0.0.1:9/"))) == {AWAY}


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.2/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://2130706433/",
        "http://example.com/",
    ],
)
async def test_private_addresses_and_plain_http_are_never_called(
    adapter: WebhookAdapter, url: str
) -> None:
    assert failures(await adapter.send(people(1, url))) == {REFUSED}


async def test_a_redirect_is_not_followed_nor_a_large_answer_read(
    adapter: WebhookAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that turns: the sandbox's never does."""
    monkeypatch.setattr(webhook, "MOST_BYTES", 100_000)
    visited: list[str] = []

    async def owner(_: web.Request) -> web.Response:
        return web.Response(headers={"x-touchpoint-application-id": "another, app"})

    async def answer(request: web.Request) -> web.Response:
        visited.append(request.path)
        if request.path == "/turn":
            raise web.HTTPTemporaryRedirect("/inside")
        return web.Response(body=b'{"e0": ' + b" " * 200_000 + b"{}}")

    application = web.Application()
    for path in ("/turn", "/inside", "/large"):
        application.router.add_head(path, owner)
        application.router.add_post(path, answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    assert failures(await adapter.send(people(1, f"http://127.0.0.1:{port}/turn"))) == {REFUSED}
    [large] = await adapter.send(people(1, f"http://127.0.0.1:{port}/large"))
    assert (large.status, large.attributes) == (Status.SUCCESSFUL, ())
    assert large.detail
    assert visited == ["/turn", "/large"]
    await runner.cleanup()


async def test_every_message_waits_for_its_turn(adapter: WebhookAdapter, box: Sandbox) -> None:
    turns: list[str] = []

    async def turn() -> Any:
        turns.append("begun")
        return lambda: turns.append("answered")

    await adapter.send(people(3, receiver(box)), turn)

    async def told() -> bool:
        return turns == ["begun"] * 3 + ["answered"] * 3

    await eventually(told)
