"""The receiver of webhooks: whom it names, what it takes, answers by the script, repeats."""

import json
from typing import Any

import aiohttp
import pytest

from tests.support.desk import rule
from tests.support.sandboxes import Sandbox, sandbox

OWNER = "x-touchpoint-application-id"


def request(*endpoints: str, app_id: str = "app") -> dict[str, Any]:
    document = {
        "Message": {},
        "Data": "hello",
        "ApplicationId": app_id,
        "CampaignId": "camp",
        "TreatmentId": "0",
        "ActivityId": "act",
        "ScheduledTime": "2026-05-01T12:00:00Z",
        "Endpoints": {one: {} for one in endpoints},
    }
    ids = ",".join(f"m-{one}" for one in endpoints)
    return {"data": json.dumps(document), "headers": {"x-touchpoint-message-ids": ids}}


async def said(box: Sandbox, **given: Any) -> tuple[int, str]:
    url = f"http://127.0.0.1:{box.ports.push}/webhooks/app/r"
    async with aiohttp.ClientSession() as http, http.post(url, **given) as answer:
        return answer.status, await answer.text()


async def named(box: Sandbox) -> tuple[int, str | None]:
    url = f"http://127.0.0.1:{box.ports.push}/webhooks/app/r"
    async with aiohttp.ClientSession() as http, http.head(url) as answer:
        return answer.status, answer.headers.get(OWNER)


async def test_a_receiver_takes_each_message_once_and_shows_what_came() -> None:
    async with sandbox() as box:
        assert await named(box) == (200, "app")
        assert await said(box, **request("a", "b")) == (200, "{}")
        assert await said(box, **request("b", "c")) == (200, "{}")
        assert await box.counts("CUSTOM") == {"a": 1, "b": 1, "c": 1}
        [took] = await box.messages("CUSTOM", "c")
        assert (took["from"], took["provider_message_id"]) == ("app", "m-c")
        assert [*json.loads(took["body"])["Endpoints"]] == ["b", "c"]
        assert dict(took["headers"])["x-touchpoint-message-ids"] == "m-b,m-c"
        await box.reset()
        assert await said(box, **request("a")) == (200, "{}")
        assert await box.counts("CUSTOM") == {"a": 1}


@pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [
        ({"kind": "reject", "code": 500}, 500, ""),
        ({"kind": "down"}, 503, ""),
        ({"kind": "defer"}, 503, ""),
        ({"kind": "deliver", "text": "thanks"}, 200, "thanks"),
        ({"kind": "deliver", "text": '{"k": "v"}'}, 200, '{"a": {"EventAttributes": {"k": "v"}}}'),
        ({"kind": "slow", "delay_ms": 1}, 200, "{}"),
        ({"kind": "stranger"}, 200, "{}"),
    ],
)
async def test_a_receiver_follows_the_script(
    outcome: dict[str, Any], status: int, body: str
) -> None:
    async with sandbox() as box:
        await box.behave(rule("CUSTOM", "r", **outcome))
        assert await said(box, **request("a")) == (status, body)
        assert await box.counts("CUSTOM") == ({"a": 1} if status == 200 else {})
        owner, app_id = await named(box)
        assert owner == (503 if outcome["kind"] == "down" else 200)
        assert (app_id is None) == (outcome["kind"] == "stranger")


async def test_a_throttled_receiver_and_one_that_puts_off_once() -> None:
    async with sandbox() as box:
        await box.behave(rule("CUSTOM", "r", kind="throttle", per_second=1))
        assert [(await said(box, **request(one)))[0] for one in "ab"] == [200, 429]
        await box.behave(rule("CUSTOM", "r", kind="defer", times=2))
        assert [(await said(box, **request("c")))[0] for _ in range(3)] == [503, 503, 200]


@pytest.mark.parametrize(
    "given",
    [
        {"data": "no JSON"},
        {"data": "[]"},
        {"data": json.dumps({"Endpoints": {"a": {}}})},
        request("a", app_id="other"),
        {**request("a", "b"), "headers": {"x-touchpoint-message-ids": "m-a"}},
        request(*(str(n) for n in range(51))),
    ],
)
async def test_what_is_no_request_of_the_specification_is_refused(given: dict[str, Any]) -> None:
    async with sandbox() as box:
        assert (await said(box, **given))[0] == 400
        assert await box.counts("CUSTOM") == {}
