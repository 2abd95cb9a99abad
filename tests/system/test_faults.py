"""The fault campaigns of tests/fault in a small size: killed processes, servers that go away."""

import pytest

from tests.fault import campaign, pace

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]


async def test_killed_processes_send_nobody_two_and_lose_nobody() -> None:
    report = await campaign.run(campaign.Size(recipients=1200, kills=10, seed=4))
    assert report.twice == []
    assert report.none_and_not_unknown == []
    assert report.unknown <= campaign.WINDOW * report.worker_kills
    assert report.after_resend == {1: 1200}
    assert report.targeted == 1200


async def test_a_run_survives_broker_and_database_without_a_hand() -> None:
    size = campaign.Size(recipients=1000, kills=0, seed=5, broker_restarts=1, database_stops=1)
    report = await campaign.run(size)
    assert report.unknown == 0
    assert report.after_resend == {1: 1000}
    assert sum(report.states.values()) == report.targeted == 1000


async def test_three_workers_keep_the_accounts_rate_and_use_it() -> None:
    seen = await pace.run(messages=300, workers=3)
    assert seen.parts == 360
    assert seen.most_in_a_second <= pace.RATE
    # The full size (tests/fault/pace.py) asks for 19.8; a loaded machine gets the benefit here.
    assert seen.mean >= 19.0
