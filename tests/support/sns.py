"""Amazon SNS for tests: signs messages with a key of its own and hands its certificate out."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from libs.ids import new_id

TOPIC = "arn:aws:sns:eu-central-1:123456789012:events"


@dataclass
class Sns:
    """A running SNS at `url`; `asked` are the paths that were fetched."""

    url: str
    key: RSAPrivateKey
    certificate: bytes
    asked: list[str] = field(default_factory=list)

    def notification(self, event: object, topic: str = TOPIC, **more: str) -> bytes:
        """The body that SNS posts for an event; `more` takes the place of its fields."""
        message = event if isinstance(event, str) else json.dumps(event)
        return self.signed({"Type": "Notification", "Message": message, **_own(topic)}, more)

    def confirmation(self, topic: str = TOPIC, **more: str) -> bytes:
        """The body that asks whether a subscription is wanted."""
        told = {
            "Type": "SubscriptionConfirmation",
            "Message": "You have chosen to subscribe",
            "Token": "t",
            "SubscribeURL": f"{self.url}/confirm?Token=t",
            **_own(topic),
        }
        return self.signed(told, more)

    def signed(self, told: Mapping[str, str], more: Mapping[str, str]) -> bytes:
        """A message with its signature; `more` is put in before, so it is signed, too."""
        whole = {"SignatureVersion": "2", **told, **more}
        names = sorted(set(whole) - {"SignatureVersion", "SigningCertURL", "Signature"})
        if whole["Type"] == "Notification":
            names = [name for name in names if name not in {"SubscribeURL", "Token"}]
        text = "".join(f"{name}\n{whole[name]}\n" for name in names)
        # SHA-1 is what SNS signs with unless a topic asks for more.
        is_old = whole["SignatureVersion"] == "1"
        algorithm = SHA1() if is_old else SHA256()  # noqa: S303
        signature = self.key.sign(text.encode(), PKCS1v15(), algorithm)
        whole.setdefault("SigningCertURL", f"{self.url}/SimpleNotificationService-1.pem")
        whole.setdefault("Signature", base64.b64encode(signature).decode())
        return json.dumps(whole).encode()


def _own(topic: str) -> dict[str, str]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {"MessageId": new_id(), "TopicArn": topic, "Timestamp": now}


def _certificate(key: RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


@asynccontextmanager
async def running_sns() -> AsyncIterator[Sns]:
    """An SNS on a free port of loopback."""
    key = generate_private_key(65537, 2048)
    sns = Sns("", key, _certificate(key))

    async def answer(request: web.Request) -> web.Response:
        sns.asked.append(request.path_qs)
        return web.Response(body=sns.certificate)

    application: Any = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    sns.url = f"http://{host}:{port}"
    try:
        yield sns
    finally:
        await runner.cleanup()
