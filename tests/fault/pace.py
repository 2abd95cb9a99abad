"""The account's SMS rate as the provider sees it: three sms workers, one backlog, every part timed.

`python -m tests.fault.pace --messages 1200 --workers 3 --codes 60` prints the mean rate while the
backlog lasted and the most parts in any sliding second; a share of the texts has three parts. Codes
are transactional texts that are sent one by one into the backlog; how long each took from the call
to the provider is printed too.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import messaging_service_pb2 as messaging_pb
from touchpoint.segmentation.v1 import segment_pb2

from tests.support.customer import Customer, customer, until
from tests.support.estate import Plan, estate

RATE = 20
SECOND = 1_000_000
LEAST_MEAN = 19.8
# Every tenth person's text is long: three parts, which take three slots.
BODY = "Hello {{Id}}{{#if (eq Attributes.Long.[0] 'yes')}} " + "x" * 380 + "{{/if}}"


@dataclass(frozen=True)
class Pace:
    """What the provider saw."""

    parts: int
    seconds: float
    mean: float
    most_in_a_second: int
    # The shortest time in which RATE + 1 parts arrived; above a second, the limit held everywhere.
    shortest_us: int
    # Seconds from the call to the provider, of each code, the shortest first.
    waits: tuple[float, ...] = ()


def measured(times_us: Sequence[int]) -> Pace:
    """Mean over the whole backlog and the fullest sliding second, of arrival times in µs."""
    times = sorted(times_us)
    most, first = 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= SECOND:
            first += 1
        most = max(most, last - first + 1)
    seconds = (times[-1] - times[0]) / SECOND
    shortest = min(late - early for early, late in zip(times, times[RATE:], strict=False))
    return Pace(len(times), seconds, (len(times) - 1) / seconds, most, shortest)


async def run(messages: int, workers: int, codes: int = 0) -> Pace:
    """Send to so many people with so many sms workers at the account's default rate."""
    plan = Plan({"sms": workers}, {"LOG_LEVEL": "INFO"}, frozenset({"links", "email"}), "sandbox")
    with estate(plan) as place:
        async with customer(place) as client:
            await client.set_up_channels()
            await client.import_rows(_people(messages))
            everybody = await client.segment("All", segment_pb2.SegmentDimensions())
            campaign_id = await client.send(everybody, BODY)
            await until(lambda: _has_begun(client), 60, "the first text", 0.1)
            waits = [await _code(client, number) for number in range(codes)]
            seconds = 60 + messages * 1.2 / RATE * 1.5
            await until(lambda: client.run_is_over(campaign_id), seconds, "the run", 0.5)
            return replace(measured(await _arrivals(client)), waits=tuple(sorted(waits)))


async def _code(client: Customer, number: int) -> float:
    """Send a code and wait until the provider has it; returns the seconds in between."""
    to = f"+1555{3000000 + number}"
    content = messaging_pb.SmsMessage(body=f"Your code is {number:06d}")
    address = messaging_pb.AddressConfiguration(channel_type=channel_pb2.CHANNEL_TYPE_SMS)
    begun = time.time()
    await client.messaging().SendMessages(
        messaging_pb.SendMessagesRequest(
            application_id=client.application_id,
            addresses={to: address},
            message_configuration=messaging_pb.DirectMessageConfiguration(sms_message=content),
        )
    )

    where = f"/messages?channel=SMS&to={quote(to)}"

    async def arrived() -> bool:
        return bool(await client.sandbox(where))

    await until(arrived, 30, "the code", 0.02)
    (text,) = await client.sandbox(where)
    return float(text["received_at"]) / 1000 - begun


async def _has_begun(client: Customer) -> bool:
    return bool(await _arrivals(client))


def _people(count: int) -> list[dict[str, str]]:
    return [
        {
            "Id": f"e{n}",
            "ChannelType": "SMS",
            "Address": f"+1555{2000000 + n}",
            "User.UserId": f"u{n}",
            "Attributes.Long": "yes" if n % 10 == 0 else "no",
        }
        for n in range(count)
    ]


async def _arrivals(client: Customer) -> list[int]:
    return [int(us) for us in await client.sandbox("/timestamps?channel=SMS&clock=steady")]


def main() -> int:
    """Run from the command line; 0 when the limit held and was used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1200)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--codes", type=int, default=60)
    given = parser.parse_args()
    pace = asyncio.run(run(given.messages, given.workers, given.codes))
    print(f"parts                     {pace.parts} in {pace.seconds:.1f} s")
    print(f"mean                      {pace.mean:.2f} a second ({pace.mean / RATE:.4f} of {RATE})")
    print(f"most in any second        {pace.most_in_a_second}")
    print(f"21 parts took at least    {pace.shortest_us / 1000:.1f} ms")
    if waits := pace.waits:
        median, late = waits[len(waits) // 2], waits[-1 - len(waits) // 100]
        print(f"codes from call to centre {median * 1000:.0f} ms, 99 of 100 {late * 1000:.0f} ms")
    fine = pace.most_in_a_second <= RATE and pace.mean >= LEAST_MEAN
    print("PASS" if fine else "FAIL")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
