"""Firebase, Amazon and Baidu over HTTP, as far as senders meet them; and who hands out tokens.

- `POST /token`: Google's tokens for a signed claim (RFC 7523).
- `POST /v1/projects/{project}/messages:send`: FCM, HTTP v1.
- `POST /auth/O2/token`, `POST /messaging/registrations/{id}/messages`: Amazon.
- `POST /rest/3.0/push/single_device`: Baidu.
"""

import hashlib
import secrets
import time
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus

import jwt
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.sandbox.usecases.push import PushHost

_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FCM_SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
_ADM_TYPE: Final = "com.amazon.device.messaging.ADMMessage@1.0"
_MOST_FCM_BYTES: Final = 4096
_MOST_ADM_BYTES: Final = 6144
_FCM: Final = {
    "dead": (404, "NOT_FOUND", "UNREGISTERED"),
    "reject": (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
    "throttle": (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
    "defer": (503, "UNAVAILABLE", "UNAVAILABLE"),
    "down": (500, "INTERNAL", "INTERNAL"),
}
_ADM: Final = {
    "dead": (400, "Unregistered"),
    "reject": (400, "InvalidData"),
    "throttle": (429, "MaxRateExceeded"),
    "defer": (503, "ServiceUnavailable"),
    "down": (500, "InternalServerError"),
}
_BAIDU: Final = {
    "dead": (400, 30608, "Bind Relation Not Found"),
    "reject": (400, 30602, "Request Params Not Valid"),
    "throttle": (403, 30607, "Request Frequency Limited"),
    "defer": (500, 30600, "Internal Server Error"),
    "down": (500, 30600, "Internal Server Error"),
}


class PushRoutes:
    """One method per route. `lifetime_seconds` is that of the tokens that are handed out."""

    def __init__(self, host: PushHost, baidu_secret: str, lifetime_seconds: int) -> None:
        self._host = host
        self._baidu_secret = baidu_secret
        self._lifetime = lifetime_seconds
        self._tokens: dict[str, float] = {}

    async def google_token(self, request: Request) -> Response:
        form = await _form(request)
        try:
            claims = jwt.decode(form.get("assertion", ""), options={"verify_signature": False})
            algorithm = jwt.get_unverified_header(form["assertion"]).get("alg")
        except (jwt.InvalidTokenError, KeyError):
            return _error(400, "invalid_grant")
        fine = algorithm == "RS256" and claims.get("scope") == _FCM_SCOPE
        fine = fine and claims.get("aud") == str(request.url) and bool(claims.get("iss"))
        if form.get("grant_type") != _JWT_BEARER or not fine:
            return _error(400, "invalid_grant")
        return self._token()

    async def amazon_token(self, request: Request) -> Response:
        form = await _form(request)
        if form.get("scope") != "messaging:push":
            return _error(400, "invalid_scope")
        if not form.get("client_id") or form.get("client_secret") == "wrong":
            return _error(401, "invalid_client")
        return self._token()

    async def fcm(self, request: Request) -> Response:
        if not self._is_known(request):
            return _fcm_error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR")
        message: Any = orjson.loads(await request.body()).get("message") or {}
        token, data = message.get("token", ""), message.get("data") or {}
        if not token or not all(isinstance(value, str) for value in data.values()):
            return _fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "message.data")
        if len(orjson.dumps(data)) > _MOST_FCM_BYTES:
            return _fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "message")
        verdict = await self._host.take("GCM", token, orjson.dumps(message))
        if not verdict.is_taken:
            return _fcm_error(*_FCM[verdict.kind])
        project = request.path_params["project"]
        return JSONResponse({"name": f"projects/{project}/messages/{verdict.message_id}"})

    async def adm(self, request: Request) -> Response:
        if not self._is_known(request):
            return JSONResponse({"reason": "AccessTokenExpired"}, 401)
        if request.headers.get("x-amzn-type-version") != _ADM_TYPE:
            return JSONResponse({"reason": "InvalidType"}, 400)
        body = await request.body()
        if len(orjson.dumps(orjson.loads(body).get("data") or {})) > _MOST_ADM_BYTES:
            return JSONResponse({"reason": "MessageTooLarge"}, 413)
        token = request.path_params["registration"]
        verdict = await self._host.take("ADM", token, body)
        if not verdict.is_taken:
            status, reason = _ADM[verdict.kind]
            return JSONResponse({"reason": reason}, status)
        return JSONResponse(
            {"registrationID": verdict.moved_to or token},
            headers={"x-amzn-requestid": verdict.message_id},
        )

    async def baidu(self, request: Request) -> Response:
        form = await _form(request)
        sign = form.pop("sign", "")
        joined = "".join(f"{name}={form[name]}" for name in sorted(form))
        base = quote_plus(f"POST{request.url}{joined}{self._baidu_secret}")
        if sign != hashlib.md5(base.encode(), usedforsecurity=False).hexdigest():
            return _baidu_error(401, 30603, "Authentication Failed")
        payload = form.get("msg", "").encode()
        verdict = await self._host.take("BAIDU", form.get("channel_id", ""), payload)
        if not verdict.is_taken:
            return _baidu_error(*_BAIDU[verdict.kind])
        told = {"msg_id": verdict.message_id, "send_time": int(time.time())}
        return JSONResponse({"request_id": 1, "response_params": told})

    def _token(self) -> Response:
        token = secrets.token_urlsafe(24)
        self._tokens[token] = time.monotonic() + self._lifetime
        answer = {"access_token": token, "expires_in": self._lifetime, "token_type": "Bearer"}
        return JSONResponse(answer)

    def _is_known(self, request: Request) -> bool:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self._tokens.get(token, 0.0) > time.monotonic()

    def forget_tokens(self) -> None:
        """Have every token die at once."""
        self._tokens.clear()


def push_application(routes: PushRoutes, more: Sequence[Route]) -> Starlette:
    """The services under the paths that they have, and whoever shares their port."""
    post = ["POST"]
    registration = "/messaging/registrations/{registration}/messages"
    return Starlette(
        routes=[
            Route("/token", routes.google_token, methods=post),
            Route("/v1/projects/{project}/messages:send", routes.fcm, methods=post),
            Route("/auth/O2/token", routes.amazon_token, methods=post),
            Route(registration, routes.adm, methods=post),
            Route("/rest/3.0/push/single_device", routes.baidu, methods=post),
            *more,
        ]
    )


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


def _error(status: int, error: str) -> Response:
    return JSONResponse({"error": error}, status)


def _fcm_error(status: int, name: str, code: str, field: str = "") -> Response:
    details: list[dict[str, Any]] = [{"errorCode": code}]
    if field:
        details.append({"fieldViolations": [{"field": field}]})
    return JSONResponse({"error": {"code": status, "status": name, "details": details}}, status)


def _baidu_error(status: int, code: int, message: str) -> Response:
    return JSONResponse({"request_id": 1, "error_code": code, "error_msg": message}, status)
