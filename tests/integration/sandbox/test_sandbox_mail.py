"""The mail host over SMTP: aiosmtplib in, HTTP out."""

import asyncio
import email
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import policy
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest
from aiohttp import web
from pydantic import SecretStr

from tests.integration.sandbox.conftest import Box, box_of, eventually, settings


def mail(to: str, *, html: str = "", subject: str = "Hello", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Shop <shop@sender.example>"
    message["To"] = to
    message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content("plain text\n.leading dot\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message


@asynccontextmanager
async def smtp(box: Box, **options: Any) -> AsyncIterator[aiosmtplib.SMTP]:
    options = {"start_tls": False, **options}
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=box.ports.smtp, **options)
    async with client:
        yield client


async def messages(box: Box, to: str) -> list[dict[str, Any]]:
    found = await box.get("/messages", channel="EMAIL", to=to)
    assert isinstance(found, list)
    return found


async def test_a_mail_is_kept_as_it_was_sent(box: Box) -> None:
    html = "<p>Grüße</p>"
    message = mail("ann@example.com", html=html, subject="Grüße €", X_Campaign="c-1")
    async with smtp(box) as client:
        _, reply = await client.send_message(message)
    (found,) = await messages(box, "ann@example.com")
    assert reply == f"2.0.0 OK: queued as {found['provider_message_id']}"
    assert found["subject"] == "Grüße €"
    assert found["from"] == "Shop <shop@sender.example>"
    assert found["envelope_from"] == "shop@sender.example"
    assert found["body"].splitlines() == ["plain text", ".leading dot"]
    assert found["html"].strip() == html
    assert ["X-Campaign", "c-1"] in found["headers"]
    assert found["channel"] == "EMAIL"
    number = found["number"]
    async with box.http.get(f"/messages/{number}/html") as page:
        assert (await page.text()).strip() == html
        assert page.headers["Content-Security-Policy"].startswith("sandbox allow-popups;")


async def test_one_transaction_to_three_is_three_messages_and_newest_come_first(box: Box) -> None:
    async with smtp(box) as client:
        for n in range(3):
            to = [f"{who}{n}@example.com" for who in "abc"]
            await client.sendmail("s@sender.example", to, mail("x@example.com").as_bytes())
    found = await box.get("/messages", channel="EMAIL", limit=4)
    assert [m["to"] for m in found] == [f"{who}@example.com" for who in ("c2", "b2", "a2", "c1")]
    assert len({m["provider_message_id"] for m in found[:3]}) == 1
    globbed = await messages(box, "b?@example.com")
    assert [m["to"] for m in globbed] == [f"b{n}@example.com" for n in (2, 1, 0)]
    counts = await box.get("/counts", channel="EMAIL", prefix="a")
    assert counts == {f"a{n}@example.com": 1 for n in range(3)}


async def test_the_extensions_are_offered(box: Box) -> None:
    async with smtp(box) as client:
        await client.ehlo()
        for name in ("pipelining", "8bitmime", "smtputf8", "starttls", "size"):
            assert client.supports_extension(name)


async def test_pipelined_commands_are_answered_in_order(box: Box) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", box.ports.smtp)
    await reader.readline()
    writer.write(b"EHLO me\r\n")
    while (await reader.readline())[3:4] == b"-":
        pass
    writer.write(
        b"MAIL FROM:<a@b.example> BODY=8BITMIME\r\nRCPT TO:<p@example.com>\r\n"
        b"RCPT TO:<q@example.com>\r\nDATA\r\n"
    )
    codes = [(await reader.readline())[:3] for _ in range(4)]
    assert codes == [b"250", b"250", b"250", b"354"]
    writer.write(b"Subject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n")
    assert [(await reader.readline())[:3] for _ in range(2)] == [b"250", b"221"]
    writer.close()
    await writer.wait_closed()
    assert len(await messages(box, "?@example.com")) == 2


@pytest.mark.parametrize(
    ("path", "code", "kept"),
    [
        (b"<plain+tag@example.com>", b"250", "plain+tag@example.com"),
        (b'<"a b"@example.com>', b"250", '"a b"@example.com'),
        (b"<a@[127.0.0.1]>", b"250", "a@[127.0.0.1]"),
        (b"<a@example.com> NOTIFY=NEVER", b"555", None),
        (b"<a@@example.com>", b"553", None),
    ],
)
async def test_addresses_are_read_by_the_grammar(
    box: Box, path: bytes, code: bytes, kept: str | None
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", box.ports.smtp)
    await reader.readline()
    writer.write(b"EHLO me\r\n")
    while (await reader.readline())[3:4] == b"-":
        pass
    writer.write(b"MAIL FROM:<>\r\nRCPT TO:" + path + b"\r\n")
    assert (await reader.readline())[:3] == b"250"
    reply = (await reader.readline())[:3]
    if reply == b"250":
        writer.write(b"DATA\r\n\r\nx\r\n.\r\n")
        assert [(await reader.readline())[:3] for _ in range(2)] == [b"354", b"250"]
    writer.close()
    await writer.wait_closed()
    assert reply == code
    assert [m["to"] for m in await messages(box, "")] == ([kept] if kept else [])


async def test_an_internationalised_address_is_taken(box: Box) -> None:
    async with smtp(box) as client:
        await client.sendmail(
            "s@sender.example",
            ["müller@exämple.example"],
            mail("x@example.com").as_bytes(),
            mail_options=["SMTPUTF8"],
        )
    assert len(await messages(box, "müller@exämple.example")) == 1


async def test_auth_is_required_over_tls_and_the_certificate_can_be_trusted() -> None:
    config = settings(smtp_username="shop", smtp_password=SecretStr("s3cret"))
    async with box_of(config) as box:
        async with box.http.get("/certificate.pem") as answer:
            pem = await answer.text()
        trusting = ssl.create_default_context(cadata=pem)
        async with smtp(box) as client:
            with pytest.raises(aiosmtplib.SMTPResponseException) as caught:
                await client.send_message(mail("ann@example.com"))
            assert caught.value.code == 530
        for login in (client_login, client_plain):
            async with smtp(box, start_tls=True, tls_context=trusting) as client:
                with pytest.raises(aiosmtplib.SMTPAuthenticationError, match="535"):
                    await login(client, "wrong")
            async with smtp(box, start_tls=True, tls_context=trusting) as client:
                await login(client, "s3cret")
                await client.send_message(mail("ann@example.com"))
        assert len(await messages(box, "ann@example.com")) == 2


async def client_login(client: aiosmtplib.SMTP, password: str) -> None:
    await client.ehlo()
    await client.auth_login("shop", password)


async def client_plain(client: aiosmtplib.SMTP, password: str) -> None:
    await client.ehlo()
    await client.auth_plain("shop", password)


async def refused_code(box: Box, to: str) -> int:
    async with smtp(box) as client:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as caught:
            await client.send_message(mail(to))
    return caught.value.recipients[0].code


async def test_recipients_are_rejected_and_deferred_as_scripted(box: Box) -> None:
    await box.put(
        "/behaviours",
        [
            {
                "match": {"channel": "EMAIL", "to": "*@gone.example"},
                "outcome": {"kind": "reject", "code": 554, "text": "5.7.1 no"},
            },
            {
                "match": {"channel": "EMAIL", "to": "*@busy.example"},
                "outcome": {"kind": "defer", "times": 2},
            },
        ],
    )
    assert await refused_code(box, "x@gone.example") == 554
    assert await refused_code(box, "x@busy.example") == 450
    assert await refused_code(box, "x@busy.example") == 450
    assert await refused_code(box, "y@busy.example") == 450
    async with smtp(box) as client:
        await client.send_message(mail("x@busy.example"))
        await client.send_message(mail("ok@fine.example"))
    assert {m["to"] for m in await messages(box, "")} == {"x@busy.example", "ok@fine.example"}
    stats = await box.get("/stats")
    assert stats["EMAIL"]["verdicts"] == {"reject": 1, "defer": 3, "accepted": 2}


async def test_a_throttled_domain_takes_so_many_a_second(box: Box) -> None:
    rule = {"match": {"channel": "EMAIL"}, "outcome": {"kind": "throttle", "per_second": 3}}
    await box.put("/behaviours", [rule])
    codes = []
    async with smtp(box) as client:
        for n in range(5):
            await client.mail("s@sender.example")
            try:
                codes.append((await client.rcpt(f"u{n}@example.com")).code)
            except aiosmtplib.SMTPRecipientRefused as refusal:
                codes.append(refusal.code)
            await client.rset()
    assert codes == [250, 250, 250, 451, 451]


async def test_a_host_that_is_down_refuses_connections_until_it_is_up(box: Box) -> None:
    await box.put("/behaviours", [{"match": {"channel": "EMAIL"}, "outcome": {"kind": "down"}}])
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=box.ports.smtp)
    with pytest.raises(aiosmtplib.SMTPConnectError, match="421"):
        await client.connect()
    await box.put("/behaviours", [])
    async with smtp(box) as client:
        await client.send_message(mail("ann@example.com"))


async def test_one_domain_that_is_down_hangs_up_on_its_recipients(box: Box) -> None:
    down = {"match": {"channel": "EMAIL", "to": "*@down.example"}, "outcome": {"kind": "down"}}
    await box.put("/behaviours", [down])
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=box.ports.smtp, start_tls=False)
    await client.connect()
    await client.mail("s@sender.example")
    with pytest.raises((aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPServerDisconnected)) as e:
        await client.rcpt("x@down.example")
    assert "421" in str(e.value)
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await client.noop()


