"""How the shop's customers behave: handed to the sandbox before the campaign starts."""

from typing import Any, Final

# The first match decides. Shares are of recipients, by a fixed shuffle: every run has the same
# people open, click and leave. Times are milliseconds after the message came.
BEHAVIOURS: Final[list[dict[str, Any]]] = [
    # Mailboxes that were closed: the host refuses at once.
    {
        "match": {"channel": "EMAIL", "to": "*@closed.example.org"},
        "outcome": {"kind": "reject", "code": 550, "text": "5.1.1 No such mailbox"},
    },
    # Hosts that take the mail and send it back later.
    {
        "match": {"channel": "EMAIL", "to": "*@returns.example.org"},
        "outcome": {"kind": "bounce", "after_ms": 1500, "status": "5.2.1", "text": "disabled"},
    },
    # People who press "this is spam".
    {
        "match": {"channel": "EMAIL", "to": "*@strict.example.org"},
        "outcome": {"kind": "complain", "after_ms": 2500},
    },
    {
        "match": {"channel": "EMAIL", "share": 16},
        "actions": [
            {"kind": "open", "after_ms": 1200},
            {"kind": "click", "after_ms": 3500, "link": 1},
        ],
    },
    {
        "match": {"channel": "EMAIL", "share": 40},
        "actions": [{"kind": "open", "after_ms": 2000}],
    },
    # The button of the mail program; it works without a page (RFC 8058).
    {
        "match": {"channel": "EMAIL", "share": 3},
        "actions": [{"kind": "unsubscribe", "after_ms": 15_000}],
    },
    # Phones that are off, and people who answer.
    {
        "match": {"channel": "SMS", "share": 2.5},
        "outcome": {"kind": "deliver", "state": "UNDELIV", "error": "005", "after_ms": 400},
    },
    {
        "match": {"channel": "SMS", "share": 2},
        "outcome": {"kind": "deliver", "after_ms": 150},
        "actions": [{"kind": "reply", "after_ms": 900, "text": "STOP"}],
    },
]
