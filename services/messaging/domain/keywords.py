"""Keywords in inbound texts and the answers to them (spec 7.5; 47 CFR 64.1200(a)(10))."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from libs.ids import derived_id


class Keyword(StrEnum):
    """What an inbound text asks for."""

    STOP = "STOP"
    HELP = "HELP"
    START = "START"


STOP_WORDS: Final = frozenset(
    # Spec 7.5 defaults, then what the FCC's rule adds to them.
    [
        "ARRET",
        "CANCEL",
        "END",
        "OPT-OUT",
        "OPTOUT",
        "QUIT",
        "REMOVE",
        "STOP",
        "TD",
        "UNSUBSCRIBE",
        "REVOKE",
    ]
)
STOP_PHRASES: Final = frozenset({("OPT", "OUT")})
_WORDS: Final[Mapping[str, Keyword]] = {
    **dict.fromkeys(STOP_WORDS, Keyword.STOP),
    "HELP": Keyword.HELP,
    "START": Keyword.START,
    "UNSTOP": Keyword.START,
}
# A token is letters and digits, with hyphens inside; everything else separates tokens.
_TOKEN: Final = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_ACCENTS: Final = str.maketrans("ÀÂÄÉÈÊËÎÏÔÖÙÛÜÇ", "AAAEEEEIIOOUUUC")
DEFAULT_REPLIES: Final[Mapping[Keyword, str]] = {
    Keyword.STOP: "You are unsubscribed and will get no more messages. Reply START to resubscribe.",
    Keyword.HELP: "You receive these messages because you signed up. Reply STOP to unsubscribe.",
    Keyword.START: "You are subscribed again. Reply STOP to unsubscribe, HELP for help.",
}


def keyword_of(text: str) -> Keyword | None:
    """The keyword that a text begins with, as whole tokens, whatever their case; None without one.

    "Stop." and "STOP please" opt out, "stopping by later" does not.
    """
    tokens = _TOKEN.findall(text.upper().translate(_ACCENTS))[:2]
    if not tokens:
        return None
    if tuple(tokens) in STOP_PHRASES:
        return Keyword.STOP
    return _WORDS.get(tokens[0])


def reply_to(keyword: Keyword, custom: Mapping[Keyword, str]) -> str:
    """The text of the answer: the channel's own, else the default."""
    return custom.get(keyword) or DEFAULT_REPLIES[keyword]


def reply_dispatch(inbound_id: str) -> str:
    """Id of the dispatch that answers an inbound text."""
    return derived_id("keyword reply", inbound_id)


def is_keyword_reply(dispatch_id: str, inbound_id: str) -> bool:
    """Whether a dispatch answers the inbound text that it names: such an answer passes a STOP."""
    return bool(inbound_id) and dispatch_id == reply_dispatch(inbound_id)
