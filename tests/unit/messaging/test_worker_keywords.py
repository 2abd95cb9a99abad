"""Keywords: whole tokens at the beginning of a text, every word of the spec and of the FCC."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.messaging.domain.keywords import (
    DEFAULT_REPLIES,
    STOP_WORDS,
    Keyword,
    is_keyword_reply,
    keyword_of,
    reply_dispatch,
    reply_to,
)

SPEC_WORDS = ["ARRET", "CANCEL", "END", "OPT-OUT", "OPTOUT", "QUIT", "REMOVE", "STOP", "TD"]
SPEC_WORDS.append("UNSUBSCRIBE")
FCC_WORDS = ["STOP", "QUIT", "END", "REVOKE", "OPT OUT", "CANCEL", "UNSUBSCRIBE"]


@pytest.mark.parametrize("word", [*SPEC_WORDS, *FCC_WORDS])
@pytest.mark.parametrize("form", ["{}", "  {}\n", "{}.", '"{}"', "{} please", "{}, now!"])
def test_every_opt_out_word_opts_out(word: str, form: str) -> None:
    assert keyword_of(form.format(word)) is Keyword.STOP
    assert keyword_of(form.format(word.lower())) is Keyword.STOP
    assert keyword_of(form.format(word.title())) is Keyword.STOP


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stop.", Keyword.STOP),
        ("STOP please", Keyword.STOP),
        ("arrêt", Keyword.STOP),
        ("Opt  Out", Keyword.STOP),
        ("opt-out", Keyword.STOP),
        ("help", Keyword.HELP),
        ("HELP!", Keyword.HELP),
        ("Start", Keyword.START),
        ("unstop", Keyword.START),
        ("stopping by later", None),
        ("stopped", None),
        ("nonstop", None),
        ("please stop", None),
        ("ending soon", None),
        ("opt for it", None),
        ("opt outside", None),
        ("helpful", None),
        ("restart", None),
        ("", None),
        ("...", None),
        ("\U0001f44d", None),
    ],
)
def test_texts(text: str, expected: Keyword | None) -> None:
    assert keyword_of(text) is expected


@given(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1), st.sampled_from(sorted(STOP_WORDS))
)
@settings(deadline=None)
def test_a_longer_word_is_no_keyword(tail: str, word: str) -> None:
    longer = word + tail
    if longer.upper() not in {*STOP_WORDS, "OPTOUT"}:
        assert keyword_of(longer) is not Keyword.STOP


@given(st.text())
@settings(deadline=None)
def test_no_text_is_too_odd(text: str) -> None:
    assert keyword_of(text) in {None, *Keyword}


def test_replies_are_the_channels_own_or_the_default() -> None:
    own = {Keyword.STOP: "Bye", Keyword.HELP: ""}
    assert reply_to(Keyword.STOP, own) == "Bye"
    assert reply_to(Keyword.HELP, own) == DEFAULT_REPLIES[Keyword.HELP]
    assert "START" in reply_to(Keyword.STOP, {})


def test_only_the_answer_to_a_text_passes_a_stop() -> None:
    dispatch_id = reply_dispatch("in-1")
    assert is_keyword_reply(dispatch_id, "in-1")
    assert not is_keyword_reply(dispatch_id, "in-2")
    assert not is_keyword_reply("activity-1", "in-1")
    assert not is_keyword_reply(reply_dispatch(""), "")
