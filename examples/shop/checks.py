"""Holds what arrived against the file and the ledger; each check is a claim that may fail."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import message_pb2

from examples.shop.contacts import Contact, by_mailbox, reachable
from examples.shop.evidence import Evidence
from examples.shop.screen import count
from examples.shop.watching import SECOND_US, SMS_LIMIT, mean_rate, most_in

Mailbox = tuple[str, str]
CLOSED: Final = "@closed.example.org"
# Below this many parts the first second, which may be a full one at once, bends the mean.
ENOUGH_PARTS: Final = 200
LEAST_RATE: Final = 19.0
# Times are taken when the SMS centre reads a part. On a busy machine that may be a moment after
# it came, and the next one then seems to follow too soon.
LATE_READ_US: Final = 100_000
# Runnable programs for each processor above which times of arrival say nothing about sending.
BUSY: Final = 2.0
_MAIL_HEADERS: Final = frozenset({"dkim-signature", "list-unsubscribe", "list-unsubscribe-post"})
_SENT: Final = frozenset({"SENT", "DELIVERED", "FAILED"})


@dataclass(frozen=True)
class Verdict:
    """A claim, whether it holds (None: cannot be judged here), and the figures it rests on."""

    claim: str
    holds: bool | None
    shown: str


class Books:
    """The evidence, sorted for the checks."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.rows = {row.endpoint_id: row for row in evidence.ledger}

    @cached_property
    def arrived(self) -> Counter[Mailbox]:
        """Messages of the campaign by channel and mailbox, as the sandbox got them."""
        found = [*self.evidence.mails, *self.evidence.texts]
        return Counter((one.channel, one.to.lower()) for one in found)

    @cached_property
    def wanted(self) -> dict[Mailbox, list[Contact]]:
        """Who must have exactly one message: two spellings of an address are one mailbox."""
        free = (c for c in self.evidence.audience if c.mailbox not in self.evidence.blocked)
        return dict(by_mailbox(reachable(free)))

    @property
    def refused(self) -> list[Mailbox]:
        """Mailboxes whose host takes no mail for them."""
        return [mailbox for mailbox in self.wanted if mailbox[1].endswith(CLOSED)]

    def state(self, contact: Contact) -> str:
        """State and reason of a contact's row, such as `SKIPPED OPT_OUT`."""
        row = self.rows.get(contact.endpoint_id)
        return told(row) if row is not None else "no row"


def told(row: message_pb2.Message) -> str:
    """State and reason of a row, in the ledger's words."""
    state = message_pb2.MessageState.Name(row.state).removeprefix("MESSAGE_STATE_")
    if not row.reason:
        return state
    return f"{state} {message_pb2.MessageReason.Name(row.reason).removeprefix('MESSAGE_REASON_')}"


def verdicts(evidence: Evidence) -> Iterator[Verdict]:
    """Every check of a run that is over."""
    books = Books(evidence)
    for check in _CHECKS:
        yield check(books)


def _one_row_each(books: Books) -> Verdict:
    members = {contact.endpoint_id for contact in books.evidence.audience}
    rows, targeted = len(books.evidence.ledger), books.evidence.run.progress.targeted_count
    shown = f"{count(len(members))} by the file, {count(rows)} rows, {count(targeted)} targeted"
    holds = books.rows.keys() == members and rows == len(members) == targeted
    return Verdict(
        "the ledger has one row for each member of the segment",
        holds,
        shown,
    )


def _one_message_each(books: Books) -> Verdict:
    refused = set(books.refused)
    wrong = [
        mailbox
        for mailbox in books.wanted
        if books.arrived[mailbox] != (0 if mailbox in refused else 1)
    ]
    rejected = [books.state(c) for m in refused for c in books.wanted[m]]
    holds = not wrong and all(state == "FAILED HARD_BOUNCE" for state in rejected)
    shown = f"{count(len(books.wanted))} mailboxes and phones"
    shown += f", {len(refused)} of them closed and refused by their host" * bool(refused)
    return Verdict(
        "whoever can be reached has exactly one message", holds, _with_examples(shown, wrong)
    )


