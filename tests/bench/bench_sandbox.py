"""How much the sandbox takes: mails a second over SMTP and parts a second over SMPP.

`python -m tests.bench.bench_sandbox [mails] [parts]` starts a sandbox of its own as a process and
drives it from this one, so both share the machine.
"""

import asyncio
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import aiosmtplib
import uvloop

from libs.smpp import receipt
from libs.smpp.client import Account, Client
from libs.smpp.codes import CommandStatus
from libs.smpp.pdu import DeliverSm, SubmitSm
from libs.smpp.session import Limits

CONNECTIONS = 16
WINDOW = 256


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def mails(port: int, total: int) -> float:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@s.example", "b@r.example", "Hello"
    message.set_content(
        "Dear reader,\n" + "a line of sixty characters of text in the plain part\n" * 12
    )
    message.add_alternative("<p>" + "<a href='http://x.example/'>link</a> " * 30, subtype="html")
    raw = message.as_bytes()
    left = iter(range(total))

    async def connection() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for n in left:
                await client.sendmail("a@s.example", [f"user{n}@r.example"], raw)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(connection())
    return total / (time.perf_counter() - began)


async def parts(port: int, total: int, *, receipts: bool) -> float:
    states: Counter[str] = Counter()
    finished = asyncio.Event()
    left = iter(range(total))

    async def take(message: DeliverSm) -> CommandStatus:
        found = receipt.parse(message.payload)
        states[receipt.STATES[found.state] if found else "?"] += 1
        if states.total() == total:
            finished.set()
        return CommandStatus.ESME_ROK

    async def submitter(client: Client) -> None:
        for n in left:
            part = SubmitSm(
                source_addr="+15550001",
                destination_addr=f"+1556{n:07d}",
                short_message=b"Your order is on its way and arrives tomorrow. Reply STOP to end.",
                registered_delivery=int(receipts),
            )
            answer = await client.submit(part)
            assert answer.status == CommandStatus.ESME_ROK

    account = Account("127.0.0.1", port, "sandbox", "sandbox")
    began = time.perf_counter()
    async with Client(account, take, Limits(window=WINDOW)) as client:
        async with asyncio.TaskGroup() as group:
            for _ in range(WINDOW):
                group.create_task(submitter(client))
        if receipts:
            await finished.wait()
    return total / (time.perf_counter() - began)


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, from /proc: wall times mislead on a shared machine."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measured(name: str, pid: int, total: int, run: Awaitable[float]) -> None:
    before, own = cpu_seconds(pid), cpu_seconds(os.getpid())
    rate = await run
    used = (cpu_seconds(pid) - before) / total * 1e6
    ours = (cpu_seconds(os.getpid()) - own) / total * 1e6
    print(f"{name}: {rate:,.0f}/s (cpu each: sandbox {used:.0f} us, driver {ours:.0f} us)")


async def ready(web: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                async with web.get("/healthz"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def main(mail_count: int, part_count: int) -> None:
    smtp, smpp, http = free_port(), free_port(), free_port()
    variables = {
        "SMTP_LISTEN": f"127.0.0.1:{smtp}",
        "SMPP_LISTEN": f"127.0.0.1:{smpp}",
        "APNS_LISTEN": "127.0.0.1:0",
        "PUSH_LISTEN": "127.0.0.1:0",
        "HTTP_LISTEN": f"127.0.0.1:{http}",
        "DRAIN_SECONDS": "0",
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.sandbox",
        env=dict(os.environ) | variables,  # noqa: TID251 - a child's, not our settings
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{http}") as web:
            await ready(web)
            pid = child.pid
            name = f"mails over {CONNECTIONS} connections"
            await measured(name, pid, mail_count, mails(smtp, mail_count))
            for receipts in (False, True):
                name = "SMS parts" + (", each with its receipt" if receipts else "")
                run = parts(smpp, part_count, receipts=receipts)
                await measured(name, pid, part_count, run)
            async with web.get("/stats") as answer:
                stats = await answer.json()
            assert stats["EMAIL"]["messages"] == mail_count
            assert stats["SMS"]["messages"] == 2 * part_count
            began = time.perf_counter()
            async with web.get("/counts?channel=SMS") as answer:
                counts = await answer.json()
            print(f"/counts of {len(counts):,} recipients: {time.perf_counter() - began:.2f} s")
    finally:
        child.terminate()
        await child.wait()


if __name__ == "__main__":
    given = [int(value) for value in sys.argv[1:]]
    uvloop.run(main(*(given + [10_000, 100_000][len(given) :])))
