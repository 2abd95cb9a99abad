"""Receivers of webhooks: `HEAD|POST /webhooks/{application_id}/{name}`.

A receiver follows the contract (`touchpoint.messaging.v1.WebhooksService`): it names the
application that its URL is of, and takes each message id once.
"""

from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.sandbox.usecases.webhooks import Call, WebhookHost

_OWNER: Final = "x-touchpoint-application-id"
_MESSAGE_IDS: Final = "x-touchpoint-message-ids"
_MOST_ENDPOINTS: Final = 50
_NAMES: Final = (
    "Message",
    "Data",
    "ApplicationId",
    "CampaignId",
    "TreatmentId",
    "ActivityId",
    "ScheduledTime",
    "Endpoints",
)


class WebhookRoutes:
    """One method per route."""

    def __init__(self, host: WebhookHost) -> None:
        self._host = host

    async def owner(self, request: Request) -> Response:
        given = request.path_params
        status, named = self._host.owner(given["application_id"], given["name"])
        return Response(status_code=status, headers={_OWNER: named} if named else {})

    async def take(self, request: Request) -> Response:
        body = await request.body()
        call = _call(request, body)
        if call is None:
            return Response("not a request of spec 6.8", 400)
        status, answer = await self._host.take(call)
        return Response(answer, status, media_type="application/json")

    def routes(self) -> list[Route]:
        """The paths that they have."""
        path = "/webhooks/{application_id}/{name}"
        return [
            Route(path, self.owner, methods=["HEAD"]),
            Route(path, self.take, methods=["POST"]),
        ]


def _call(request: Request, body: bytes) -> Call | None:
    """The request as one of spec 6.8; None when it is none."""
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(document, dict) or tuple(document) != _NAMES:
        return None
    endpoints, app_id = [*document["Endpoints"]], request.path_params["application_id"]
    message_ids = request.headers.get(_MESSAGE_IDS, "").split(",")
    fine = len(endpoints) == len(message_ids) and 1 <= len(endpoints) <= _MOST_ENDPOINTS
    if not fine or document["ApplicationId"] != app_id:
        return None
    headers = tuple(request.headers.items())
    return Call(app_id, request.path_params["name"], endpoints, message_ids, body, headers)