async def test_a_slow_host_takes_its_time(box: Box) -> None:
    slow = {"match": {"channel": "EMAIL"}, "outcome": {"kind": "slow", "delay_ms": 150}}
    await box.put("/behaviours", [slow])
    loop = asyncio.get_running_loop()
    async with smtp(box) as client:
        began = loop.time()
        await client.send_message(mail("ann@example.com"))
        assert loop.time() - began >= 0.15


async def test_bounces_and_complaints_come_back_by_mail() -> None:
    async with (
        box_of(settings()) as sender,
        box_of(settings(bounce_smtp=f"127.0.0.1:{sender.ports.smtp}")) as box,
    ):
        rules = [
            {
                "match": {"channel": "EMAIL", "to": "gone@*"},
                "outcome": {"kind": "bounce", "after_ms": 5, "status": "5.2.2", "text": "full"},
                "actions": [{"kind": "open"}],
            },
            {
                "match": {"channel": "EMAIL", "to": "cross@*"},
                "outcome": {"kind": "complain", "after_ms": 5},
            },
        ]
        await box.put("/behaviours", rules)
        async with smtp(box) as client:
            for to in ("gone@example.com", "cross@example.com", "fine@example.com"):
                await client.sendmail(
                    f"ret+{to[:4]}@sender.example", [to], mail(to, Message_ID="<m1@x>").as_bytes()
                )

        async def both() -> list[dict[str, Any]] | None:
            found = await messages(sender, "")
            return found if len(found) == 2 else None

        found = {m["to"]: m for m in await eventually(both)}
        kept = {m["to"]: m for m in await messages(box, "")}
        raw = {to: await _raw(sender, m) for to, m in found.items()}
        dsn = raw["ret+gone@sender.example"]
        assert dsn.get_content_type() == "multipart/report"
        assert dsn.get_param("report-type") == "delivery-status"
        about, per_recipient = _parts(dsn)[1].get_payload()
        assert per_recipient["Final-Recipient"] == "rfc822; gone@example.com"
        assert per_recipient["Action"] == "failed"
        assert per_recipient["Status"] == "5.2.2"
        assert per_recipient["Diagnostic-Code"] == "smtp; 550 5.2.2 full"
        queue_id = kept["gone@example.com"]["provider_message_id"]
        assert about["X-Sandbox-Queue-ID"] == queue_id
        assert "Message-ID: <m1@x>" in _parts(dsn)[2].get_payload()
        arf = raw["ret+cros@sender.example"]
        assert arf.get_param("report-type") == "feedback-report"
        report = _parts(arf)[1].get_payload()
        fields = report[0] if isinstance(report, list) else email.message_from_string(report)
        assert fields["Feedback-Type"] == "abuse"
        assert fields["Original-Rcpt-To"] == "<cross@example.com>"
        assert {m["envelope_from"] for m in found.values()} == {""}


