"""Carriers, assembly, the log, mails and reports: pure rules."""

import email
from collections import deque
from datetime import UTC, datetime
from email import policy
from email.message import Message
from itertools import permutations
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sandbox.domain import assembly as assembling
from services.sandbox.domain.assembly import Assembly, Part, PartKey
from services.sandbox.domain.carriers import DEFAULT, Window, carrier_of, parse_carriers
from services.sandbox.domain.feedback import Returned, bounce, complaint
from services.sandbox.domain.log import OVERHEAD_BYTES, Arrivals, MessageLog, Record
from services.sandbox.domain.mail import read_mail

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@given(
    st.integers(1, 5),
    st.lists(st.integers(0, 700_000_000), max_size=60),
)
def test_no_sliding_second_holds_more_than_the_limit_and_none_is_wasted(
    limit: int, steps: list[int]
) -> None:
    window, now, passed = Window(limit, 1), 0, deque[int]()
    for step in steps:
        now += step
        recent = [time for time in passed if now - time < 1_000_000_000]
        has_room = window.has_room(now)
        assert has_room == (len(recent) < limit)
        if has_room:
            window.add(now)
            passed.append(now)


def test_a_carrier_counts_only_what_passes_every_limit() -> None:
    (carrier,) = parse_carriers([{"name": "a", "per_second": 2, "per_minute": 3}])
    second = 1_000_000_000
    verdicts = [carrier.admits(now) for now in (0, 1, 2, second, second + 1, 60 * second)]
    assert verdicts == [True, True, False, True, False, True]


def test_the_longest_prefix_chooses_the_carrier() -> None:
    carriers = parse_carriers(
        [{"name": "us", "prefixes": ["1"]}, {"name": "ny", "prefixes": ["+1212", "1646"]}]
    )
    chosen = [carrier_of(carriers, n).name for n in ("+12125", "16461", "+1555", "+44")]
    assert chosen == ["ny", "ny", "us", DEFAULT.name]


def test_parts_in_any_order_make_the_message_once() -> None:
    key = PartKey("s", "t", 1, 3)
    parts = [Part(n, bytes([n]), f"id{n}") for n in (1, 2, 3)]
    for order in permutations(parts):
        assembly = Assembly()
        results = [assembly.add(key, part) for part in order]
        assert results == [None, None, parts]
        assert len(assembly) == 0


def test_a_repeated_part_is_replaced_and_others_do_not_mix() -> None:
    assembly = Assembly()
    key = PartKey("s", "t", 1, 2)
    assert assembly.add(key, Part(1, b"old", "a")) is None
    assert assembly.add(key._replace(to="u"), Part(2, b"x", "x")) is None
    assert assembly.add(key, Part(1, b"new", "b")) is None
    done = assembly.add(key, Part(2, b"!", "c"))
    assert done == [Part(1, b"new", "b"), Part(2, b"!", "c")]


def test_unfinished_messages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembling, "MAX_UNFINISHED", 2)
    assembly = Assembly()
    for reference in range(3):
        assembly.add(PartKey("s", "t", reference, 2), Part(1, b"", "a"))
    assert len(assembly) == 2
    assert assembly.add(PartKey("s", "t", 0, 2), Part(2, b"", "b")) is None


def record(to: str, size: int = 0, channel: str = "SMS") -> Record:
    return Record(channel, to, "s", "id", 1, b"x" * size)


@given(
    st.integers(1, 6),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)) | st.none(), max_size=40),
)
def test_the_log_is_the_newest_of_what_was_appended(
    capacity: int, steps: list[tuple[str, int] | None]
) -> None:
    max_bytes = 4 * OVERHEAD_BYTES
    log, kept, counts = MessageLog(capacity, max_bytes), list[Record](), dict[str, int]()
    for step in steps:
        if step is None:
            log.clear()
            kept.clear()
            counts.clear()
            continue
        one = record(step[0], step[1] * 100)
        number = log.append(one)
        kept.append(one)
        counts[one.to] = counts.get(one.to, 0) + 1
        while len(kept) > capacity or (
            len(kept) > 1 and sum(len(r.content) + OVERHEAD_BYTES for r in kept) > max_bytes
        ):
            kept.pop(0)
        assert log.get(number) is one
    newest = kept[::-1]
    assert len(log) == len(kept)
    assert log.newest() == newest
    assert log.newest(limit=2) == newest[:2]
    assert log.newest("SMS", "a") == [r for r in newest if r.to == "a"]
    assert log.newest("", "[bc]") == [r for r in newest if r.to in "bc"]
    assert log.newest("EMAIL") == []
    assert log.counts("SMS") == counts
    assert log.counts("SMS", "b") == {to: n for to, n in counts.items() if to == "b"}


def test_a_number_outside_the_log_is_none() -> None:
    log = MessageLog(2, 10**6)
    for to in "abc":
        log.append(record(to))
    found = [log.get(number) for number in (0, 1, 2, 3, 4)]
    assert [one.to if one else None for one in found] == [None, None, "b", "c", None]


def test_arrivals_are_filtered_and_bounded() -> None:
    arrivals = Arrivals(bound=4)
    for n in range(5):
        verdict = "accepted" if n % 2 else "ESME_RTHROTTLED"
        arrivals.add(n * 10**6, n * 10**3, f"s{n % 2}", "blue" if n > 3 else "red", verdict)
    assert arrivals.times(steady=False) == [2, 3, 4]
    assert arrivals.times(steady=True, sender="s0") == [2, 4]
    assert arrivals.times(steady=False, carrier="red") == [2, 3]
    assert arrivals.times(steady=False, accepted=True) == [3]
    assert arrivals.totals == {"accepted": 2, "ESME_RTHROTTLED": 3}
    arrivals.clear()
    assert arrivals.times(steady=False) == []
    assert not arrivals.totals


