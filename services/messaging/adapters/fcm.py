"""Firebase Cloud Messaging, HTTP v1 (REST reference, projects.messages.send; ErrorCode)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import jwt

from services.messaging.adapters.bearer import Bearer, CredentialsRefused
from services.messaging.adapters.push_client import PushAdapter, PushService, json_of, told
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import OutboundPush
from services.messaging.domain.outcomes import Answer, Status

_SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Who we are to Google. Where tokens are asked for is the installation's setting: the file's
    own `token_uri` is anybody's choice.
    """

    project_id: str
    client_email: str
    private_key: str = field(repr=False)
    private_key_id: str = ""

    def assertion(self, audience: str) -> str:
        """The signed claim that a token is asked for with (RFC 7523)."""
        now = int(time.time())
        claims = {
            "iss": self.client_email,
            "scope": _SCOPE,
            "aud": audience,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
        }
        headers = {"kid": self.private_key_id} if self.private_key_id else None
        return jwt.encode(claims, self.private_key, algorithm="RS256", headers=headers)


class FcmAdapter(PushAdapter):
    """Sends to the devices of one Firebase project."""

    def __init__(self, service: PushService, token_url: str, account: ServiceAccount) -> None:
        super().__init__(service)
        self._path = f"/v1/projects/{account.project_id}/messages:send"

        def grant() -> Mapping[str, str]:
            return {"grant_type": _JWT_BEARER, "assertion": account.assertion(token_url)}

        self._bearer = Bearer(self.client, token_url, grant)

    async def push(self, message: OutboundPush) -> Answer:
        try:
            answer = await self._post(message)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                answer = await self._post(message)
        except CredentialsRefused as error:
            rejected = Reason.PROVIDER_REJECTED_SENDER
            return Answer(Status.PERMANENT_FAILURE, detail=str(error), reason=rejected)
        return _answer(answer)

    async def _post(self, message: OutboundPush) -> httpx.Response:
        token = await self._bearer.token()
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        answer = await self.client.post(self._path, content=message.body, headers=headers)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._bearer.refuse(token)
        return answer


def _answer(answer: httpx.Response) -> Answer:
    status, read = answer.status_code, json_of(answer)
    if status == httpx.codes.OK:
        return Answer(Status.SUCCESSFUL, (str(read.get("name", "")),))
    error = read.get("error")
    fault: Mapping[str, Any] = error if isinstance(error, dict) else {}
    code, fields = _details(fault)
    detail = told(answer, str(fault.get("status", "")), code)
    if code == "UNREGISTERED" or (status == httpx.codes.BAD_REQUEST and "message.token" in fields):
        return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=Reason.DEAD_TOKEN)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Answer(Status.THROTTLED, detail=detail)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Answer(Status.TEMPORARY_FAILURE, detail=detail)
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        rejected = Reason.PROVIDER_REJECTED_SENDER
        return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=rejected)
    return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=Reason.PERMANENT_FAILURE)


def _details(fault: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
    """The FcmError's code, and the fields that BadRequest names."""
    code, fields = "", set[str]()
    for one in fault.get("details") or ():
        code = one.get("errorCode", code)
        fields |= {found.get("field", "") for found in one.get("fieldViolations", ())}
    return code, frozenset(fields)
