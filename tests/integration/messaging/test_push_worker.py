"""Push from the ledger to the device: every service, dead and moved tokens, raw content."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.messaging.v1 import events_pb2, message_pb2

from libs.bus.consumer import Consumer, Delivery
from libs.bus.topology import ENDPOINTS_TOKENS
from services.messaging.clients.outbox import Cuts, Frame
from services.messaging.domain.families import PUSH_TYPES
from services.messaging.domain.ledger import Reason, State
from tests.support.desk import Desk, Events, counted, now, rule, settled, worker
from tests.support.sandboxes import Sandbox, eventually, sandbox

TOKENS = [f"{n:064x}" for n in range(30)]


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Sandbox]:
    async with sandbox(apns_tls=False) as box:
        yield box


@pytest.fixture(scope="module", autouse=True)
async def push_worker(given: dict[str, Any], shared: Sandbox) -> AsyncIterator[None]:
    others, apple = (f"http://127.0.0.1:{p}" for p in (shared.ports.push, shared.ports.apns))
    urls = {
        "apns_url": apple,
        "apns_sandbox_url": apple,
        "fcm_url": others,
        "fcm_token_url": f"{others}/token",
        "adm_url": others,
        "adm_token_url": f"{others}/auth/O2/token",
        "baidu_url": others,
    }
    async with worker(given, "push", **urls):
        yield


@dataclass
class Refused:
    """What was told of tokens."""

    found: list[events_pb2.TokensRefused] = field(default_factory=list)

    async def take(self, deliveries: Sequence[Delivery]) -> None:
        self.found += [events_pb2.TokensRefused.FromString(one.body) for one in deliveries]

    def of(self, app_id: str) -> set[tuple[str, str, str]]:
        return {
            (token.endpoint_id, token.address, token.new_address)
            for told in self.found
            if told.application_id == app_id
            for token in told.tokens
        }


@pytest.fixture
async def refused(amqp_url: str) -> AsyncIterator[Refused]:
    heard, stop = Refused(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(Consumer(amqp_url, ENDPOINTS_TOKENS, heard.take).run(stop))
        yield heard
        stop.set()


@pytest.mark.parametrize("channel_type", PUSH_TYPES)
async def test_every_service_gets_a_campaigns_notifications_once(
    desk: Desk, box: Sandbox, events: Events, channel_type: str
) -> None:
    await desk.open_push(channel_type)
    ids = await desk.send(await desk.frame(channel_type), TOKENS)
    assert await settled(desk, ids, State.SENT) == {"SENT": 30}
    assert await box.counts("PUSH") == dict.fromkeys(TOKENS, 1)
    await counted(events, desk, push_send=30, campaign_send=30)
    rows = await desk.rows(ids)
    assert all(row.provider_ids[0] for row in rows)


async def test_dead_tokens_are_failures_that_the_keeper_of_endpoints_hears_of(
    desk: Desk, box: Sandbox, refused: Refused
) -> None:
    await desk.open_push()
    await box.behave(rule("PUSH", "dead*", kind="dead"))
    ids = await desk.send(await desk.frame("GCM"), ["dead-1", "fine", "dead-2"])
    assert await settled(desk, ids, State.SENT, State.FAILED) == {"SENT": 1, "FAILED": 2}
    reasons = {row.address: row.reason for row in await desk.rows(ids)}
    assert reasons == {"dead-1": Reason.DEAD_TOKEN, "fine": "", "dead-2": Reason.DEAD_TOKEN}

    async def told() -> bool:
        wanted = {("e-dead-1", "dead-1", ""), ("e-dead-2", "dead-2", "")}
        return refused.of(desk.app_id) == wanted

    await eventually(told)


async def test_a_token_that_moved_is_told_with_its_place(
    desk: Desk, box: Sandbox, refused: Refused
) -> None:
    await desk.open_push("ADM")
    await box.behave(rule("PUSH", "old", kind="moved", text="new"))
    ids = await desk.send(await desk.frame("ADM"), ["old", "same"])
    assert await settled(desk, ids, State.SENT) == {"SENT": 2}

    async def told() -> bool:
        return refused.of(desk.app_id) == {("e-old", "old", "new")}

    await eventually(told)


async def test_a_service_that_is_busy_is_to_be_tried_again(desk: Desk, box: Sandbox) -> None:
    await desk.open_push("APNS")
    await box.behave(rule("PUSH", "*", kind="defer", times=1))
    ids = await desk.send(await desk.frame("APNS"), TOKENS[:3])
    assert await settled(desk, ids, State.RETRY) == {"RETRY": 3}
    rows = await desk.rows(ids)
    assert all(row.due_time and row.detail.startswith("503") for row in rows)


async def test_words_are_rendered_for_each_and_raw_content_stays_json(
    desk: Desk, box: Sandbox
) -> None:
    await desk.open_push("APNS")
    raw = {"aps": {"alert": "Hi {{User.UserId}}", "content-available": 1}, "n": [1, "{{Id}}"]}
    said = message_pb2.PushContent(title="Hi {{User.UserId}}", body="x", badge=0)
    frame = await desk.frame("APNS", content=message_pb2.MessageContent(push=said))
    name = 'A "quoted" name'
    endpoint = endpoint_pb2.Endpoint(user=endpoint_pb2.User(user_id=name)).SerializeToString()
    people = [
        message_pb2.SendRecipient(endpoint_id="e1", address="t1", endpoint=endpoint),
        message_pb2.SendRecipient(
            endpoint_id="e2", address="t2", endpoint=endpoint, raw_content=json.dumps(raw)
        ),
        message_pb2.SendRecipient(endpoint_id="e3", address="t3", title_override="Own"),
    ]
    ids = await submit(desk, frame, people)
    assert await settled(desk, ids, State.SENT) == {"SENT": 3}
    first, second, third = [await payload(box, token) for token in ("t1", "t2", "t3")]
    assert first["aps"] == {"alert": {"title": f"Hi {name}", "body": "x"}, "badge": 0}
    assert first["data"]["pinpoint"]["campaign"]["campaign_id"] == "camp"
    assert second == {"aps": {"alert": f"Hi {name}", "content-available": 1}, "n": [1, ""]}
    assert third["aps"]["alert"]["title"] == "Own"


async def test_what_is_too_long_is_not_sent(desk: Desk, box: Sandbox) -> None:
    await desk.open_push("GCM")
    said = message_pb2.MessageContent(push=message_pb2.PushContent(title="x", body="y" * 4000))
    ids = await desk.send(await desk.frame("GCM", content=said), ["t"])
    assert await settled(desk, ids, State.SKIPPED) == {"SKIPPED": 1}
    [row] = await desk.rows(ids)
    assert row.reason is Reason.CONTENT_TOO_LONG
    assert await box.counts("PUSH") == {}


async def submit(
    desk: Desk, frame: Frame, people: Sequence[message_pb2.SendRecipient]
) -> list[str]:
    cuts = Cuts()
    cuts.add(frame, people, now())
    await desk.submission.submit(cuts, (), now())
    return [message_id for cut in cuts.cuts for message_id, _, _ in cut.recipients]


async def payload(box: Sandbox, token: str) -> Any:
    [stored] = await box.messages("PUSH", token)
    return json.loads(stored["body"])
