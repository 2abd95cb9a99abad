"""Workers that die, stop, or have settings of their own: one at a time, alone with the queues."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from libs.ids import new_id
from services.messaging.domain.ledger import Reason, State
from tests.support import servers
from tests.support.desk import Desk, Events, counted, people, rule, settled, worker
from tests.support.sandboxes import Sandbox, eventually, sandbox

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]
SENT = State.SENT.value


async def test_events_lost_with_a_worker_are_told_again(
    given: dict[str, Any], desk: Desk, box: Sandbox, events: Events
) -> None:
    """A worker is stopped after it sent, before it told: the broker's redelivery tells."""
    await desk.open_email(box)
    outcome = {"kind": "slow", "delay_ms": 200}
    await box.behave({"match": {"channel": "EMAIL"}, "outcome": outcome})
    frame = await desk.frame()
    process = start_worker(given, "email")
    try:
        ids = await desk.send(frame, people(60))

        async def some_sent() -> bool:
            return (await desk.states(ids))[SENT] >= 8

        await eventually(some_sent, 60)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    sent_before = (await desk.states(ids))[SENT]
    await box.behave()
    async with worker(given, "email"):

        async def rest_sent() -> Counter[str] | None:
            states = await desk.states(ids)
            # What the dead worker had claimed stays: the gateway's clock sees to it.
            return states if not states["QUEUED"] and states["CLAIMED"] <= 16 else None

        await eventually(rest_sent, 60)

        async def all_told() -> bool:
            sent = (await desk.states(ids))[SENT]
            expected = {"_email.send": sent, "_email.delivered": sent, "_campaign.send": sent}
            return sent > sent_before and events.ids(desk.app_id) == expected

        await eventually(all_told)
    assert max((await box.counts("EMAIL")).values()) == 1


def start_worker(given: dict[str, Any], channel: str) -> subprocess.Popen[bytes]:
    variables = {name.upper(): str(value) for name, value in given.items()}
    command = [sys.executable, "-m", "services.messaging", "worker", "--channel", channel]
    environment = {**os.environ, **variables, "LOG_LEVEL": "ERROR"}  # noqa: TID251 - the child's
    return subprocess.Popen(command, env=environment)


async def test_a_worker_that_is_killed_leaves_no_more_than_a_window(
    given: dict[str, Any], desk: Desk, box: Sandbox
) -> None:
    await desk.open_email(box)
    await box.behave(rule("EMAIL", "*", kind="slow", delay_ms=5000))
    frame = await desk.frame()
    process = start_worker(given, "email")
    try:
        ids = await desk.send(frame, people(300))

        async def claimed() -> bool:
            return (await desk.states(ids))["CLAIMED"] == 16

        await eventually(claimed, 60)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert await desk.states(ids) == {"CLAIMED": 16, "QUEUED": 284}
    await box.behave()
    async with worker(given, "email"):

        async def rest_sent() -> bool:
            return (await desk.states(ids))["QUEUED"] == 0

        await eventually(rest_sent, 60)
    assert await desk.states(ids) == {"CLAIMED": 16, SENT: 284}
    counts = await box.counts("EMAIL")
    assert max(counts.values()) == 1


async def test_a_lost_answer_is_unknown_or_tried_again(
    given: dict[str, Any], desk: Desk, box: Sandbox
) -> None:
    await desk.open_email(box)
    await box.behave(rule("EMAIL", "slow*", kind="slow", delay_ms=2500))
    async with worker(given, "email", provider_timeout_seconds=0.7):
        promotional = await desk.send(await desk.frame(), people(2, "slow"))
        urgent = await desk.frame(message_type="TRANSACTIONAL")
        transactional = await desk.send(urgent, people(2, "slow"))
        assert await settled(desk, promotional, State.UNKNOWN) == {"UNKNOWN": 2}
        assert await settled(desk, transactional, State.RETRY) == {"RETRY": 2}


async def test_bounces_and_complaints_find_their_messages(
    given: dict[str, Any], desk: Desk, events: Events
) -> None:
    port = free_port()
    async with (
        sandbox(bounce_smtp=f"127.0.0.1:{port}") as other,
        worker(given, "email", inbound_mail_listen=f"127.0.0.1:{port}"),
    ):
        await desk.open_email(other)
        name = new_id()[:6]
        bounced, spam = f"b{name}@mail.example", f"s{name}@mail.example"
        await other.behave(
            rule("EMAIL", bounced, kind="bounce", after_ms=1),
            rule("EMAIL", spam, kind="complain", after_ms=1),
        )
        ids = await desk.send(await desk.frame(context={"order": "17"}), [bounced, spam])
        await settled(desk, ids[:1], State.FAILED)
        await counted(
            events, desk, email_send=2, email_delivered=2, campaign_send=2, email_hardbounce=1,
            email_complaint=1,
        )  # fmt: skip
    late = {"_email.hardbounce", "_email.complaint"}
    told = [e.attributes for e in events.of(desk.app_id) if e.event_type in late]
    assert [one["customer_context"] for one in told] == ['{"order": "17"}'] * 2
    row, other_row = await desk.rows(ids)
    assert (row.reason, other_row.state) == (Reason.HARD_BOUNCE, State.SENT)
    blocked = await desk.suppressions.blocked(desk.app_id, "EMAIL", [], [bounced, spam])
    assert dict(blocked.addresses) == {bounced: "BOUNCE", spam: "COMPLAINT"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_worker_stops_in_the_middle_and_another_goes_on(
    given: dict[str, Any], desk: Desk, box: Sandbox
) -> None:
    await desk.open_email(box, messages_per_second=40)
    async with worker(given, "email"):
        ids = await desk.send(await desk.frame(), people(100))

        async def begun() -> bool:
            return (await desk.states(ids))[SENT] >= 4

        await eventually(begun)
    states = await desk.states(ids)
    assert set(states) == {SENT, "QUEUED"}
    assert states[SENT] < 90
    async with worker(given, "email"):
        await settled(desk, ids, State.SENT)
    assert max((await box.counts("EMAIL")).values()) == 1


async def test_outcomes_survive_a_database_that_is_away(
    given: dict[str, Any], desk: Desk, box: Sandbox, events: Events, request: pytest.FixtureRequest
) -> None:
    """The worker knows what it sent: it writes that before it claims anything else."""
    if servers.given("MONGO_URI"):
        pytest.skip("only a database of the session's own may be stopped")
    database: servers.Server = request.getfixturevalue("mongo_server")
    await desk.open_email(box)
    await box.behave(rule("EMAIL", "*", kind="slow", delay_ms=700))
    async with worker(given, "email"):
        ids = await desk.send(await desk.frame(), people(40))

        async def claimed() -> int:
            return (await desk.states(ids))["CLAIMED"]

        async def arrived() -> bool:
            return sum((await box.counts("EMAIL")).values()) >= count

        count = await eventually(claimed, 60)
        await asyncio.to_thread(database.kill)
        await eventually(arrived, 60)
        await asyncio.to_thread(database.start)
        await box.behave()

        async def all_sent() -> bool:
            try:
                return (await desk.states(ids)) == {SENT: 40}
            except ConnectionError:
                return False

        await eventually(all_sent, 60)
        await counted(events, desk, email_send=40, email_delivered=40, campaign_send=40)
    assert await box.counts("EMAIL") == dict.fromkeys(people(40), 1)
