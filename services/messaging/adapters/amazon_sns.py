"""Messages of Amazon SNS over HTTP: their signature, their confirmation, and what is in them.

Rules: Amazon SNS, "Verifying the signatures of Amazon SNS messages". A message counts when its
topic is one that the channel names, and when it is signed with a certificate that Amazon itself
hands out over TLS.
"""

import base64
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from libs.chassis.logging import get_logger
from libs.errors import DependencyUnavailable, SignatureInvalid
from services.messaging.domain.amazon_events import Told, mail_reports, phone_reports
from services.messaging.domain.callbacks import Callback, Channel, Report
from services.messaging.domain.channels import Aws, EmailChannel, SmsChannel
from services.messaging.domain.voice_channel import VoiceChannel

_HOST: Final = re.compile(r"sns\.[a-z0-9-]{3,40}\.amazonaws\.com(\.cn)?")
_SIGNED: Final[Mapping[str, tuple[str, ...]]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(
        ("SubscriptionConfirmation", "UnsubscribeConfirmation"),
        ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
# SHA-1 is what SNS signs with unless a topic asks for more; no stronger one can be had then.
_HASHES: Final = {"1": SHA1, "2": SHA256}
_SECONDS: Final = 5.0
_CERTIFICATES_KEPT: Final = 20
_LARGEST_CERTIFICATE: Final = 65_536
_READ: Final[Mapping[type, Callable[[Told, str], list[Report]]]] = {
    EmailChannel: mail_reports,
    SmsChannel: phone_reports,
    VoiceChannel: phone_reports,
}


class AmazonSns:
    """Reads callbacks of SNS. `url` is another place than Amazon that plays it; for tests."""

    def __init__(self, url: str = "") -> None:
        self._url = url.rstrip("/")
        self._keys: OrderedDict[str, RSAPublicKey] = OrderedDict()

    async def reports(self, channel: Channel, callback: Callback) -> list[Report]:
        """What a callback says. Raises SignatureInvalid, DependencyUnavailable."""
        told = _object(callback.body)
        account = _account(channel, str(told.get("TopicArn", "")))
        if account is None or not await self._is_signed(told):
            raise SignatureInvalid
        if told["Type"] == "SubscriptionConfirmation":
            await self._confirm(str(told["SubscribeURL"]))
        read = _READ.get(type(channel))
        if told["Type"] != "Notification" or read is None:
            return []
        return read(_event(str(told.get("Message", ""))), account.access_key_id)

    async def _is_signed(self, told: Told) -> bool:
        names = _SIGNED.get(str(told.get("Type")))
        algorithm = _HASHES.get(str(told.get("SignatureVersion")))
        if names is None or algorithm is None:
            return False
        key = await self._key(str(told.get("SigningCertURL", "")))
        try:
            signature = base64.b64decode(str(told.get("Signature", "")), validate=True)
            key.verify(signature, signed_text(told, names), PKCS1v15(), algorithm())
        except (ValueError, InvalidSignature):
            return False
        return True

    async def _key(self, url: str) -> RSAPublicKey:
        if not self._is_amazons(url) or not url.endswith(".pem"):
            raise SignatureInvalid
        if url not in self._keys:
            self._keys[url] = _key_of(await _fetched(url))
            if len(self._keys) > _CERTIFICATES_KEPT:
                self._keys.popitem(last=False)
        return self._keys[url]

    async def _confirm(self, url: str) -> None:
        if not self._is_amazons(url):
            raise SignatureInvalid
        await _fetched(url)
        get_logger().info("callback_subscribed", host=urlsplit(url).hostname)

    def _is_amazons(self, url: str) -> bool:
        """Whether Amazon itself answers at a URL; no other is ever asked (SSRF)."""
        if self._url:
            return url.startswith(f"{self._url}/")
        parts = urlsplit(url)
        is_plain = parts.username is None and parts.port in {None, 443}
        host = parts.hostname or ""
        return parts.scheme == "https" and is_plain and _HOST.fullmatch(host) is not None


def signed_text(told: Told, names: tuple[str, ...]) -> bytes:
    """What is signed: the names and values that are there, each on a line of its own."""
    return "".join(f"{name}\n{told[name]}\n" for name in names if name in told).encode()


async def _fetched(url: str) -> bytes:
    """What Amazon answers at its own URL. Raises DependencyUnavailable."""
    try:
        async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
            answer = await client.get(url)
            answer.raise_for_status()
    except httpx.HTTPError as error:
        raise DependencyUnavailable("Amazon SNS") from error
    return answer.content[:_LARGEST_CERTIFICATE]


def _key_of(certificate: bytes) -> RSAPublicKey:
    try:
        key = load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        raise SignatureInvalid from None
    if not isinstance(key, RSAPublicKey):
        raise SignatureInvalid
    return key


def _account(channel: Channel, topic_arn: str) -> Aws | None:
    """The channel's account whose events come over the topic."""
    if isinstance(channel, EmailChannel):
        ways: tuple[object, ...] = (channel.ses, *channel.fallbacks)
    elif isinstance(channel, SmsChannel):
        ways = (channel.aws, *channel.fallbacks)
    elif isinstance(channel, VoiceChannel):
        ways = (channel.aws,)
    else:
        ways = ()
    accounts = (one for one in ways if isinstance(one, Aws) and one.event_topic_arn)
    return next((one for one in accounts if one.event_topic_arn == topic_arn), None)


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(body)
    except ValueError:
        raise SignatureInvalid from None
    if not isinstance(told, dict):
        raise SignatureInvalid
    return told


def _event(message: str) -> Told:
    """The event in a notification; what is no JSON, such as SNS's own test, holds none."""
    try:
        told = orjson.loads(message)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
