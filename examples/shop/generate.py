"""Makes contacts.csv: 2,000 made-up people, the same ones every time it runs.

`python -m examples.shop.generate` writes the file anew. Dates in it are relative to `WRITTEN_ON`;
`examples.shop.contacts` moves them to today when the file is used.
"""

import csv
import io
import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from examples.shop.names import (
    AMERICA,
    APP_VERSIONS,
    INTERESTS,
    JAPAN,
    PLATFORMS,
    SHARES,
    Place,
)

T = TypeVar("T")

PEOPLE: Final = 2000
SEED: Final = 20_000_101
WRITTEN_ON: Final = datetime(2026, 1, 1, tzinfo=UTC)
FILE: Final = Path(__file__).with_name("contacts.csv")
HEADERS: Final = (
    "Id",
    "ChannelType",
    "Address",
    "OptOut",
    "User.UserId",
    "User.UserAttributes.FirstName",
    "User.UserAttributes.LastName",
    "Attributes.Interests",
    "Attributes.Interests",
    "Attributes.Interests",
    "Attributes.Tier",
    "Attributes.LastSeen",
    "Metrics.spend",
    "Metrics.visits",
    "Location.Country",
    "Location.City",
    "Demographic.Platform",
    "Demographic.AppVersion",
    "Demographic.Timezone",
)
# Mail domains, and how many in a thousand addresses are there. What the sandbox does with mail
# to each is in examples.shop.script.
DOMAINS: Final = (
    (500, "example.com"),
    (430, "example.org"),
    (30, "closed.example.org"),
    (25, "returns.example.org"),
    (15, "strict.example.org"),
)
# Addresses nobody can be reached at; `{}` is the person's mailbox or number.
BAD_EMAILS: Final = ("{}.example.com", "{}@@example.com", "{}.@example.com", "{}@localhost")
BAD_NUMBERS: Final = ("555-{}", "+999{:09}", "call {} after six", "+81{}")
# Rows an import must refuse: the header whose value is spoilt, and what stands there.
SPOILT: Final = (
    ("ChannelType", ""),
    ("ChannelType", "FAX"),
    ("Address", ""),
    ("Metrics.spend", "plenty"),
    ("Demographic.Timezone", "Mars/Olympus"),
)


@dataclass(frozen=True)
class Person:
    """A customer; every endpoint of a person says the same about them."""

    number: int
    place: Place
    first_name: str
    last_name: str
    city: str
    interests: tuple[str, ...]
    spend: float
    visits: int
    last_seen: datetime
    platform: str
    app_version: str

    @property
    def user_id(self) -> str:
        return f"u-{self.number:04}"

    @property
    def tier(self) -> str:
        return "Gold" if self.spend > 200 else "Silver" if self.spend > 100 else "Basic"


# The two people the demo asks about by name.
FIRST: Final = (
    Person(
        1, JAPAN, "Aiko", "Tanaka", "Kobe", ("Sailing", "Coffee"), 42.5, 9,
        WRITTEN_ON - timedelta(days=1), "iOS", "2.10.1",
    ),
    Person(
        2, AMERICA, "Ben", "Carter", "Boston", ("Fishing",), 250.0, 31,
        WRITTEN_ON - timedelta(days=3), "Android", "1.9.2",
    ),
)  # fmt: skip


def people(count: int = PEOPLE) -> Iterator[Person]:
    """The first `count` people; each depends on the seed and their number only."""
    yield from FIRST[:count]
    for number in range(len(FIRST) + 1, count + 1):
        yield _person(number, random.Random(f"{SEED}/{number}"))


def _person(number: int, dice: random.Random) -> Person:
    place = _one_of(dice, SHARES)
    return Person(
        number,
        place,
        # One in fifty never told their name: templates need a default.
        "" if dice.random() < 0.02 else dice.choice(place.first_names),
        dice.choice(place.last_names),
        dice.choice(place.cities),
        tuple(dice.sample(INTERESTS, dice.randint(1, 3))),
        round(min(dice.expovariate(1 / 120), 2000), 2),
        dice.randint(1, 60),
        WRITTEN_ON - _absence(dice),
        dice.choice(PLATFORMS),
        dice.choice(APP_VERSIONS),
    )


