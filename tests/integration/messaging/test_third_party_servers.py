"""Servers that others wrote: Exim, OpenDKIM, and the npm package `smpp`."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from touchpoint.messaging.v1 import message_pb2

from services.messaging.domain.channels import Dkim, Security, Smpp, Smtp
from services.messaging.domain.ledger import State
from tests.support.desk import Desk, now, settled
from tests.support.exim import exim, may_run
from tests.support.sandboxes import Sandbox, eventually

NODE = Path(__file__).parents[2] / "support" / "node"
OPENDKIM = shutil.which("opendkim", path="/usr/sbin:/usr/bin")
HTML = "<p>Grüße, {{Id}} – <b>50 %</b> = halb…</p>\n" + "lang " * 400
pytestmark = pytest.mark.usefixtures("workers")


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


def public_record(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    lines = key.public_key().public_bytes(serialization.Encoding.PEM, form).decode().splitlines()
    return f"v=DKIM1; k=rsa; p={''.join(lines[1:-1])}"


@pytest.mark.skipif(not may_run(), reason="no exim4-daemon-light here, or not root")
async def test_a_real_exim_takes_our_mail_as_it_is_and_its_signature_is_valid(
    desk: Desk, box: Sandbox, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    async with exim() as server:
        smtp = Smtp("127.0.0.1", server.port, Security.NONE, return_path_domain="ret.example")
        await desk.open_email(box, smtp=smtp, dkim=Dkim("tp", pem(key)))
        said = message_pb2.EmailContent(
            subject="Grüße für {{Id}}: 50 % auf alles 🎉", html=HTML, text="Grüße, {{Id}}"
        )
        frame = await desk.frame(content=message_pb2.MessageContent(email=said))
        ids = await desk.send(frame, [f"u{n}@mail.example" for n in range(20)])
        assert await settled(desk, ids, State.SENT) == {"SENT": 20}

        async def all_there() -> bool:
            return len(server.mails()) == 20

        await eventually(all_there)
        mails = server.mails()
        await desk.channels.drop(desk.app_id, "EMAIL", now())

        async def is_left() -> bool:
            return server.is_alone()

        await eventually(is_left)
    parsed = [message_from_bytes(mail, policy=policy.default) for mail in mails]
    assert {str(mail["to"]) for mail in parsed} == {f"u{n}@mail.example" for n in range(20)}
    assert not [defect for mail in parsed for part in mail.walk() for defect in part.defects]
    assert str(parsed[0]["subject"]).startswith("Grüße für")
    verdicts = [verdict(mail, key, tmp_path) for mail in mails]
    assert [one for one in verdicts if "dkim=pass" not in one] == []
    cut = mails[0].replace(b"lang", b"kurz", 1)
    assert "dkim=pass" not in verdict(cut, key, tmp_path)


def verdict(mail: bytes, key: rsa.RSAPrivateKey, folder: Path) -> str:
    """What OpenDKIM says of a mail, with the public key in the place of DNS."""
    if OPENDKIM is None:
        pytest.skip("no opendkim here")
    keys, settings, stored = folder / "keys", folder / "opendkim.conf", folder / "mail.eml"
    keys.write_text(f"tp._domainkey.shop.example {public_record(key)}\n")
    settings.write_text(f"Mode v\nTestPublicKeys {keys}\nRequireSafeKeys no\n")
    # A maildir has the line ends of this machine; a mail has those of RFC 5322.
    stored.write_bytes(mail.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    command = [OPENDKIM, "-x", str(settings), "-vvv", "-t", str(stored)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


@dataclass
class Centre:
    """The npm package's server, and what it said."""

    port: int = 0
    said: list[dict[str, Any]] = field(default_factory=list)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.said if one["event"] == event]


@asynccontextmanager
async def centre() -> AsyncIterator[Centre]:
    process = await asyncio.create_subprocess_exec(
        "node", NODE / "smpp_server.js", stdout=asyncio.subprocess.PIPE, cwd=NODE
    )
    assert process.stdout is not None
    made = Centre(json.loads(await process.stdout.readline())["port"])

    async def listen(lines: asyncio.StreamReader) -> None:
        async for line in lines:
            made.said.append(json.loads(line))

    async with asyncio.TaskGroup() as group:
        group.create_task(listen(process.stdout))
        try:
            yield made
        finally:
            process.terminate()
            await process.wait()


@pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules" / "smpp").exists(),
    reason="no node here, or its packages are not installed",
)
async def test_the_npm_smpp_server_takes_our_texts_and_its_receipts_are_heard(
    desk: Desk, box: Sandbox
) -> None:
    async with centre() as server:
        smpp = Smpp("127.0.0.1", server.port, "touchpoint", "secret")
        await desk.open_sms(box, smpp=smpp, parts_per_second=50)
        plain = message_pb2.MessageContent(sms=message_pb2.SmsContent(body="Price: 5 € {now}"))
        long = message_pb2.MessageContent(sms=message_pb2.SmsContent(body="Привет " * 20))
        ids = await desk.send(
            await desk.frame("SMS", content=plain), [f"+1555010{n:04d}" for n in range(20)]
        )
        parts = await desk.send(await desk.frame("SMS", content=long), ["+15550109999"])
        assert await settled(desk, ids + parts, State.DELIVERED) == {"DELIVERED": 21}
        [bind] = {(one["system_id"], one["known"]) for one in server.of("bind")}
        texts = server.of("text")
    assert bind == ("touchpoint", True)
    short = [one for one in texts if not one["to"].endswith("15550109999")]
    assert {one["text"] for one in short} == {"Price: 5 € {now}"}
    assert len(short) == 20
    pieces = sorted((one for one in texts if one not in short), key=lambda one: one["udh"])
    assert "".join(one["text"] for one in pieces) == "Привет " * 20
    assert {one["data_coding"] for one in pieces} == {8}
    assert {one["registered_delivery"] for one in texts} == {1}
