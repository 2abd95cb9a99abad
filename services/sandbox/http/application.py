"""The routes of the sandbox.

- `GET /messages?channel=&to=&limit=`: newest first; `to` is an address or a glob.
- `GET /messages/{number}`, `GET /messages/{number}/html|raw`.
- `DELETE /messages?pending=1`: forget messages, counts and times; with `pending` also receipts,
  replies, bounces and clicks that are still to come.
- `GET|PUT /behaviours`, `GET|PUT /carriers`: JSON arrays, see `domain.behaviours` and
  `domain.carriers`; a bad document changes nothing and answers 400 with every bad field.
- `POST /inbound {from, to, text}`: a person sends an SMS to one of the application's numbers.
- `GET /counts?channel=&prefix=`: `{recipient: messages}`, also of messages no longer kept.
- `GET /timestamps?channel=&clock=wall|steady&from=&carrier=&accepted=1`: arrival of each SMS
  part or mail recipient, epoch milliseconds (wall) or monotonic microseconds (steady).
- `GET /stats`, `GET /certificate.pem`, `GET /healthz`, `GET /`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from libs.errors import InvalidFields, ResourceNotFound, TouchpointError, Violations
from services.sandbox.domain.behaviours import (
    CHANNELS,
    CUSTOM,
    EMAIL,
    PUSH,
    SMS,
    VOICE,
    parse_behaviours,
)
from services.sandbox.domain.carriers import parse_carriers
from services.sandbox.domain.log import Arrivals, MessageLog, Record
from services.sandbox.domain.mail import read_mail
from services.sandbox.domain.schema import Rule, as_object, checked
from services.sandbox.domain.traffic import Inbound
from services.sandbox.http.views import message_view
from services.sandbox.usecases.later import Later
from services.sandbox.usecases.mail import MailHost
from services.sandbox.usecases.push import PushHost
from services.sandbox.usecases.script import Script
from services.sandbox.usecases.sms import SmsCentre
from services.sandbox.usecases.web_sms import WebSms
from services.sandbox.usecases.webhooks import WebhookHost

MAX_LIMIT: Final = 10_000
MAX_DOCUMENT_BYTES: Final = 4 * 1024 * 1024
MAX_TEXT: Final = 1600
NOT_FOUND: Final = 404
# A mail's own scripts and forms stay dead; its images load, as in a mail program.
MAIL_POLICY: Final = (
    "sandbox allow-popups; default-src 'none'; img-src * data:; "
    "style-src * 'unsafe-inline'; font-src *"
)
PAGE_POLICY: Final = (
    "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'none'"
)
_INBOUND: Final = {"from": Rule(""), "to": Rule("")}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes speak for."""

    script: Script
    records: MessageLog
    later: Later
    mail: MailHost
    sms: SmsCentre
    push: PushHost
    web: WebSms
    webhooks: WebhookHost
    deliver: Callable[[Inbound], int]
    forget: Callable[[], None]
    links: Callable[[], tuple[int, int]]
    certificate: bytes