@pytest.mark.parametrize(
    ("image", "is_pixel"),
    [
        ('<img src="http://t/p" width="1" height="1">', True),
        ('<img src="http://t/p" style="display: none">', True),
        ('<IMG SRC="http://t/p" WIDTH=1 HEIGHT=1/>', True),
        ('<img src="http://t/p" width="600">', False),
        ('<img src="cid:logo" width="1" height="1">', False),
    ],
)
def test_the_pixel_is_told_from_pictures(image: str, *, is_pixel: bool) -> None:
    mail = read_mail(f"Content-Type: text/html\r\n\r\n<p>x</p>{image}".encode())
    assert mail.pixel == ("http://t/p" if is_pixel else None)


def test_links_before_broken_html_count() -> None:
    mail = read_mail(b'Content-Type: text/html\r\n\r\n<a href="http://a/">x</a>CDATA[><![<?')
    assert mail.links == ["http://a/"]


def test_an_attached_page_is_not_the_body() -> None:
    raw = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n'
        b"Content-Disposition: attachment; filename=x.html\r\n\r\n<p>no</p>\r\n--b--\r\n"
    )
    assert read_mail(raw).html == ""


def test_links_are_unescaped_and_in_order() -> None:
    html = '<a href="http://a/?x=1&amp;y=2">a</a><a href="mailto:x">m</a><a href="https://b/">b</a>'
    mail = read_mail(b"Content-Type: text/html\r\n\r\n" + html.encode())
    assert mail.links == ["http://a/?x=1&y=2", "https://b/"]
    text = read_mail(b"Subject: x\r\n\r\nSee http://c/d and (https://e/f).")
    assert text.links == ["http://c/d", "https://e/f"]


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        (
            "List-Unsubscribe: <mailto:u@x>, <https://x/u>\r\nList-Unsubscribe-Post: ONE",
            "https://x/u",
        ),
        ("List-Unsubscribe: <https://x/u>\r\n", None),
        ("List-Unsubscribe: <mailto:u@x>\r\nList-Unsubscribe-Post: ONE", None),
    ],
)
def test_one_click_needs_both_headers(headers: str, url: str | None) -> None:
    raw = headers.replace("ONE", "List-Unsubscribe=One-Click") + "\r\n\r\nx"
    assert read_mail(raw.encode()).one_click_url == url


@given(st.binary(max_size=300))
def test_any_bytes_are_read_as_a_mail(raw: bytes) -> None:
    mail = read_mail(raw)
    assert isinstance(mail.links, list)


@pytest.mark.parametrize(
    "raw",
    [
        b"From: =?utf-8?q?=ff?= <a@b>\r\nTo: <<>>\r\n\r\nhi",
        b"Content-Type: text/plain; charset=nope\r\n\r\nhi",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"From: <\r\n\r\nhi",
        b"Content-Type: attachment; filename*=\x00utf-8'en'x; charset==?utf-8?b?!!?=\r\n\r\nhi",
        b"Content-Type: ; charset*0=idna\r\n\r\nhi",
        b"Content-Type: text/plain; charset=\x00base64\r\n\r\nhi",
        b"To: <a@[=?utf-8?b?!!?=undisclosed:;\r\n\r\nhi",
        b"Message-ID: <\x00=?utf-8?b?!!?=a@[\r\n\r\nhi",
        b"Content-Disposition: \x00;=\r\n\r\nhi",
        b"To: undisclosed:;\r\nFrom: @\r\n\r\nhi",
    ],
)
def test_broken_mails_are_shown_anyway(raw: bytes) -> None:
    mail = read_mail(raw)
    assert len(mail.headers) == raw.count(b": ")
    assert mail.body == raw.partition(b"\r\n\r\n")[2].decode() or b"multipart" in raw


RETURNED = Returned(
    "s@x.example", "r@y.example", "Q1", b"Subject: hi\r\nMessage-ID: <1@x>\r\n\r\nbody", NOW
)


@pytest.mark.parametrize(
    ("status", "action", "code"), [("5.1.1", "failed", "550"), ("4.4.7", "delayed", "450")]
)
def test_a_bounce_is_a_report_of_rfc_3464(status: str, action: str, code: str) -> None:
    raw = bounce(RETURNED, status, "no such user", NOW)
    message = email.message_from_bytes(raw, policy=policy.default)
    assert not message.defects
    assert message["To"] == "s@x.example"
    _, machine, original = message.iter_parts()
    per_message, per_recipient = cast("list[Message]", machine.get_payload())
    assert per_message["Reporting-MTA"] == "dns; sandbox.invalid"
    assert per_recipient["Action"] == action
    assert per_recipient["Diagnostic-Code"] == f"smtp; {code} {status} no such user"
    assert "body" not in original.get_payload()


def test_a_complaint_is_a_report_of_rfc_5965() -> None:
    message = email.message_from_bytes(complaint(RETURNED, NOW), policy=policy.default)
    assert message.get_content_type() == "multipart/report"
    notice, machine, original = message.iter_parts()
    assert machine.get_content_type() == "message/feedback-report"
    assert "marked this message as spam" in notice.get_content()
    assert "Message-ID: <1@x>" in original.get_payload()
