"""Behaviours: which recipients meet which outcome, and what they do with what they get."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Any, Final

from libs.errors import Violations
from services.sandbox.domain.schema import (
    Rule,
    Rules,
    as_list,
    as_object,
    checked,
)

EMAIL: Final = "EMAIL"
SMS: Final = "SMS"
PUSH: Final = "PUSH"
VOICE: Final = "VOICE"
CUSTOM: Final = "CUSTOM"
CHANNELS: Final = (EMAIL, SMS, PUSH, VOICE, CUSTOM)
# Every message walks the list.
MAX_BEHAVIOURS: Final = 1000

# SMPP 3.4 section 5.1.3: what a message centre may refuse a submission with.
STATUSES: Final = (
    "ESME_RINVDSTADR",
    "ESME_RINVSRCADR",
    "ESME_RTHROTTLED",
    "ESME_RMSGQFUL",
    "ESME_RSYSERR",
    "ESME_RSUBMITFAIL",
    "ESME_RINVMSGLEN",
    "ESME_RINVSERTYP",
    "ESME_RINVEXPIRY",
    "ESME_RX_T_APPN",
    "ESME_RX_P_APPN",
    "ESME_RX_R_APPN",
    "ESME_RUNKNOWNERR",
)
# SMPP 3.4 appendix B.
RECEIPT_STATES: Final = (
    "DELIVRD",
    "UNDELIV",
    "REJECTD",
    "EXPIRED",
    "DELETED",
    "ACCEPTD",
    "UNKNOWN",
    "ENROUTE",
)
NO_SUCH_USER: Final = "5.1.1 The email account that you tried to reach does not exist"
AFTER: Final = Rule(100)
SHARE: Final = Rule(100.0, 0, 100)
RATE: Final = Rule(10, 1, 1_000_000)
# Whether what is told over HTTP is signed as Twilio's token or SNS's key signs.
SIGNATURE: Final = Rule("right", choices=("right", "wrong"))
# How Twilio and Amazon tell it; of mails over SMTP `after_ms` alone counts.
TOLD: Final[Rules] = {
    "after_ms": AFTER,
    "copies": Rule(1, 0, 10),
    "shuffle_ms": Rule(0),
    "signature": SIGNATURE,
}
RECEIPT: Final[Rules] = {
    "state": Rule("DELIVRD", choices=RECEIPT_STATES),
    "after_ms": AFTER,
    "error": Rule("000"),
    "copies": Rule(1, 0, 10),
    "shuffle_ms": Rule(0),
    "signature": SIGNATURE,
}
OUTCOMES: Final[dict[str, dict[str, Rules]]] = {
    EMAIL: {
        "deliver": TOLD,
        "reject": {"code": Rule(550, 500, 599), "text": Rule(NO_SUCH_USER)},
        "defer": {
            "code": Rule(450, 400, 499),
            "text": Rule("4.2.0 Mailbox busy, try again later"),
            "times": Rule(1, 1, 1_000_000),
        },
        "bounce": {**TOLD, "status": Rule("5.1.1"), "text": Rule("user unknown")},
        "complain": TOLD,
        "slow": {"delay_ms": Rule(1000)},
        "down": {},
        "throttle": {"per_second": RATE, "text": Rule("4.7.1 Rate limit exceeded")},
    },
    SMS: {
        "deliver": RECEIPT,
        "reject": {"status": Rule("ESME_RINVDSTADR", choices=STATUSES)},
        "slow": {"delay_ms": Rule(1000), **RECEIPT},
        "down": {"mode": Rule("drop", choices=("drop", "refuse"))},
        "throttle": {
            "per_second": RATE,
            "over": Rule("reject", choices=("reject", "receipt")),
            **RECEIPT,
        },
        "lost": RECEIPT,
    },
    PUSH: {
        "deliver": {},
        "dead": {},
        "moved": {"text": Rule("")},
        "reject": {},
        "throttle": {"per_second": RATE},
        "defer": {"times": Rule(1, 1, 1_000_000)},
        "slow": {"delay_ms": Rule(1000)},
        "down": {},
    },
    VOICE: {
        "deliver": TOLD,
        "busy": TOLD,
        "no-answer": TOLD,
        "failed": TOLD,
        "reject": {},
        "throttle": {"per_second": RATE},
        "slow": {"delay_ms": Rule(1000)},
        "down": {},
    },
    CUSTOM: {
        "deliver": {"text": Rule("")},
        "reject": {"code": Rule(400, 300, 599)},
        "throttle": {"per_second": RATE},
        "defer": {"times": Rule(1, 1, 1_000_000), "text": Rule("")},
        "slow": {"delay_ms": Rule(1000), "text": Rule("")},
        "stranger": {},
        "down": {},
    },
}
ACTIONS: Final[dict[str, dict[str, Rules]]] = {
    EMAIL: {
        "open": {"after_ms": AFTER, "share": SHARE},
        "click": {"after_ms": AFTER, "share": SHARE, "link": Rule(1, 1, 1000)},
        "unsubscribe": {"after_ms": AFTER, "share": SHARE},
    },
    SMS: {"reply": {"after_ms": AFTER, "share": SHARE, "text": Rule("STOP")}},
    PUSH: {},
    VOICE: {},
    CUSTOM: {},
}
MATCH: Final[Rules] = {
    "channel": Rule(EMAIL, choices=CHANNELS),
    "to": Rule("*"),
    "carrier": Rule(""),
    "share": SHARE,
}


@dataclass(frozen=True, slots=True)
class Match:
    """Whom a behaviour is for; `to` is an address or a glob, `share` percent of the recipients."""

    channel: str
    to: str = "*"
    carrier: str = ""
    share: float = 100.0

    @property
    def is_everyone(self) -> bool:
        """True when nothing narrows it: it then speaks of the whole host or centre."""
        return self.to == "*" and not self.carrier and self.share >= 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happens to a message; the table `OUTCOMES` says which fields a kind uses."""

    kind: str = "deliver"
    code: int = 0
    text: str = ""
    status: str = ""
    times: int = 0
    delay_ms: int = 0
    after_ms: int = 100
    per_second: int = 0
    over: str = ""
    mode: str = ""
    state: str = "DELIVRD"
    error: str = "000"
    copies: int = 1
    shuffle_ms: int = 0
    signature: str = "right"


