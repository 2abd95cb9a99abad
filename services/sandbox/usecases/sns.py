"""Amazon SNS: topics, who listens to them, and what is posted there."""

import json
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from services.sandbox.domain.amazon_events import Published, events_of
from services.sandbox.domain.behaviours import Outcome
from services.sandbox.usecases.later import Later

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[None]]
"""Posts a body with headers to a URL; raises when it is not taken."""
Sign = Callable[[Mapping[str, str]], str]
CERTIFICATE: Final = "SimpleNotificationService-sandbox.pem"


@dataclass(frozen=True, slots=True)
class Listener:
    """Who asked for the messages of a topic; `base` is the URL under which SNS was asked."""

    topic_arn: str
    endpoint: str
    base: str


class Topics:
    """Messages to confirmed subscriptions.

    A topic gets the events of those messages whose configuration set has the topic's name: Amazon
    keeps that in the set's event destinations.
    """

    def __init__(self, later: Later, post: Post, sign: Sign) -> None:
        self._later = later
        self._post = post
        self._sign = sign
        self._asked: dict[str, Listener] = {}
        self._confirmed: defaultdict[str, set[Listener]] = defaultdict(set)

    def subscribe(self, listener: Listener) -> None:
        """Ask the endpoint whether it wants the topic's messages."""
        token = secrets.token_hex(16)
        self._asked[token] = listener
        query = urlencode(
            {"Action": "ConfirmSubscription", "TopicArn": listener.topic_arn, "Token": token}
        )
        told = {
            "Type": "SubscriptionConfirmation",
            "Message": f"You have chosen to subscribe to the topic {listener.topic_arn}.",
            "Token": token,
            "SubscribeURL": f"{listener.base}/?{query}",
        }
        self._later.start(0, partial(self._tell, listener, told))

    def confirm(self, topic_arn: str, token: str) -> bool:
        """Whether the token is that of somebody who was asked; the messages come from now on."""
        listener = self._asked.get(token)
        if listener is None or listener.topic_arn != topic_arn:
            return False
        self._confirmed[_name(topic_arn)].add(listener)
        return True

    def listeners(self, topic_arn: str) -> list[Listener]:
        """Who gets the messages of a topic."""
        found = self._confirmed.get(_name(topic_arn), set())
        return sorted((one for one in found if one.topic_arn == topic_arn), key=_endpoint)

    def publish(self, configuration_set: str, message: Published, outcome: Outcome) -> None:
        """Tell what becomes of a message: its beginning now, its end when the outcome says."""
        *begun, end = events_of(message, outcome, datetime.now(UTC))
        for listener in self._confirmed.get(configuration_set, ()):
            for event in begun:
                self._notify(listener, event, 0, outcome)
            for copy in range(outcome.copies):
                delay_ms = outcome.after_ms + copy * outcome.shuffle_ms
                self._notify(listener, end, delay_ms, outcome)

    def _notify(
        self, listener: Listener, event: Mapping[str, Any], delay_ms: int, outcome: Outcome
    ) -> None:
        told = {"Type": "Notification", "Message": json.dumps(event)}
        is_forged = outcome.signature == "wrong"
        job = partial(self._tell, listener, told, is_forged=is_forged)
        self._later.start(delay_ms, job)

    async def _tell(
        self, listener: Listener, told: Mapping[str, str], *, is_forged: bool = False
    ) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        own = {"MessageId": secrets.token_hex(16), "TopicArn": listener.topic_arn}
        whole = {**told, **own, "Timestamp": now, "SignatureVersion": "2"}
        # The signature of something else is one that is well formed and does not fit.
        signed = {**whole, "Message": ""} if is_forged else whole
        whole["Signature"] = self._sign(signed)
        whole["SigningCertURL"] = f"{listener.base}/{CERTIFICATE}"
        headers = {
            "content-type": "text/plain; charset=UTF-8",
            "x-amz-sns-message-type": whole["Type"],
            "x-amz-sns-topic-arn": listener.topic_arn,
        }
        await self._post(listener.endpoint, json.dumps(whole).encode(), headers)


def _endpoint(listener: Listener) -> str:
    return listener.endpoint


def _name(topic_arn: str) -> str:
    return topic_arn.rpartition(":")[2]
