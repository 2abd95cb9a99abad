"""Amazon Device Messaging ("Sending a message via ADM": requests, responses, error reasons)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import httpx

from services.messaging.adapters.bearer import Bearer, CredentialsRefused
from services.messaging.adapters.push_client import PushAdapter, PushService, json_of, told
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import OutboundPush
from services.messaging.domain.outcomes import Answer, Status

_SCOPE: Final = "messaging:push"
_HEADERS: Final = {
    "content-type": "application/json",
    "accept": "application/json",
    "x-amzn-type-version": "com.amazon.device.messaging.ADMMessage@1.0",
    "x-amzn-accept-type": "com.amazon.device.messaging.ADMSendResult@1.0",
}
_DEAD: Final = frozenset({"InvalidRegistrationId", "Unregistered"})
_REASONS: Final = {
    "MessageTooLarge": Reason.CONTENT_TOO_LONG,
    "AccessTokenExpired": Reason.PROVIDER_REJECTED_SENDER,
}


@dataclass(frozen=True, slots=True)
class AdmClient:
    """Who we are to Amazon."""

    client_id: str
    client_secret: str = field(repr=False)


class AdmAdapter(PushAdapter):
    """Sends to the devices of one app."""

    def __init__(self, service: PushService, token_url: str, client: AdmClient) -> None:
        super().__init__(service)

        def grant() -> Mapping[str, str]:
            return {
                "grant_type": "client_credentials",
                "scope": _SCOPE,
                "client_id": client.client_id,
                "client_secret": client.client_secret,
            }

        self._bearer = Bearer(self.client, token_url, grant)

    async def push(self, message: OutboundPush) -> Answer:
        try:
            answer = await self._post(message)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                answer = await self._post(message)
        except CredentialsRefused as error:
            rejected = Reason.PROVIDER_REJECTED_SENDER
            return Answer(Status.PERMANENT_FAILURE, detail=str(error), reason=rejected)
        return _answer(answer, message.token)

    async def _post(self, message: OutboundPush) -> httpx.Response:
        token = await self._bearer.token()
        answer = await self.client.post(
            f"/messaging/registrations/{quote(message.token, safe='')}/messages",
            content=message.body,
            headers={**_HEADERS, "authorization": f"Bearer {token}"},
        )
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._bearer.refuse(token)
        return answer


def _answer(answer: httpx.Response, token: str) -> Answer:
    status, read = answer.status_code, json_of(answer)
    if status == httpx.codes.OK:
        # Amazon names the registration that is to be used from now on.
        now = str(read.get("registrationID", token))
        ids = (answer.headers.get("x-amzn-requestid", ""),)
        return Answer(Status.SUCCESSFUL, ids, new_address="" if now == token else now)
    why = str(read.get("reason", ""))
    detail = told(answer, why)
    if why in _DEAD:
        return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=Reason.DEAD_TOKEN)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Answer(Status.THROTTLED, detail=detail)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Answer(Status.TEMPORARY_FAILURE, detail=detail)
    usual = Reason.PERMANENT_FAILURE
    if status == httpx.codes.UNAUTHORIZED:
        usual = Reason.PROVIDER_REJECTED_SENDER
    return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=_REASONS.get(why, usual))