def _none_for_the_others(books: Books) -> Verdict:
    """Opted-out, invalid, replaced, of another channel, blocked before, or a second spelling."""
    reasons: Counter[str] = Counter()
    wrong: list[str] = []
    seconds = {c.endpoint_id for group in books.wanted.values() for c in _doubles(books, group)}
    for contact in books.evidence.audience:
        expected = _expected_reason(books, contact, seconds)
        if not expected:
            continue
        reasons[expected] += 1
        has_nothing = (contact.channel, contact.mailbox) in books.wanted or not books.arrived[
            contact.channel, contact.mailbox
        ]
        if books.state(contact) != f"SKIPPED {expected}" or not has_nothing:
            wrong.append(f"{contact.endpoint_id}: {books.state(contact)}, not {expected}")
    shown = ", ".join(f"{name} {number}" for name, number in reasons.most_common())
    return Verdict(
        "everybody else has none, and the ledger says why", not wrong, _with_examples(shown, wrong)
    )


def _doubles(books: Books, group: Sequence[Contact]) -> list[Contact]:
    """Of several spellings of a mailbox, those that were left out; which one is sent is open."""
    left_out = [c for c in group if books.state(c) == "SKIPPED DUPLICATE_ADDRESS"]
    return left_out if len(left_out) == len(group) - 1 else []


def _expected_reason(books: Books, contact: Contact, seconds: set[str]) -> str:
    if contact.reason_for_nothing:
        return contact.reason_for_nothing
    if contact.mailbox in books.evidence.blocked:
        return "SUPPRESSED" if contact.channel == "EMAIL" else "OPT_OUT"
    return "DUPLICATE_ADDRESS" if contact.endpoint_id in seconds else ""


def _nobody_outside(books: Books) -> Verdict:
    strangers = [mailbox for mailbox in books.arrived if mailbox not in books.wanted]
    return Verdict(
        "nobody outside the segment has anything",
        not strangers,
        _with_examples(f"{count(sum(books.arrived.values()))} messages arrived", strangers),
    )


def _sums(books: Books) -> Verdict:
    progress = books.evidence.run.progress
    rows = Counter(told(row) for row in books.evidence.ledger)
    sent = sum(number for state, number in rows.items() if state.split()[0] in _SENT)
    skips = {s.split()[1]: n for s, n in rows.items() if s.startswith("SKIPPED ")}
    total = sent + sum(skips.values())
    shown = " + ".join([count(sent), *(f"{n} {name}" for name, n in sorted(skips.items()))])
    return Verdict(
        "targeted = sent + every reason not to",
        progress.targeted_count == total == len(books.evidence.ledger),
        f"{count(progress.targeted_count)} = {shown}",
    )


def _same_messages(books: Books) -> Verdict:
    """The ids the hosts gave out are the ids in the ledger, one for one."""
    given = Counter(
        one.provider_message_id for one in [*books.evidence.mails, *books.evidence.texts]
    )
    kept = Counter(r.provider_message_id for r in books.evidence.ledger if r.provider_message_id)
    return Verdict(
        "each message in the ledger is the one that arrived",
        given == kept,
        f"{count(len(kept))} ids of the mail host and the SMS centre",
    )


def _never_too_fast(books: Books) -> Verdict:
    times, load = books.evidence.part_times, books.evidence.load
    most, surely = most_in(times, SECOND_US), most_in(times, SECOND_US - LATE_READ_US)
    shown = f"most in any sliding second: {most}"
    if most > SMS_LIMIT:
        shown += f"; {surely} once a part may be read {LATE_READ_US // 1000} ms late"
    holds = 0 < surely <= SMS_LIMIT
    return Verdict(
        f"never more than {SMS_LIMIT} SMS parts a second", _judged(holds, load), shown + _busy(load)
    )