@dataclass(frozen=True, slots=True)
class Action:
    """What a recipient does with a message that arrived."""

    kind: str
    after_ms: int = 100
    share: float = 100.0
    link: int = 1
    text: str = ""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One rule of the script; `index` is its place, which also salts its share."""

    index: int
    match: Match
    outcome: Outcome
    actions: tuple[Action, ...] = ()

    def actions_of(self, to: str) -> list[Action]:
        """Return what this recipient does: every action whose share it falls into."""
        return [
            action
            for place, action in enumerate(self.actions)
            if in_share(f"{self.index}.{place}", to, action.share)
        ]


DEFAULTS: Final = {channel: Behaviour(-1, Match(channel), Outcome()) for channel in CHANNELS}


def in_share(salt: str, to: str, share: float) -> bool:
    """Tell whether a recipient is in the first `share` percent of a stable shuffle."""
    if share >= 100:
        return True
    return fraction(salt, to) * 100 < share


def fraction(salt: str, to: str) -> float:
    """Return a number in [0, 1) that is always the same for a salt and a recipient."""
    digest = blake2b(f"{salt}:{to}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def behaviour_for(
    behaviours: Sequence[Behaviour], channel: str, to: str, carrier: str = ""
) -> Behaviour:
    """Return the first behaviour that matches; without one a message is simply delivered."""
    for behaviour in behaviours:
        if _matches(behaviour, channel, to, carrier):
            return behaviour
    return DEFAULTS[channel]


def _matches(behaviour: Behaviour, channel: str, to: str, carrier: str) -> bool:
    match = behaviour.match
    return (
        match.channel == channel
        and (not match.carrier or match.carrier == carrier)
        and (match.to == "*" or match.to == to or fnmatchcase(to, match.to))
        and in_share(str(behaviour.index), to, match.share)
    )


def parse_behaviours(document: object) -> list[Behaviour]:
    """Read `[{match, outcome, actions}]`; InvalidFields names every bad field.

    `outcome` is `{"kind": ..., ...}` with the fields of `OUTCOMES`, `actions` a list of
    `{"kind": ..., ...}` with those of `ACTIONS`; all but the kinds and the channel may be left out.
    """
    found = Violations()
    rows = as_list(document, "behaviours", found)
    if len(rows) > MAX_BEHAVIOURS:
        found.add("behaviours", f"at most {MAX_BEHAVIOURS} entries")
        rows = []
    behaviours = [_parse_behaviour(index, row, found) for index, row in enumerate(rows)]
    found.raise_if_any()
    return behaviours


def _parse_behaviour(index: int, row: object, found: Violations) -> Behaviour:
    path = f"[{index}]"
    document = as_object(row, path, found)
    for name in document.keys() - {"match", "outcome", "actions"}:
        found.add(f"{path}.{name}", "unknown field")
    given = as_object(document.get("match"), f"{path}.match", found)
    if "channel" not in given:
        found.add(f"{path}.match.channel", "is required")
    match = Match(**checked(given, MATCH, f"{path}.match", found))
    channel = match.channel if match.channel in CHANNELS else EMAIL
    outcome = _kinded(
        document.get("outcome", {"kind": "deliver"}), OUTCOMES[channel], f"{path}.outcome", found
    )
    actions = as_list(document.get("actions", []), f"{path}.actions", found)
    acts = [
        _kinded(action, ACTIONS[channel], f"{path}.actions[{place}]", found)
        for place, action in enumerate(actions)
    ]
    return Behaviour(index, match, Outcome(**outcome), tuple(Action(**act) for act in acts))


def _kinded(value: object, table: dict[str, Rules], path: str, found: Violations) -> dict[str, Any]:
    """Check an object whose `kind` decides which other fields it may have."""
    document = as_object(value, path, found)
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in table:
        if isinstance(value, dict):
            found.add(f"{path}.kind", f"must be one of {', '.join(table)}")
        return {"kind": "deliver"}
    rest = {name: item for name, item in document.items() if name != "kind"}
    return {"kind": kind, **checked(rest, table[kind], path, found)}
