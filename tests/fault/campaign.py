"""A campaign under fire: processes die at random moments, and every message is accounted for.

`python -m tests.fault.campaign --recipients 5000 --kills 12 --seed 1` runs the full size; the
tests run a smaller one through the same code.
"""

import argparse
import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from touchpoint.campaigns.v1 import campaigns_service_pb2 as campaigns_pb
from touchpoint.messaging.v1 import message_pb2
from touchpoint.messaging.v1 import messaging_service_pb2 as messaging_pb
from touchpoint.segmentation.v1 import segment_pb2

from tests.support.customer import Customer, customer, until
from tests.support.estate import Estate, Plan, estate

VICTIMS = ("email", "email-2", "sms", "sms-2", "campaigns", "messaging-gateway")
WINDOW = 16  # rows a worker may have claimed and not resolved when it dies
SETTINGS = {"CLAIM_LEASE_SECONDS": "5", "LEASE_SECONDS": "4", "LOG_LEVEL": "INFO"}
COPIES = {"email": 2, "sms": 2}


@dataclass(frozen=True)
class Size:
    """How much is sent, and what is done to those who send it."""

    recipients: int
    kills: int
    seed: int
    sms_share: float = 0.2
    sms_per_second: int = 200
    seconds: float = 600
    broker_restarts: int = 0
    database_stops: int = 0
    provider_down: float = 0
    provider_slow: float = 0


@dataclass
class Report:
    """What came of it."""

    seconds: float = 0
    killed: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    twice: list[str] = field(default_factory=list)
    none: list[str] = field(default_factory=list)
    none_and_not_unknown: list[str] = field(default_factory=list)
    after_resend: Counter[int] = field(default_factory=Counter)
    recipients: int = 0
    targeted: int = 0

    @property
    def worker_kills(self) -> int:
        return sum(n for name, n in self.killed.items() if name.startswith(("email", "sms")))


def rows(size: Size) -> list[dict[str, str]]:
    """Endpoints, one a person; the first ones by SMS."""
    made = []
    for number in range(size.recipients):
        is_sms = number < size.recipients * size.sms_share
        made.append(
            {
                "Id": f"e{number}",
                "ChannelType": "SMS" if is_sms else "EMAIL",
                "Address": f"+1555{2000000 + number}" if is_sms else f"p{number}@example.com",
                "User.UserId": f"u{number}",
                "Location.Country": "US",
            }
        )
    return made


async def run(size: Size) -> Report:
    """One campaign of this size and its report."""
    with estate(Plan(COPIES, SETTINGS, frozenset({"links"}))) as place:
        async with customer(place) as client:
            return await _campaign(client, place, size)


async def _campaign(client: Customer, place: Estate, size: Size) -> Report:
    report = Report(recipients=size.recipients)
    await client.set_up_channels(parts_per_second=size.sms_per_second)
    people = rows(size)
    job = await client.import_rows(people)
    if job.total_failures:
        raise AssertionError(list(job.failures))
    everybody = await client.segment("All", segment_pb2.SegmentDimensions())
    started = time.monotonic()
    campaign_id = await client.send(everybody)
    await until(lambda: _has_run(client, campaign_id), 30, "the run to open")
    activity = await client.activity(campaign_id)
    assert activity is not None
    async with asyncio.TaskGroup() as group:
        group.create_task(_trouble_providers(client, size))
        await _fire(place, size, report)
    await until(lambda: _settled(client, activity.activity_id), size.seconds, "the run to settle")
    report.seconds = time.monotonic() - started
    await _account(client, report, activity.activity_id, people)
    await _resend(client, report, activity.activity_id)
    await until(lambda: client.run_is_over(campaign_id), 120, "the run to complete")
    over = await client.activity(campaign_id)
    assert over is not None
    report.targeted = over.progress.targeted_count
    counts = await _received(client)
    report.after_resend = Counter(counts.get(person["Address"], 0) for person in people)
    return report


async def _trouble_providers(client: Customer, size: Size) -> None:
    """Have mail host and SMS centre be away for a while, then slow for a while, then well."""
    for seconds, outcome in (
        (size.provider_down, {"kind": "down"}),
        (size.provider_slow, {"kind": "slow", "delay_ms": 500}),
    ):
        if seconds:
            await client.behave(
                [{"match": {"channel": c}, "outcome": outcome} for c in ("EMAIL", "SMS")]
            )
            await asyncio.sleep(seconds)
    if size.provider_down or size.provider_slow:
        await client.behave([])


