"""Reads contacts.csv as a person would, and says what should become of each row.

What the demo checks is not taken from the platform: who is in the segment, who opted out and
whose address is no address is worked out here, from the file alone, by the plainest means.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from examples.shop.generate import FILE, HEADERS, WRITTEN_ON

AWAY: Final = timedelta(days=7)
SPENT: Final = 100.0
_INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"
_LAST_SEEN: Final = HEADERS.index("Attributes.LastSeen")
_EMAIL: Final = re.compile(r"[\w+-]+(\.[\w+-]+)*@[\w-]+(\.[\w-]+)+", re.ASCII)
_NUMBER: Final = re.compile(r"\+(1|49|81)\d{9,11}")
_CHANNELS: Final = frozenset({"EMAIL", "SMS", "GCM"})


@dataclass(frozen=True)
class Contact:
    """A row of the file, and whether a later row has taken its address over."""

    endpoint_id: str
    channel: str
    address: str
    user_id: str
    opted_out: bool
    is_in_segment: bool
    is_replaced: bool = False

    @property
    def mailbox(self) -> str:
        """The address as a mail host or carrier sees it."""
        return self.address.lower()

    @property
    def has_good_address(self) -> bool:
        pattern = _EMAIL if self.channel == "EMAIL" else _NUMBER
        return bool(pattern.fullmatch(self.address))

    @property
    def reason_for_nothing(self) -> str:
        """Why the campaign sends nothing here, as the ledger will say it; empty for a message."""
        if self.is_replaced:
            return "INACTIVE"
        if self.opted_out:
            return "OPT_OUT"
        if self.channel == "GCM":
            return "CHANNEL_MISMATCH"
        return "" if self.has_good_address else "INVALID_ADDRESS"


def fresh_file(now: datetime, people: int) -> bytes:
    """The file for use today: its first `people` people, every LastSeen moved to now.

    All dates are moved by the same whole number of days, so that the file's own day is today.
    """
    moved = (now - WRITTEN_ON) // timedelta(days=1) * timedelta(days=1)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    reader = csv.reader(io.StringIO(FILE.read_text(encoding="utf-8")))
    writer.writerow(next(reader))
    last = f"u-{people:04}"
    for row in reader:
        if row[0][: len(last)] > last:
            break
        row[_LAST_SEEN] = f"{_instant(row[_LAST_SEEN]) + moved:{_INSTANT}}"
        writer.writerow(row)
    return out.getvalue().encode()


def contacts(file: bytes, now: datetime) -> dict[str, Contact]:
    """The endpoints a file makes, by id; rows that cannot be imported are left out."""
    found: dict[str, Contact] = {}
    holders: dict[tuple[str, str], str] = {}
    for row in csv.DictReader(io.StringIO(file.decode())):
        if not _can_be_imported(row):
            continue
        contact = _contact(row, now)
        found[contact.endpoint_id] = contact
        before = holders.get((contact.channel, contact.address))
        if before is not None:
            found[before] = _replaced(found[before])
        holders[contact.channel, contact.address] = contact.endpoint_id
    return found


def audience(everybody: Iterable[Contact]) -> list[Contact]:
    """Who the segment means."""
    return [contact for contact in everybody if contact.is_in_segment]


def reachable(members: Iterable[Contact]) -> list[Contact]:
    """Members the campaign has a message for."""
    return [contact for contact in members if not contact.reason_for_nothing]


def refused_rows(file: bytes) -> int:
    """How many rows an import must refuse."""
    reader = csv.DictReader(io.StringIO(file.decode()))
    return sum(not _can_be_imported(row) for row in reader)


def _can_be_imported(row: dict[str, str]) -> bool:
    known_zone = "/" in row["Demographic.Timezone"] and "Mars" not in row["Demographic.Timezone"]
    number = re.fullmatch(r"\d+(\.\d+)?", row["Metrics.spend"])
    known = row["ChannelType"] in _CHANNELS
    return bool(known and row["Address"] and number and known_zone)


def _contact(row: dict[str, str], now: datetime) -> Contact:
    is_in_japan = row["Location.Country"] == "JP" and _is_two_or_newer(
        row["Demographic.AppVersion"]
    )
    was_away = _instant(row["Attributes.LastSeen"]) < now - AWAY
    is_good_customer = float(row["Metrics.spend"]) > SPENT and was_away
    return Contact(
        row["Id"],
        row["ChannelType"],
        row["Address"],
        row["User.UserId"],
        row["OptOut"] == "ALL",
        is_in_japan or is_good_customer,
    )


def _replaced(contact: Contact) -> Contact:
    return Contact(
        contact.endpoint_id,
        contact.channel,
        contact.address,
        contact.user_id,
        contact.opted_out,
        contact.is_in_segment,
        is_replaced=True,
    )


def _is_two_or_newer(version: str) -> bool:
    # Every version in the file has a plain number in front; 2.10 is newer than 2.9.
    return int(version.partition(".")[0]) >= 2


def _instant(text: str) -> datetime:
    return datetime.strptime(text, _INSTANT).replace(tzinfo=WRITTEN_ON.tzinfo)


def by_mailbox(everybody: Iterable[Contact]) -> Iterator[tuple[tuple[str, str], list[Contact]]]:
    """Contacts of each channel and mailbox: two spellings of an address are one recipient."""
    groups: dict[tuple[str, str], list[Contact]] = {}
    for contact in everybody:
        groups.setdefault((contact.channel, contact.mailbox), []).append(contact)
    yield from groups.items()
