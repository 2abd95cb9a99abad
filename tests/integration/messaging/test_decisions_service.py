"""Why somebody got a message or none, asked of the real gateway after a real worker."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import aio
from touchpoint.messaging.v1 import decisions_service_pb2 as pb
from touchpoint.messaging.v1 import message_pb2

from libs.bus.publisher import Publisher
from libs.mongo.client import Database
from services.messaging.domain.ledger import State
from services.messaging.store.suppressions import Suppression
from tests.integration.messaging.gateway_support import EMAIL, METADATA, Gateway, running_gateway
from tests.support.desk import Desk, rule, settled
from tests.support.running import refusal
from tests.support.sandboxes import Sandbox

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("workers")]


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as running:
        yield running


@pytest.fixture
async def desk(
    gateway: Gateway, ledger_database: Database, bus: Publisher, box: Sandbox
) -> AsyncIterator[Desk]:
    made = Desk(ledger_database, bus)
    await made.open_email(box)
    yield made
    await ledger_database["channels"].delete_many({"app_id": made.app_id})


async def decisions(gateway: Gateway, desk: Desk, **asked: Any) -> dict[str, pb.Decision]:
    """Decisions by address, read two at a time."""
    found: dict[str, pb.Decision] = {}
    token = ""
    while True:
        request = pb.ListDecisionsRequest(
            application_id=desk.app_id, page_size=2, page_token=token, **asked
        )
        answer = await gateway.decisions.ListDecisions(request, metadata=METADATA)
        found |= {one.message.address: one for one in answer.decisions}
        token = answer.next_page_token
        if not token:
            return found


def addresses(desk: Desk) -> tuple[str, str, str]:
    """Of this test alone: the suppression list is the installation's."""
    good, bad, out = (f"{name}-{desk.app_id[:8]}@mail.example" for name in ("good", "bad", "out"))
    return good, bad, out


async def sent(desk: Desk, box: Sandbox) -> tuple[str, list[str]]:
    """A run in which one arrives, one is refused, and one is on the list."""
    good, bad, out = addresses(desk)
    await box.behave(rule("EMAIL", bad, kind="reject"))
    await desk.suppressions.suppress([Suppression("EMAIL", out, "COMPLAINT")])
    frame = await desk.frame()
    ids = await desk.send(frame, [good, bad, out])
    await settled(desk, ids, State.SENT, State.FAILED, State.SKIPPED)
    return frame.dispatch_id, ids


async def test_a_run_tells_who_was_skipped_where_and_why(
    gateway: Gateway, desk: Desk, box: Sandbox
) -> None:
    good, bad, out = addresses(desk)
    dispatch_id, _ = await sent(desk, box)
    by_run = await decisions(gateway, desk, dispatch_id=dispatch_id)
    assert set(by_run) == {good, bad, out}
    assert by_run[good].explanation == "The provider took it."
    assert by_run[bad].stage == pb.DECISION_STAGE_PROVIDER
    assert "5.1.1" in by_run[bad].explanation
    assert by_run[out].stage == pb.DECISION_STAGE_GATE
    assert "take it off" in by_run[out].advice
    assert await decisions(gateway, desk, campaign_id="camp") == by_run
    assert set(await decisions(gateway, desk, endpoint_id=f"e-{out}")) == {out}


async def test_filters_leave_what_was_asked_for(gateway: Gateway, desk: Desk, box: Sandbox) -> None:
    good, bad, out = addresses(desk)
    await sent(desk, box)
    gate = await decisions(gateway, desk, campaign_id="camp", stage=pb.DECISION_STAGE_GATE)
    assert set(gate) == {out}
    provider = await decisions(gateway, desk, campaign_id="camp", stage=pb.DECISION_STAGE_PROVIDER)
    assert set(provider) == {good, bad}
    bounced = message_pb2.MESSAGE_REASON_HARD_BOUNCE
    assert set(await decisions(gateway, desk, campaign_id="camp", reason=bounced)) == {bad}
    assert len(await decisions(gateway, desk, campaign_id="camp", channel_type=EMAIL)) == 3
    assert await decisions(gateway, desk, campaign_id="another") == {}


async def test_one_message_tells_its_way(gateway: Gateway, desk: Desk, box: Sandbox) -> None:
    good, bad, out = addresses(desk)
    _, ids = await sent(desk, box)
    told = {}
    for message_id in ids:
        request = pb.ExplainMessageRequest(application_id=desk.app_id, message_id=message_id)
        answer = await gateway.decisions.ExplainMessage(request, metadata=METADATA)
        names = [pb.DecisionStage.Name(step.stage)[15:] for step in answer.steps]
        told[answer.decision.message.address] = (names, answer.steps[-1].passed)
    way = ["AUDIENCE", "ADMISSION", "GATE", "RENDERING", "PROVIDER"]
    assert told == {good: (way, True), bad: (way, False), out: (way[:3], False)}


async def test_bad_questions_name_every_field(gateway: Gateway) -> None:
    questions: list[Any] = [
        gateway.decisions.ListDecisions(
            pb.ListDecisionsRequest(page_size=-1, stage=99),  # type: ignore[arg-type]
            metadata=METADATA,
        ),
        gateway.decisions.ExplainMessage(pb.ExplainMessageRequest(), metadata=METADATA),
        gateway.decisions.ExplainMessage(
            pb.ExplainMessageRequest(application_id="a", message_id="b"), metadata=METADATA
        ),
    ]
    told = []
    for question in questions:
        with pytest.raises(aio.AioRpcError) as caught:
            await question
        told.append(refusal(caught.value))
    assert told[0].fields == {"application_id", "endpoint_id", "stage", "page_size"}
    assert told[1].fields == {"application_id", "message_id"}
    assert told[2].code == "NOT_FOUND"