async def _fire(place: Estate, size: Size, report: Report) -> None:
    """Kill someone every now and then while the campaign runs; whoever was killed comes back."""
    dice = random.Random(size.seed)
    acts = [dice.choice(VICTIMS) for _ in range(size.kills)]
    acts += ["rabbit"] * size.broker_restarts + ["mongo"] * size.database_stops
    dice.shuffle(acts)
    for name in acts:
        await asyncio.sleep(dice.uniform(0.3, 1.5))
        server = place.servers[name]
        await asyncio.to_thread(server.stop if name == "mongo" else server.kill)
        report.killed[name] += 1
        await asyncio.sleep(dice.uniform(0, 0.5))
        await asyncio.to_thread(server.start)


async def _has_run(client: Customer, campaign_id: str) -> bool:
    activity = await client.activity(campaign_id)
    return activity is not None and activity.progress.targeted_count > 0


async def _settled(client: Customer, dispatch_id: str) -> bool:
    """Whether nothing is on its way any more: every row is final or UNKNOWN."""
    moving = (
        message_pb2.MESSAGE_STATE_QUEUED,
        message_pb2.MESSAGE_STATE_CLAIMED,
        message_pb2.MESSAGE_STATE_RETRY,
        message_pb2.MESSAGE_STATE_HELD,
    )
    for state in moving:
        page = await client.messaging().ListMessages(
            messaging_pb.ListMessagesRequest(
                application_id=client.application_id,
                dispatch_id=dispatch_id,
                state=state,
                page_size=1,
            )
        )
        if page.messages:
            return False
    return await _read_to_the_end(client, dispatch_id)


async def _read_to_the_end(client: Customer, dispatch_id: str) -> bool:
    answer = await client.campaigns().ListCampaigns(
        campaigns_pb.ListCampaignsRequest(application_id=client.application_id)
    )
    for campaign in answer.campaigns:
        activity = await client.activity(campaign.campaign_id)
        if activity is not None and activity.activity_id == dispatch_id:
            return activity.progress.fan_out_done
    return False


async def _received(client: Customer) -> dict[str, int]:
    return {**await client.counts("EMAIL"), **await client.counts("SMS")}


async def _account(
    client: Customer, report: Report, dispatch_id: str, people: Sequence[Mapping[str, str]]
) -> None:
    ledger = await client.messages(dispatch_id)
    states = {row.address: row.state for row in ledger}
    counts = await _received(client)
    for row in ledger:
        report.states[message_pb2.MessageState.Name(row.state)[14:]] += 1
    report.unknown = report.states["UNKNOWN"]
    for person in people:
        address = person["Address"]
        got = counts.get(address, 0)
        if got > 1:
            report.twice.append(address)
        if got == 0:
            report.none.append(address)
            if states.get(address) != message_pb2.MESSAGE_STATE_UNKNOWN:
                report.none_and_not_unknown.append(address)


async def _resend(client: Customer, report: Report, dispatch_id: str) -> None:
    """The operator's one call for those who have none; the others are written off as told."""
    unknown = await client.messages(dispatch_id, message_pb2.MESSAGE_STATE_UNKNOWN)
    without = set(report.none)
    request = messaging_pb.ResolveUnknownMessagesRequest
    groups = (
        (request.ACTION_RESEND, [m.message_id for m in unknown if m.address in without]),
        (request.ACTION_MARK_SENT, [m.message_id for m in unknown if m.address not in without]),
    )
    for action, ids in groups:
        if ids:
            await client.messaging().ResolveUnknownMessages(
                request(
                    application_id=client.application_id,
                    dispatch_id=dispatch_id,
                    action=action,
                    message_ids=ids,
                )
            )


def main() -> int:
    """Run from the command line; 0 when nobody got two and everybody has exactly one in the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker-restarts", type=int, default=0)
    parser.add_argument("--database-stops", type=int, default=0)
    parser.add_argument("--provider-down", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--provider-slow", type=float, default=0, metavar="SECONDS")
    given = parser.parse_args()
    size = Size(
        given.recipients,
        given.kills,
        given.seed,
        broker_restarts=given.broker_restarts,
        database_stops=given.database_stops,
        provider_down=given.provider_down,
        provider_slow=given.provider_slow,
    )
    report = asyncio.run(run(size))
    print(f"recipients                {report.recipients}, targeted {report.targeted}")
    print(f"seconds                   {report.seconds:.1f}")
    print(f"killed                    {dict(report.killed)}")
    print(f"states before the call    {dict(report.states)}")
    print(f"got two                   {len(report.twice)}")
    print(f"have none                 {len(report.none)}")
    print(f"  of these not UNKNOWN    {len(report.none_and_not_unknown)}")
    print(f"UNKNOWN rows              {report.unknown} (at most {WINDOW * report.worker_kills})")
    print(f"messages a person, after  {dict(report.after_resend)}")
    fine = (
        not report.twice
        and not report.none_and_not_unknown
        and report.unknown <= WINDOW * report.worker_kills
        and report.after_resend == {1: report.recipients}
        and report.targeted == report.recipients
    )
    print("PASS" if fine else "FAIL")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
