"""The routes: pixel, redirect, unsubscribe, callbacks of providers, health."""

import base64
from collections.abc import Awaitable, Callable
from typing import Final

from google.protobuf.message import DecodeError
from grpc import aio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from touchpoint.messaging.v1.link_token_pb2 import LinkToken

from libs.chassis import context
from libs.chassis.logging import get_logger
from libs.clock import Clock
from libs.errors import DependencyUnavailable
from libs.ids import new_id
from libs.signing import BadSignature, Signer
from services.links.domain import Kind, Link, hit, is_a_person, may_lead_to
from services.links.http import pages
from services.links.http.callbacks import PATH, CallbackRoute
from services.links.usecases import HitRecorder, Publish

OptOut = Callable[[Link], Awaitable[None]]

# A transparent picture of one pixel.
PIXEL: Final = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_PIXEL_HEADERS: Final = {
    "cache-control": "no-store, max-age=0",
    "content-security-policy": "default-src 'none'",
    "cross-origin-resource-policy": "cross-origin",  # mail programs show it on their own pages
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}
_REDIRECT_HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
}
# Tokens carry one URL; a longer path was made by somebody else.
_LONGEST_TOKEN: Final = 8192

_KINDS: Final = {
    LinkToken.KIND_OPEN: Kind.OPEN,
    LinkToken.KIND_CLICK: Kind.CLICK,
    LinkToken.KIND_UNSUBSCRIBE: Kind.UNSUBSCRIBE,
}


class Pages:
    """Answers visitors; what their visits mean goes to the recorder or to the opt-out."""

    def __init__(
        self,
        signer: Signer,
        recorder: HitRecorder,
        opt_out: OptOut,
        publish: Publish,
        clock: Clock,
    ) -> None:
        self._signer = signer
        self._recorder = recorder
        self._opt_out = opt_out
        self._publish = publish
        self._clock = clock

    async def pixel(self, request: Request) -> Response:
        link = self._link(request, Kind.OPEN)
        if link is None:
            return _not_found()
        self._record(request, link)
        return Response(PIXEL, media_type="image/gif", headers=_PIXEL_HEADERS)

    async def redirect(self, request: Request) -> Response:
        link = self._link(request, Kind.CLICK)
        if link is None or not may_lead_to(link.url):
            return _not_found()
        self._record(request, link)
        return RedirectResponse(link.url, 302, headers=_REDIRECT_HEADERS)

    async def question(self, request: Request) -> Response:
        link = self._link(request, Kind.UNSUBSCRIBE)
        if link is None:
            return _not_found()
        return _page(pages.unsubscribe(link.address))

    async def unsubscribe(self, request: Request) -> Response:
        """RFC 8058, 3.1: a POST is the wish itself, without any further question."""
        link = self._link(request, Kind.UNSUBSCRIBE)
        if link is None:
            return _not_found()
        with context.call(new_id(), link.app_id):
            try:
                await self._opt_out(link)
                await self._publish([hit(link, self._clock.now(), _user_agent(request))])
            except (aio.AioRpcError, DependencyUnavailable) as error:
                # Both steps may be repeated, so the mail program or the person tries again.
                get_logger().warning("unsubscription_failed", cause=type(error).__name__)
                return _page(pages.TRY_AGAIN, 503, {"retry-after": "60"})
        return _page(pages.UNSUBSCRIBED)

    def _link(self, request: Request, kind: Kind) -> Link | None:
        token = request.path_params["token"]
        if len(token) > _LONGEST_TOKEN:
            return None
        try:
            told = LinkToken.FromString(self._signer.verify(token))
        except (BadSignature, DecodeError):
            return None
        # A token for one purpose must not serve another.
        return _link(told, kind) if _KINDS.get(told.kind) is kind else None

    def _record(self, request: Request, link: Link) -> None:
        if is_a_person(request.method, request.headers):
            self._recorder.add(hit(link, self._clock.now(), _user_agent(request)))


def _link(told: LinkToken, kind: Kind) -> Link:
    return Link(
        kind,
        told.application_id,
        told.message_id,
        told.endpoint_id,
        told.campaign_id,
        told.activity_id,
        told.treatment_id,
        told.url,
        told.address,
    )


def _user_agent(request: Request) -> str:
    return request.headers.get("user-agent", "")


def _page(html: str, status: int = 200, more: dict[str, str] | None = None) -> Response:
    return HTMLResponse(html, status, headers={**pages.PAGE_HEADERS, **(more or {})})


def _not_found() -> Response:
    return _page(pages.NOT_FOUND, 404)


async def _unknown(_request: Request, _error: Exception) -> Response:
    return _not_found()


async def _health(_request: Request) -> Response:
    return PlainTextResponse("ok", headers={"cache-control": "no-store"})


def application(served: Pages, callbacks: CallbackRoute) -> Starlette:
    """The routes on an ASGI application."""
    return Starlette(
        routes=[
            Route("/o/{token}", served.pixel, methods=["GET"]),
            Route("/c/{token}", served.redirect, methods=["GET"]),
            Route("/u/{token}", served.question, methods=["GET"]),
            Route("/u/{token}", served.unsubscribe, methods=["POST"]),
            Route(PATH, callbacks.take, methods=["POST"]),
            Route("/healthz", _health, methods=["GET"]),
        ],
        exception_handlers={404: _unknown},
    )