class Json(Response):
    """JSON by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - whatever is JSON
        return orjson.dumps(content)


class Routes:
    """One method per route."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._page = resources.files("services.sandbox.http").joinpath("inbox.html").read_text()

    async def page(self, _: Request) -> Response:
        return HTMLResponse(self._page, headers={"Content-Security-Policy": PAGE_POLICY})

    async def healthz(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def certificate(self, _: Request) -> Response:
        return Response(self._parts.certificate, media_type="application/x-pem-file")

    async def messages(self, request: Request) -> Response:
        channel = _channel(request, "")
        limit = _limit(request)
        found = self._parts.records.newest(channel, request.query_params.get("to", ""), limit)
        return Json([message_view(record) for record in found])

    async def message(self, request: Request) -> Response:
        return Json(message_view(self._record(request)))

    async def html(self, request: Request) -> Response:
        record = self._record(request)
        html = read_mail(record.content).html if record.channel == EMAIL else ""
        return HTMLResponse(html, headers={"Content-Security-Policy": MAIL_POLICY})

    async def raw(self, request: Request) -> Response:
        record = self._record(request)
        kind = "message/rfc822" if record.channel == EMAIL else "text/plain"
        return Response(record.content, media_type=kind)

    async def clear(self, request: Request) -> Response:
        parts = self._parts
        if request.query_params.get("pending", "") in {"1", "true"}:
            parts.forget()
        parts.records.clear()
        for host in (parts.mail, parts.sms, parts.push, parts.web):
            host.arrivals.clear()
        parts.webhooks.forget()
        return Response(status_code=204)

    async def behaviours(self, _: Request) -> Response:
        return Json(self._parts.script.behaviours_document)

    async def put_behaviours(self, request: Request) -> Response:
        document = await _document(request)
        self._parts.script.replace_behaviours(parse_behaviours(document), document)
        return Json(document)

    async def carriers(self, _: Request) -> Response:
        return Json(self._parts.script.carriers_document)

    async def put_carriers(self, request: Request) -> Response:
        document = await _document(request)
        self._parts.script.replace_carriers(parse_carriers(document), document)
        return Json(document)

    async def inbound(self, request: Request) -> Response:
        inbound = _inbound(await _document(request))
        return Json({"parts": self._parts.deliver(inbound)}, status_code=202)

    async def counts(self, request: Request) -> Response:
        prefix = request.query_params.get("prefix", "")
        return Json(self._parts.records.counts(_channel(request, EMAIL), prefix))

    async def timestamps(self, request: Request) -> Response:
        asked = request.query_params
        clock = asked.get("clock", "wall")
        if clock not in {"wall", "steady"}:
            raise _bad("clock", "must be wall or steady")
        arrivals = self._arrivals(_channel(request, SMS))
        times = arrivals.times(
            steady=clock == "steady",
            sender=asked.get("from", ""),
            carrier=asked.get("carrier", ""),
            accepted=asked.get("accepted", "") in {"1", "true"},
        )
        return Json(times)

    async def stats(self, _: Request) -> Response:
        parts = self._parts
        bound, waiting = parts.links()
        view: dict[str, Any] = {channel: self._channel_stats(channel) for channel in CHANNELS}
        view[SMS] |= {
            "bound": bound,
            "waiting": waiting,
            "unfinished": len(parts.sms.assembly),
        }
        view["reactions"] = {
            "waiting": parts.later.waiting,
            "done": parts.later.done,
            "failed": parts.later.failed,
        }
        view["kept"] = len(parts.records)
        return Json(view)

    def _channel_stats(self, channel: str) -> dict[str, Any]:
        counts = self._parts.records.counts(channel)
        return {
            "messages": sum(counts.values()),
            "recipients": len(counts),
            "verdicts": dict(self._arrivals(channel).totals),
        }

    def _arrivals(self, channel: str) -> Arrivals:
        parts = self._parts
        arrivals = {
            EMAIL: parts.mail.arrivals,
            SMS: parts.sms.arrivals,
            PUSH: parts.push.arrivals,
            VOICE: parts.web.arrivals,
            CUSTOM: parts.webhooks.arrivals,
        }
        return arrivals[channel]

    def _record(self, request: Request) -> Record:
        number = int(request.path_params["number"])
        record = self._parts.records.get(number)
        if record is None:
            raise ResourceNotFound("message", str(number))
        return record


def application(parts: Parts) -> Starlette:
    """Build the ASGI application."""
    routes = Routes(parts)
    table = [
        ("/", "GET", routes.page),
        ("/healthz", "GET", routes.healthz),
        ("/certificate.pem", "GET", routes.certificate),
        ("/messages", "GET", routes.messages),
        ("/messages", "DELETE", routes.clear),
        ("/messages/{number:int}", "GET", routes.message),
        ("/messages/{number:int}/html", "GET", routes.html),
        ("/messages/{number:int}/raw", "GET", routes.raw),
        ("/behaviours", "GET", routes.behaviours),
        ("/behaviours", "PUT", routes.put_behaviours),
        ("/carriers", "GET", routes.carriers),
        ("/carriers", "PUT", routes.put_carriers),
        ("/inbound", "POST", routes.inbound),
        ("/counts", "GET", routes.counts),
        ("/timestamps", "GET", routes.timestamps),
        ("/stats", "GET", routes.stats),
    ]
    return Starlette(
        routes=[Route(path, endpoint, methods=[method]) for path, method, endpoint in table],
        exception_handlers={TouchpointError: _refused},
    )


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, TouchpointError)  # noqa: S101 - the table above says so
    status = NOT_FOUND if isinstance(error, ResourceNotFound) else 400
    violations = [{"field": v.field, "description": v.description} for v in error.violations]
    body = {"reason": error.reason, "message": error.message, "violations": violations}
    return Json({"error": body}, status_code=status)


async def _document(request: Request) -> Any:  # noqa: ANN401 - any JSON, checked by the caller
    body = await request.body()
    if len(body) > MAX_DOCUMENT_BYTES:
        raise _bad("body", f"at most {MAX_DOCUMENT_BYTES} bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _bad("body", f"is not JSON: {error}") from None


def _inbound(document: object) -> Inbound:
    found = Violations()
    given = as_object(document, "body", found)
    known = {name: value for name, value in given.items() if name != "text"}
    values = checked(known, _INBOUND, "body", found)
    for name in ("from", "to"):
        found.check(0 < len(str(values[name])) <= 20, f"body.{name}", "must be 1 to 20 characters")
    text = given.get("text")
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        found.add("body.text", f"must be a string of at most {MAX_TEXT} characters")
    found.raise_if_any()
    return Inbound(str(values["from"]), str(values["to"]), str(text))


def _channel(request: Request, default: str) -> str:
    channel = request.query_params.get("channel", default)
    if channel and channel not in CHANNELS:
        raise _bad("channel", f"must be one of {', '.join(CHANNELS)}")
    return channel


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", "100")
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= MAX_LIMIT):
        raise _bad("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(given)


def _bad(field: str, problem: str) -> InvalidFields:
    found = Violations()
    found.add(field, problem)
    return InvalidFields(found.found)