def _never_too_slow(books: Books) -> Verdict:
    rate, load = mean_rate(_campaign_parts(books)), books.evidence.load
    shown = f"{rate:.2f} parts a second from first to last"
    if len(books.evidence.part_times) < ENOUGH_PARTS:
        return Verdict("and the limit was used", 0 < rate <= SMS_LIMIT * 1.1, shown)
    holds = LEAST_RATE <= rate <= SMS_LIMIT
    return Verdict("and the limit was used to the full", _judged(holds, load), shown + _busy(load))


def _judged(holds: bool, load: float) -> bool | None:  # noqa: FBT001 (a verdict, not a switch)
    """A machine that is too busy can excuse a failure, never make a success."""
    return holds or (None if load > BUSY else False)


def _busy(load: float) -> str:
    if load <= BUSY:
        return ""
    return f"; {load:.0f} programs wait for each processor here, so that times mean little"


def _campaign_parts(books: Books) -> Sequence[int]:
    """Arrivals while texts of the campaign were waiting; answers to STOP may come after them."""
    parts = sum(row.part_count for row in books.evidence.ledger if _is_text(row))
    return books.evidence.part_times[:parts]


def _is_text(row: message_pb2.Message) -> bool:
    return row.channel_type == channel_pb2.CHANNEL_TYPE_SMS


def _signed(books: Books) -> Verdict:
    bare = [one.to for one in books.evidence.mails if not one.headers >= _MAIL_HEADERS]
    return Verdict(
        "every mail is signed (DKIM) and can be unsubscribed from (RFC 8058)",
        bool(books.evidence.mails) and not bare,
        _with_examples(f"{count(len(books.evidence.mails))} mails", bare),
    )


def _receipts(books: Books) -> Verdict:
    texts = Counter(told(row) for row in books.evidence.ledger if _is_text(row))
    waiting = texts["SENT"] + texts["UNKNOWN"]
    return Verdict(
        "every text has its delivery receipt",
        not waiting and texts["DELIVERED"] > 0,
        f"{count(texts['DELIVERED'])} delivered, {texts['FAILED UNREACHABLE']} phones were off, "
        f"{waiting} without",
    )


def _stops_in_force(books: Books) -> Verdict:
    stopped = [one.to for one in books.evidence.stop_replies]
    kept = books.evidence.suppressed
    deaf = [to for to in stopped if kept.get(to) != "STOP_KEYWORD"]
    return Verdict(
        "whoever texted STOP got an answer and is off the list",
        not deaf and len(stopped) == books.evidence.opt_outs,
        _with_examples(f"{books.evidence.opt_outs} people, {len(stopped)} answers", deaf),
    )


def _figures_agree(books: Books) -> Verdict:
    events, states = books.evidence.events, Counter(map(told, books.evidence.ledger))
    mails, texts = events.get("_email.delivered", 0), events.get("_SMS.SUCCESS", 0)
    phones = sum(_is_text(r) and told(r) == "DELIVERED" for r in books.evidence.ledger)
    holds = mails == len(books.evidence.mails) and texts == phones and not states["UNKNOWN"]
    return Verdict(
        "the figures count what arrived",
        holds,
        f"{count(mails)} mails and {count(texts)} texts delivered",
    )


def _with_examples(shown: str, wrong: Sequence[object]) -> str:
    if not wrong:
        return shown
    return f"{shown}; {len(wrong)} wrong, such as {', '.join(map(str, wrong[:3]))}"


_CHECKS: Final[tuple[Callable[[Books], Verdict], ...]] = (
    _one_row_each,
    _one_message_each,
    _none_for_the_others,
    _nobody_outside,
    _sums,
    _same_messages,
    _never_too_fast,
    _never_too_slow,
    _signed,
    _receipts,
    _stops_in_force,
    _figures_agree,
)
