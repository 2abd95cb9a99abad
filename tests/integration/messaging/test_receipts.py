"""Late reports against a real ledger: whose message they are about, and what is told of it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from libs.clock import SystemClock
from libs.ids import new_id
from services.messaging.clients.events import EventPublisher
from services.messaging.domain.happenings import Happening
from services.messaging.domain.ledger import Outcome, Receipt, State
from services.messaging.domain.outbound import MailReport
from services.messaging.store.complaints import ComplaintStore
from services.messaging.usecases.receipts import Receipts
from tests.support.desk import Desk, people

pytestmark = pytest.mark.servers


class Heard(EventPublisher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def tell(
        self, app_id: str, shared: Mapping[str, str], happenings: Iterable[Happening]
    ) -> None:
        assert app_id
        assert shared["campaign_id"] == "camp"
        self.names += [one.event_type for one in happenings]


async def test_a_receipt_of_another_account_is_nobodys(desk: Desk) -> None:
    provider_id = new_id()
    frame = await desk.frame("SMS")
    ids = await desk.send(frame, ["+491511", "+491512"])
    await desk.ledger.resolve_and_claim([], "", ids, "t", 30)
    sent = [
        Outcome(one, State.SENT, provider_ids=(provider_id,), parts=1, provider_account=account)
        for one, account in zip(ids, ("ours", "theirs"), strict=True)
    ]
    await desk.ledger.resolve_and_claim(sent, "t", [], "", 30)
    receipt = Receipt(State.DELIVERED, provider_id=provider_id, provider_account="theirs")
    found = await desk.ledger.receive(receipt)
    assert found is not None
    assert found.message_id == ids[1]
    assert [row.state for row in await desk.rows(ids)] == [State.SENT, State.DELIVERED]
    nobodys = replace(receipt, provider_account="nobody")
    assert await desk.ledger.receive(nobodys) is None
    assert await desk.ledger.of_part(nobodys) is None


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State.SENT, ["_email.hardbounce"]),
        # Its worker died before it told anybody.
        (State.UNKNOWN, ["_email.send", "_email.hardbounce", "_campaign.send"]),
    ],
)
async def test_a_bounce_tells_the_send_that_nobody_told(
    desk: Desk, state: State, told: list[str]
) -> None:
    ids = await desk.send(await desk.frame(), people(1, new_id()))
    await desk.ledger.resolve_and_claim([], "", ids, "t", 30)
    await desk.ledger.resolve_and_claim([Outcome(ids[0], state)], "t", [], "", 30)
    heard = Heard()
    receipts = Receipts(
        desk.ledger, desk.suppressions, ComplaintStore(desk.database), heard, SystemClock()
    )
    report = MailReport(ids[0], "bounce", "5.1.1", "no such user")
    await receipts.mail(report)
    assert heard.names == told
    (row,) = await desk.rows(ids)
    assert row.state is State.FAILED
