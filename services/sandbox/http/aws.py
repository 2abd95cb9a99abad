"""Amazon SES (API v2) and AWS End User Messaging, as far as senders meet them.

- `POST /v2/email/outbound-emails`: SES.
- `POST /aws-sms/`: End User Messaging, JSON 1.0, by the operation in `x-amz-target`.
"""

import base64
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.sandbox.domain.amazon_events import Published
from services.sandbox.domain.behaviours import EMAIL, SMS, VOICE
from services.sandbox.usecases.sns import Topics
from services.sandbox.usecases.web_sms import WebAnswer, WebSms

_REFUSALS: Final = {
    "reject": (400, "MessageRejected", "the recipient is refused"),
    "throttle": (429, "TooManyRequestsException", "too many"),
    "down": (503, "ServiceUnavailableException", "away"),
    "defer": (503, "ServiceUnavailableException", "busy"),
}
_OPERATIONS: Final = {
    "PinpointSMSVoiceV2.SendTextMessage": SMS,
    "PinpointSMSVoiceV2.SendVoiceMessage": VOICE,
}


class AwsRoutes:
    """Takes what any key of the account signs; whether the signature is right is not looked at."""

    def __init__(self, host: WebSms, access_key_id: str, topics: Topics) -> None:
        self._host = host
        self._topics = topics
        self._access_key_id = access_key_id

    async def mail(self, request: Request) -> Response:
        if not self._is_known(request):
            return _error(403, "UnrecognizedClientException", "no such key")
        asked: Any = orjson.loads(await request.body())
        body = base64.b64decode(asked["Content"]["Raw"]["Data"])
        [to] = asked["Destination"]["ToAddresses"]
        answer = await self._host.take(EMAIL, "", to, body)
        if answer.refused:
            return _error(*_REFUSALS[answer.refused])
        tags = {one["Name"]: one["Value"] for one in asked.get("EmailTags", [])}
        self._publish(asked, answer, Published(EMAIL, answer.sid, "", to, tags))
        return JSONResponse({"MessageId": answer.sid})

    async def phone(self, request: Request) -> Response:
        if not self._is_known(request):
            return _error(403, "AccessDeniedException", "no such key")
        channel = _OPERATIONS.get(request.headers.get("x-amz-target", ""))
        if channel is None:
            return _error(400, "UnknownOperationException", "is not built here")
        asked: Any = orjson.loads(await request.body())
        answer = await self._host.take(
            channel,
            asked.get("OriginationIdentity", ""),
            asked["DestinationPhoneNumber"],
            asked["MessageBody"].encode(),
        )
        if answer.refused:
            return _error(*_REFUSALS[answer.refused])
        sender, to = asked.get("OriginationIdentity", ""), asked["DestinationPhoneNumber"]
        message = Published(channel, answer.sid, sender, to, asked.get("Context", {}))
        self._publish(asked, answer, message)
        return JSONResponse({"MessageId": answer.sid}, media_type="application/x-amz-json-1.0")

    def routes(self) -> list[Route]:
        """The paths that they have."""
        return [
            Route("/v2/email/outbound-emails", self.mail, methods=["POST"]),
            Route("/aws-sms/", self.phone, methods=["POST"]),
        ]

    def _publish(self, asked: Any, answer: WebAnswer, message: Published) -> None:  # noqa: ANN401
        if answer.outcome is not None:
            name = asked.get("ConfigurationSetName", "")
            self._topics.publish(name, message, answer.outcome)

    def _is_known(self, request: Request) -> bool:
        return f"Credential={self._access_key_id}/" in request.headers.get("authorization", "")


def _error(status: int, code: str, message: str) -> Response:
    told = {"__type": code, "message": message}
    return JSONResponse(told, status, headers={"x-amzn-errortype": code})
