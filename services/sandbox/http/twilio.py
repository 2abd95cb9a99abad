"""Twilio's REST API, as far as senders meet it: `Messages.json` and `Calls.json` of an account."""

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.sandbox.domain.behaviours import SMS, VOICE
from services.sandbox.usecases.callbacks import Called, CallsBack
from services.sandbox.usecases.web_sms import WebSms

_REFUSALS: Final = {
    "reject": (400, 21211, "Invalid 'To' Phone Number"),
    "throttle": (429, 20429, "Too Many Requests"),
    "down": (503, 20503, "Service unavailable"),
}


class TwilioRoutes:
    """Texts of any account whose token is the sandbox's."""

    def __init__(self, texts: WebSms, auth_token: str, calls_back: CallsBack) -> None:
        self._texts = texts
        self._calls_back = calls_back
        self._auth_token = auth_token

    async def messages(self, request: Request) -> Response:
        return await self._take(request, SMS, {"To": 21604, "From": 21603, "Body": 21602})

    async def calls(self, request: Request) -> Response:
        return await self._take(request, VOICE, {"To": 21201, "From": 21213, "Twiml": 21205})

    async def _take(self, request: Request, channel: str, needed: Mapping[str, int]) -> Response:
        sid = request.path_params["sid"]
        login = base64.b64encode(f"{sid}:{self._auth_token}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {login}":
            return _error(401, 20003, "Authenticate")
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        for name, code in needed.items():
            if not form.get(name):
                return _error(400, code, f"A '{name}' is required")
        said = form.get("Body") or form.get("Twiml", "")
        answer = await self._texts.take(channel, form["From"], form["To"], said.encode())
        if answer.refused:
            return _error(*_REFUSALS[answer.refused])
        if form.get("StatusCallback") and answer.outcome is not None:
            message = Called(channel, sid, answer.sid, form["From"], form["To"])
            self._calls_back.plan(form["StatusCallback"], message, answer.outcome)
        return JSONResponse({"sid": answer.sid, "status": "queued"}, 201)

    def routes(self) -> list[Route]:
        """The paths that they have."""
        account = "/2010-04-01/Accounts/{sid}"
        return [
            Route(f"{account}/Messages.json", self.messages, methods=["POST"]),
            Route(f"{account}/Calls.json", self.calls, methods=["POST"]),
        ]


def _error(status: int, code: int, message: str) -> Response:
    return JSONResponse({"code": code, "message": message, "status": status}, status)
