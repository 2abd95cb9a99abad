"""Apple's push service over HTTP/2, by token (JWT) or by certificate.

Apple, "Sending notification requests to APNs" and "Handling notification responses from APNs".
"""

import asyncio
import ssl
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import httpx
import jwt

from services.messaging.adapters.push_client import PushAdapter, PushService, json_of, told
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import Outbound, OutboundPush, Turn
from services.messaging.domain.outcomes import Answer, Status

TOKEN_SECONDS: Final = 50 * 60.0
"""Apple takes tokens of up to an hour, and does not like new ones within 20 minutes."""
_NAMESPACE: Final = uuid.UUID("7b9f6a52-5f0e-4c8e-9f4c-2d9a6a2b1c3d")
_DEAD: Final = frozenset({"BadDeviceToken", "Unregistered", "ExpiredToken"})
_ENDINGS: Final = {
    "voip": ".voip",
    "complication": ".complication",
    "fileprovider": ".pushkit.fileprovider",
}
_EXPIRED: Final = frozenset({"ExpiredProviderToken"})
_SENDER: Final = frozenset(
    {
        "BadCertificate",
        "BadCertificateEnvironment",
        "BadTopic",
        "Forbidden",
        "InvalidProviderToken",
        "MissingProviderToken",
        "MissingTopic",
        "TopicDisallowed",
    }
)


@dataclass(frozen=True, slots=True)
class AppleKey:
    """A token key of a team."""

    team_id: str
    key_id: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppleCertificate:
    """A certificate of an app and its private key, PEM."""

    certificate: str = field(repr=False)
    private_key: str = field(repr=False)


class ProviderToken:
    """The JWT that tells who we are, made anew before it is too old."""

    def __init__(self, key: AppleKey) -> None:
        self._key = key
        self._token = ""
        self._until = 0.0

    def token(self) -> str:
        now = time.monotonic()
        if now >= self._until:
            claims = {"iss": self._key.team_id, "iat": int(time.time())}
            headers = {"kid": self._key.key_id}
            self._token = jwt.encode(claims, self._key.key, algorithm="ES256", headers=headers)
            self._until = now + TOKEN_SECONDS
        return self._token

    def refuse(self, token: str) -> None:
        """Forget a token that Apple calls too old."""
        if token == self._token:
            self._until = 0.0


class ApnsAdapter(PushAdapter):
    """Sends to the devices of one app, by one way of telling who we are."""

    def __init__(
        self, service: PushService, topic: str, identity: AppleKey | AppleCertificate
    ) -> None:
        is_key = isinstance(identity, AppleKey)
        self._token = ProviderToken(identity) if isinstance(identity, AppleKey) else None
        self._topic = topic
        tls = service.tls()
        if not is_key and isinstance(identity, AppleCertificate):
            _load(tls, identity)
        super().__init__(service, tls)

    async def push(self, message: OutboundPush) -> Answer:
        token = self._token.token() if self._token else ""
        answer = await self._post(message, token)
        if self._token and _reason(answer) in _EXPIRED:
            self._token.refuse(token)
            answer = await self._post(message, self._token.token())
        return _answer(answer)

    async def _post(self, message: OutboundPush, token: str) -> httpx.Response:
        headers = identified(message)
        headers["apns-topic"] = _topic(self._topic, headers)
        if token:
            headers["authorization"] = f"bearer {token}"
        return await self.client.post(
            f"/3/device/{quote(message.token, safe='')}", content=message.body, headers=headers
        )


class ApnsChoice:
    """An app that has a token key and a certificate: a notification may ask for either."""

    def __init__(self, usual: ApnsAdapter, other: ApnsAdapter, usual_name: str) -> None:
        self._usual, self._other, self._usual_name = usual, other, usual_name

    async def run(self) -> None:
        """Keep both until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._usual.run())
            group.create_task(self._other.run())

    async def ready(self) -> bool:
        return await self._usual.ready()

    async def send(self, messages: Sequence[Outbound], turn: Turn | None = None) -> list[Answer]:
        """Each as it asks to be told; answers in the order of the messages."""
        answers: dict[int, Answer] = {}
        for adapter in (self._usual, self._other):
            places = [n for n, one in enumerate(messages) if self._of(one) is adapter]
            if places:
                found = await adapter.send([messages[n] for n in places], turn)
                answers.update(zip(places, found, strict=True))
        return [answers[n] for n in range(len(messages))]

    def _of(self, message: Outbound) -> ApnsAdapter:
        asked = message.authentication if isinstance(message, OutboundPush) else ""
        name = "KEY" if asked == "TOKEN" else asked
        return self._usual if name in {"", self._usual_name} else self._other


def identified(message: OutboundPush) -> dict[str, str]:
    """The headers of a notification with its ids, the same for every attempt.

    Who compares logs with Apple finds one notification, and one that comes twice replaces itself on
    the device: it has a collapse id of its own when the author gave it none.
    """
    ids = {
        "apns-id": str(uuid.uuid5(_NAMESPACE, message.message_id)),
        "apns-collapse-id": message.message_id,
    }
    return ids | dict(message.headers)


def _topic(topic: str, headers: Mapping[str, str]) -> str:
    endings = {
        "voip": ".voip",
        "complication": ".complication",
        "fileprovider": ".pushkit.fileprovider",
    }
    return topic + endings.get(headers.get("apns-push-type", ""), "")


def _reason(answer: httpx.Response) -> str:
    return "" if answer.status_code == httpx.codes.OK else str(json_of(answer).get("reason", ""))


def _answer(answer: httpx.Response) -> Answer:
    status, reason = answer.status_code, _reason(answer)
    if status == httpx.codes.OK:
        return Answer(Status.SUCCESSFUL, (answer.headers.get("apns-id", ""),))
    detail = told(answer, reason)
    if status == httpx.codes.GONE or reason in _DEAD:
        return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=Reason.DEAD_TOKEN)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Answer(Status.THROTTLED, detail=detail)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Answer(Status.TEMPORARY_FAILURE, detail=detail)
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=Reason.CONTENT_TOO_LONG)
    if reason in _SENDER or status == httpx.codes.FORBIDDEN:
        rejected = Reason.PROVIDER_REJECTED_SENDER
        return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=rejected)
    return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=Reason.PERMANENT_FAILURE)


def _load(tls: ssl.SSLContext, identity: AppleCertificate) -> None:
    """Give a context its certificate, by a file: the library reads nothing else."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # only its owner may read it
        file.write(f"{identity.certificate}\n{identity.private_key}\n")
        file.flush()
        tls.load_cert_chain(file.name)
