"""The sandbox as it is run: its own process, its own loop, settings from the environment."""

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage

import aiohttp
import aiosmtplib

from libs.smpp.client import Account, Client
from libs.smpp.codes import CommandStatus
from libs.smpp.pdu import SubmitSm
from tests.integration.sandbox.conftest import accept, eventually


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def process(**variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = dict(os.environ) | variables  # noqa: TID251 - a child's, not our settings
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.sandbox", env=environment
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def test_the_process_serves_all_three_protocols_and_stops_cleanly() -> None:
    smtp, smpp, http = free_port(), free_port(), free_port()
    base = f"http://127.0.0.1:{http}"
    variables = {
        "SMTP_LISTEN": f"127.0.0.1:{smtp}",
        "SMPP_LISTEN": f"127.0.0.1:{smpp}",
        "APNS_LISTEN": "127.0.0.1:0",
        "PUSH_LISTEN": "127.0.0.1:0",
        "HTTP_LISTEN": f"127.0.0.1:{http}",
        "SMTP_USERNAME": "shop",
        "SMTP_PASSWORD": "s3cret",
        "SMPP_SYSTEM_ID": "us",
        "SMPP_PASSWORD": "pw",
        "DRAIN_SECONDS": "0",
    }
    async with process(**variables) as child, aiohttp.ClientSession(base) as web:

        async def is_up() -> bool:
            try:
                async with web.get("/healthz") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await eventually(is_up, seconds=30)
        async with web.get("/certificate.pem") as answer:
            trusting = ssl.create_default_context(cadata=await answer.text())
        message = EmailMessage()
        message["From"], message["To"] = "a@sender.example", "b@example.com"
        message.set_content("x" * 100_000, cte="quoted-printable")
        await aiosmtplib.send(
            message,
            hostname="127.0.0.1",
            port=smtp,
            start_tls=True,
            tls_context=trusting,
            username="shop",
            password="s3cret",
        )
        async with Client(Account("127.0.0.1", smpp, "us", "pw"), accept) as client:
            answer_sm = await client.submit(SubmitSm(destination_addr="1", short_message=b"x"))
            assert answer_sm.status == CommandStatus.ESME_ROK
        async with web.get("/messages") as answer:
            assert [m["channel"] for m in await answer.json()] == ["SMS", "EMAIL"]
        child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await child.wait() == 0