def _absence(dice: random.Random) -> timedelta:
    """How long somebody was away: never near the seven days a segment of the demo asks about."""
    if dice.random() < 0.4:
        return timedelta(minutes=dice.randint(60, 5 * 1440))
    return timedelta(minutes=dice.randint(9 * 1440, 120 * 1440))


def rows(count: int = PEOPLE) -> list[list[str]]:
    """The file's rows without the header: good ones, and every kind of bad one."""
    found: list[list[str]] = []
    known: list[str] = []
    for person in people(count):
        dice = random.Random(f"{SEED}/rows/{person.number}")
        for suffix, channel, address in _reaches(person, dice):
            shared = channel == "EMAIL" and known and dice.random() < 0.008
            chosen = dice.choice(known) if shared else address
            # A mail host does not care about case; a list of addresses that does has two.
            if shared and dice.random() < 0.4:
                chosen = chosen.upper()
            found.append(_row(person, suffix, channel, chosen, opted_out=dice.random() < 0.05))
            if channel == "EMAIL" and "@example." in address:
                known.append(address)
        if person.number % 130 == 77:
            found.append(_spoilt(person, dice))
    return found


def _reaches(person: Person, dice: random.Random) -> Iterator[tuple[str, str, str]]:
    """Suffix of the id, channel and address of each endpoint of a person."""
    if person.number <= len(FIRST):
        dice = random.Random(SEED)  # both have one mail address and one number, and both work
        yield "email", "EMAIL", f"{_mailbox(person, '')}@example.com"
        yield "sms", "SMS", _number(person, dice)
        return
    has_email = dice.random() < 0.94
    if has_email:
        yield "email", "EMAIL", _email(person, "", dice)
    if dice.random() < 0.45:
        yield "work", "EMAIL", _email(person, ".work", dice)
    if not has_email or dice.random() < 0.8:
        yield "sms", "SMS", _number(person, dice)
    if dice.random() < 0.03:
        yield "phone", "GCM", f"{dice.getrandbits(128):032x}"


def _email(person: Person, suffix: str, dice: random.Random) -> str:
    if dice.random() < 0.012:
        return dice.choice(BAD_EMAILS).format(_mailbox(person, suffix))
    return f"{_mailbox(person, suffix)}@{_one_of(dice, DOMAINS)}"


def _mailbox(person: Person, suffix: str) -> str:
    name = f"{person.first_name or 'guest'}.{person.number}"
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore")
    return plain.decode() + suffix


def _number(person: Person, dice: random.Random) -> str:
    if dice.random() < 0.015:
        return dice.choice(BAD_NUMBERS).format(person.number)
    prefix, digits = person.place.numbers
    return f"{prefix}{person.number * 7919 % 10**digits:0{digits}}"


def _row(person: Person, suffix: str, channel: str, address: str, *, opted_out: bool) -> list[str]:
    if person.number <= len(FIRST):
        opted_out = False
    interests = (*person.interests, "", "")[:3]
    return [
        f"{person.user_id}-{suffix}", channel, address, "ALL" if opted_out else "",
        person.user_id, person.first_name, person.last_name, *interests, person.tier,
        f"{person.last_seen:%Y-%m-%dT%H:%M:%SZ}", f"{person.spend:.2f}", str(person.visits),
        person.place.country, person.city, person.platform, person.app_version,
        person.place.timezone,
    ]  # fmt: skip


def _spoilt(person: Person, dice: random.Random) -> list[str]:
    header, value = SPOILT[person.number // 130 % len(SPOILT)]
    stranger = replace(person, platform=dice.choice(PLATFORMS))
    address = f"spoilt.{person.number}@example.com"
    row = _row(stranger, "spoilt", "EMAIL", address, opted_out=False)
    row[HEADERS.index(header)] = value
    return row


def _one_of(dice: random.Random, shares: tuple[tuple[int, T], ...]) -> T:
    weights = [share for share, _ in shares]
    return dice.choices([value for _, value in shares], weights)[0]


def text(count: int = PEOPLE) -> str:
    """The whole file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADERS)
    writer.writerows(rows(count))
    return out.getvalue()


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