async def _raw(box: Box, view: dict[str, Any]) -> EmailMessage:
    async with box.http.get(f"/messages/{view['number']}/raw") as answer:
        assert answer.content_type == "message/rfc822"
        return email.message_from_bytes(await answer.read(), policy=policy.default)


def _parts(message: EmailMessage) -> list[Any]:
    payload = message.get_payload()
    assert isinstance(payload, list)
    return payload


class Site:
    """A web server that remembers what recipients asked of it."""

    def __init__(self) -> None:
        self.hits: list[tuple[str, str, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.hits.append((request.method, request.path_qs, await request.text()))
        if request.path == "/click":
            raise web.HTTPFound(request.query["to"])
        return web.Response(text="ok")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_recipients_open_click_and_unsubscribe(box: Box, site: Site) -> None:
    actions = [
        {"kind": "open", "after_ms": 1},
        {"kind": "click", "after_ms": 1, "link": 2},
        {"kind": "unsubscribe", "after_ms": 1},
    ]
    await box.put("/behaviours", [{"match": {"channel": "EMAIL"}, "actions": actions}])
    html = (
        f'<img src="{site.url}/logo.png" width="200" height="50">'
        f'<a href="{site.url}/first">1</a> <a href="{site.url}/click?to={site.url}/landing">2</a>'
        f'<img src="{site.url}/pixel?m=1&amp;x=2" width="1" height="1">'
    )
    one_click = {
        "List_Unsubscribe": f"<mailto:u@sender.example>, <{site.url}/u?t=9>",
        "List_Unsubscribe_Post": "List-Unsubscribe=One-Click",
    }
    async with smtp(box) as client:
        await client.send_message(mail("ann@example.com", html=html, **one_click))

    async def four() -> bool:
        return len(site.hits) >= 4

    await eventually(four)
    assert sorted(site.hits) == [
        ("GET", f"/click?to={site.url}/landing", ""),
        ("GET", "/landing", ""),
        ("GET", "/pixel?m=1&x=2", ""),
        ("POST", "/u?t=9", "List-Unsubscribe=One-Click"),
    ]


async def test_only_allowed_hosts_are_reached(box: Box, site: Site) -> None:
    await box.put(
        "/behaviours",
        [
            {
                "match": {"channel": "EMAIL"},
                "actions": [
                    {"kind": "open", "after_ms": 1},
                    {"kind": "click", "after_ms": 1},
                ],
            }
        ],
    )
    html = (
        '<img src="http://tracker.example/p" width="1" height="1">'
        f'<a href="{site.url}/click?to=http://elsewhere.example/">go</a>'
    )
    before = (await box.get("/stats"))["reactions"]
    async with smtp(box) as client:
        await client.send_message(mail("ann@example.com", html=html))

    async def finished() -> dict[str, int] | None:
        now = (await box.get("/stats"))["reactions"]
        done = now["done"] + now["failed"] - before["done"] - before["failed"]
        return now if done == 2 else None

    now = await eventually(finished)
    assert now["failed"] - before["failed"] == 1
    assert site.hits == [("GET", "/click?to=http://elsewhere.example/", "")]


async def test_a_share_of_recipients_is_stable_and_about_right(box: Box) -> None:
    half = {"match": {"channel": "EMAIL", "share": 50}, "outcome": {"kind": "reject"}}
    await box.put("/behaviours", [half])
    refused: list[set[int]] = []
    for _ in range(2):
        found = set()
        async with smtp(box) as client:
            for n in range(200):
                await client.mail("s@sender.example")
                try:
                    await client.rcpt(f"user{n}@example.com")
                except aiosmtplib.SMTPRecipientRefused:
                    found.add(n)
                await client.rset()
        refused.append(found)
    assert refused[0] == refused[1]
    assert 70 <= len(refused[0]) <= 130
