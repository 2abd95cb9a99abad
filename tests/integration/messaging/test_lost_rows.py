"""Rows whose worker died, in the store: which are due again by themselves, and which wait."""

from datetime import timedelta

import pytest

from libs.ids import new_id
from services.messaging.domain.families import APNS_TYPES
from services.messaging.domain.ledger import Reason, State
from services.messaging.store.ledger import Shared
from services.messaging.store.ledger.clock import RESENDS
from tests.support.desk import Desk, now

pytestmark = pytest.mark.servers


async def lost(desk: Desk, channel_type: str, message_type: str, attempts: int = 1) -> str:
    """A row whose lease ended so many times; returns its id."""
    message_id, frame = new_id(), await desk.frame("EMAIL")
    shared = Shared(
        frame.origin, frame.dispatch_id, new_id(), channel_type, "0", message_type, now()
    )
    await desk.ledger.insert([(shared, [(message_id, "e", "a")])])
    for attempt in range(attempts):
        await desk.ledger.queue_again([message_id])
        token = new_id()
        await desk.ledger.resolve_and_claim((), "", [message_id], token, lease_seconds=0)
        assert await desk.ledger.claimed_by(token, [message_id]), attempt
        assert await desk.ledger.mark_lost(await desk.ledger.now() + timedelta(seconds=1)) >= 1
    return message_id


@pytest.mark.parametrize("channel_type", ["CUSTOM", *APNS_TYPES])
async def test_where_the_provider_takes_our_id_rows_are_due_again_at_once(
    desk: Desk, channel_type: str
) -> None:
    [row] = await desk.rows([await lost(desk, channel_type, "PROMOTIONAL")])
    assert (row.state, row.reason) == (State.UNKNOWN, Reason.WORKER_LOST)
    assert row.due_time is not None
    due = await desk.ledger.due(await desk.ledger.now(), 1000)
    assert row.message_id in due[row.batch_id]


@pytest.mark.parametrize("channel_type", ["EMAIL", "SMS", "GCM", "ADM", "BAIDU", "VOICE"])
async def test_elsewhere_a_person_decides_about_promotional_rows(
    desk: Desk, channel_type: str
) -> None:
    [row] = await desk.rows([await lost(desk, channel_type, "PROMOTIONAL")])
    assert (row.state, row.due_time) == (State.UNKNOWN, None)
    [row] = await desk.rows([await lost(desk, channel_type, "TRANSACTIONAL")])
    assert row.due_time is not None


async def test_what_kills_every_worker_waits_for_a_person(desk: Desk) -> None:
    [row] = await desk.rows([await lost(desk, "CUSTOM", "PROMOTIONAL", attempts=RESENDS)])
    assert (row.state, row.due_time, row.attempts) == (State.UNKNOWN, None, RESENDS)
