"""The functions of specification 5.3, each called from a template."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.handlebars import RenderError, RenderLimitError, compile_template
from libs.handlebars.date_patterns import formatted, pieces, read
from libs.handlebars.functions import FUNCTIONS
from libs.handlebars.values import look

NOW = datetime(2026, 3, 9, 15, 4, 5, 678000, tzinfo=UTC)
DATA: dict[str, Any] = {"s": "hello big world", "l": ["a", "b"], "n": "7", "no": False, "yes": True}


def rendered(call: str) -> str:
    template = compile_template("{{" + call + "}}", escape=False)
    return template.render(partial(look, DATA), now=NOW)


STRINGS = [
    ("abbreviate s 8", "hello..."),
    ("abbreviate s 15", "hello big world"),
    ("abbreviate s 2", ".."),
    ("capitalize s", "Hello Big World"),
    ("capitalize 'aB cD' fully=true", "Ab Cd"),
    ("capitalizeFirst s", "Hello big world"),
    ("capitalizeFirst ''", ""),
    ("center 'ab' 7", "  ab   "),
    ("center 'ab' size=6 pad='*'", "**ab**"),
    ("center 'abc' 2", "abc"),
    ("center 'ab' 7 'xy'", "xyabxyx"),
    ("cut s", "hellobigworld"),
    ("cut s 'l'", "heo big word"),
    ("inflect 1 'item' 'items'", "item"),
    ("inflect n 'item' 'items' true", "7 items"),
    ("inflect 0 'item' 'items' includeCount=true", "0 items"),
    ("join l", "ab"),
    ("join l ', '", "a, b"),
    ("join l ', ' prefix='<' suffix='>'", "<a, b>"),
    ("join l '/' '(' ')'", "(a/b)"),
    ("join 'x' n '-'", "x-7"),
    ("join 'x' n sep='-'", "x-7"),
    ("ljust 'ab' 5 '.'", "ab..."),
    ("rjust 'ab' 5 '.'", "...ab"),
    ("lower 'ÄB'", "äb"),
    ("upper 'äb'", "ÄB"),
    ("ordinalize 1", "1st"),
    ("ordinalize 2", "2nd"),
    ("ordinalize 3", "3rd"),
    ("ordinalize 4", "4th"),
    ("ordinalize 11", "11th"),
    ("ordinalize 112", "112th"),
    ("ordinalize 113", "113th"),
    ("ordinalize 121", "121st"),
    ("ordinalize 'x'", "x"),
    ("replace s 'big' 'small'", "hello small world"),
    ("replace s '' 'x'", "hello big world"),
    ("slugify 'Crème  brûlée, & more!'", "creme-brulee-more"),
    ("stripTags '<b>bold</b> <a href=1>x</a>'", "bold x"),
    ("substring s 6", "big world"),
    ("substring s 6 9", "big"),
    ("substring s 12 99", "rld"),
    ("substring s 99", ""),
    ("yesno yes", "yes"),
    ("yesno no", "no"),
    ("yesno 'false'", "no"),
    ("yesno missing", "maybe"),
    ("yesno missing maybe='?'", "?"),
    ("yesno yes yes='ja' no='nein'", "ja"),
    ("yesno no yes='ja' no='nein'", "nein"),
    ("upper missing", ""),
    ("upper l", "A,B"),
]

LOGIC = [
    ("eq 'a' 'a'", "true"),
    ("eq n 7", "true"),
    ("eq '7.0' 7", "true"),
    ("eq '07' '7'", "false"),
    ("eq missing null", "true"),
    ("eq missing ''", "false"),
    ("neq n 7", "false"),
    ("gt n 6", "true"),
    ("gt '10' '9'", "true"),
    ("gt 'b' 'a'", "true"),
    ("gt missing 1", "false"),
    ("lt missing 1", "false"),
    ("gte n 7", "true"),
    ("lte n 6", "false"),
    ("lt n 8 yes='less' no='more'", "less"),
    ("and yes n l", "true"),
    ("and yes no", "false"),
    ("or no missing n", "true"),
    ("or no missing", "false"),
    ("not no", "true"),
    ("not yes yes='y' no='n'", "n"),
    ("and (gt n 1) (lt n 9) yes='in'", "in"),
]

NUMBERS = [
    ("add 1 2", "3"),
    ("add n '0.5' 1", "8.5"),
    ("add 0.1 0.2", "0.3"),
    ("subtract 5 7.5", "-2.5"),
    ("multiply 3 n", "21"),
    ("multiply 1.1 1.1", "1.21"),
    ("divide 7 2", "3.5"),
    ("divide 1 3", "0.3333333333333333"),
    ("modulo 7 3", "1"),
    ("modulo -7 3", "-1"),
    ("ceiling 1.2", "2"),
    ("ceiling -1.2", "-1"),
    ("floor 1.8", "1"),
    ("floor -1.2", "-2"),
    ("round 2.5", "3"),
    ("round -2.5", "-2"),
    ("round 2.4", "2"),
    ("add missing 1", ""),
    ("floor missing", ""),
]

DIGESTS = [
    ("encode64 'héllo'", "aMOpbGxv"),
    ("decode64 'aMOpbGxv'", "héllo"),
    # RFC 1321 A.5 and FIPS 180-4 examples.
    ("md5 'abc'", "900150983cd24fb0d6963f7d28e17f72"),
    ("sha256 'abc'", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        "sha512 'abc'",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
]

DATES = [
    ("dateFormat '2012-06-19'", "Jun 19, 2012"),
    ("dateFormat '2012-06-19' 'full'", "Tuesday, June 19, 2012"),
    ("dateFormat '2012-06-19' 'long'", "June 19, 2012"),
    ("dateFormat '2012-06-19' 'short'", "6/19/12"),
    ("dateFormat '2012-06-19' outputFormat='yyyy/MM/dd'", "2012/06/19"),
    ("dateFormat '2012-06-19' format='dd.MM.yy'", "19.06.12"),
    ("dateFormat '19-06-2012' 'dd-MM-yyyy' 'medium'", "Jun 19, 2012"),
    ("dateFormat '19-06-2012' inputFormat='dd-MM-yyyy' outputFormat='EEE'", "Tue"),
    ("dateFormat '2026-03-09T15:04:05Z' \"EEE h:mm a 'o''clock' XXX\"", "Mon 3:04 PM o'clock Z"),
    ("dateFormat '2026-03-09T15:04:05Z' 'HH:mm z' tz='America/New_York'", "11:04 EDT"),
    ("dateFormat '2026-03-09T15:04:05+02:00' 'HH:mm Z' tz='UTC'", "13:04 +0000"),
    ("dateFormat '2026-01-09T15:04:05Z' 'HH:mm XXX' tz='Asia/Kolkata'", "20:34 +05:30"),
    ("dateFormat 1700000000 'yyyy-MM-dd HH:mm:ss'", "2023-11-14 22:13:20"),
    ("dateFormat '1700000000123' 'ss.SSS'", "20.123"),
    ("dateFormat '20260309 0304PM' 'yyyyMMdd hhmma' 'HH:mm'", "15:04"),
    ("dateFormat 'March 9, 26' 'MMMM d, yy' 'yyyy-MM-dd'", "2026-03-09"),
    ("dateFormat '68 12' 'yy DDD' 'yyyy-MM-dd D'", "2068-01-12 12"),
    ("dateFormat '9 Mar 2026 23:30 +0300' 'd MMM yyyy HH:mm Z' 'dd HH:mm' tz='UTC'", "09 20:30"),
    ("dateFormat missing", ""),
    ("now", "Mar 9, 2026"),
    ("now 'short'", "3/9/26"),
    ("now 'HH:mm' 'Europe/Berlin'", "16:04"),
    ("now 'HH:mm' tz='Europe/Berlin'", "16:04"),
    ("now format='kk K SS u L'", "15 3 67 2026 3"),
]


@pytest.mark.parametrize(("call", "expected"), STRINGS + LOGIC + NUMBERS + DIGESTS + DATES)
def test_it_gives(call: str, expected: str) -> None:
    assert rendered(call) == expected


def test_every_function_of_the_table_is_called_above() -> None:
    called = {call.split()[0] for call, _ in STRINGS + LOGIC + NUMBERS + DIGESTS + DATES}
    assert called | {"uuid"} == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("add s 1", "add: argument 1 is not a number"),
        ("divide 1 0", "divide: the result is not a number"),
        ("modulo 1 0", "modulo: the result is not a number"),
        ("decode64 '***'", "decode64"),
        ("decode64 '/w=='", "decode64"),
        ("substring s 'x'", "substring: the size must be a number"),
        ("dateFormat 'yesterday'", "the date does not have the form given"),
        ("dateFormat '2012-19-06'", "the date does not have the form given"),
        ("dateFormat '31/02/2026' 'dd/MM/yyyy' 'short'", "the date does not have the form given"),
        ("dateFormat '2012-06-19' 'yyyy bb'", "unknown letter b"),
        ("dateFormat '2012-06-19' \"yyyy 'open\"", "open quote"),
        ("now 'short' tz='Mars/Olympus'", "unknown time zone"),
        ("now 'short' tz='../../etc/passwd'", "unknown time zone"),
    ],
)
def test_bad_data_is_a_render_error(call: str, message: str) -> None:
    with pytest.raises(RenderError, match=re.escape(message)):
        rendered(call)


def test_an_error_does_not_repeat_the_recipients_data() -> None:
    with pytest.raises(RenderError) as caught:
        rendered("add s 1")
    assert "hello" not in str(caught.value)


@pytest.mark.parametrize("name", ["center", "ljust", "rjust"])
def test_a_pad_has_a_widest(name: str) -> None:
    with pytest.raises(RenderLimitError):
        rendered(f"{name} 'x' 10001")


_SECONDS = st.integers(0, int(datetime(2069, 12, 31, tzinfo=UTC).timestamp()))
_PATTERNS = [
    "yyyy-MM-dd HH:mm:ss.SSSSSS",
    "EEEE, d MMMM yy kk:mm:ss SSSSSS",
    "yyyyMMddhhmmssaSSSSSS",
    "yyyy DDD H m s SSSSSS XXX",
]


@settings(deadline=None)  # the machine may be busy
@given(_SECONDS, st.integers(0, 999_999), st.sampled_from(_PATTERNS))
def test_a_printed_date_reads_back(seconds: int, micros: int, pattern: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    assert read(formatted(moment, pieces(pattern)), pieces(pattern)) == moment


def test_no_function_module_performs_input_or_output() -> None:
    package = Path(str(compile_template.__code__.co_filename)).parent
    for name in ("strings", "numbers", "logic", "digests", "dates", "date_patterns", "values"):
        source = (package / f"{name}.py").read_text(encoding="utf-8")
        assert not re.search(r"\b(open|print|input|socket|urllib|subprocess|os)\b[.(]", source), (
            name
        )
