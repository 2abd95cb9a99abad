"""Amazon SNS, as far as who listens meets it.

- `POST /aws-sns/`: `Subscribe` and `ListSubscriptionsByTopic`, forms (the Query API).
- `GET /aws-sns/?Action=ConfirmSubscription&...`: what an endpoint that was asked calls.
- `GET /aws-sns/SimpleNotificationService-sandbox.pem`: the certificate of the signatures.
"""

import secrets
from typing import Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.sandbox.usecases.sns import CERTIFICATE, Listener, Topics

_SPACE: Final = "http://sns.amazonaws.com/doc/2010-03-31/"
_XML: Final = "text/xml"


class SnsRoutes:
    """Subscriptions by HTTP and HTTPS to topics of any name."""

    def __init__(self, topics: Topics, certificate: bytes) -> None:
        self._topics = topics
        self._certificate = certificate

    async def ask(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if form.get("Action") == "ListSubscriptionsByTopic":
            return self._list(form.get("TopicArn", ""))
        if form.get("Action") != "Subscribe":
            return _error("InvalidAction")
        if not form.get("TopicArn") or not form.get("Endpoint"):
            return _error("InvalidParameter")
        base = str(request.base_url) + "aws-sns"
        self._topics.subscribe(Listener(form["TopicArn"], form["Endpoint"], base))
        return _answer("Subscribe", _arn("pending confirmation"))

    def _list(self, topic_arn: str) -> Response:
        members = (
            f"<member>{_arn(one.topic_arn)}<Endpoint>{escape(one.endpoint)}</Endpoint></member>"
            for one in self._topics.listeners(topic_arn)
        )
        told = f"<Subscriptions>{''.join(members)}</Subscriptions>"
        return _answer("ListSubscriptionsByTopic", told)

    async def confirm(self, request: Request) -> Response:
        query = request.query_params
        topic_arn, token = query.get("TopicArn", ""), query.get("Token", "")
        if query.get("Action") != "ConfirmSubscription":
            return _error("InvalidAction")
        if not self._topics.confirm(topic_arn, token):
            return _error("InvalidParameter")
        return _answer("ConfirmSubscription", _arn(topic_arn))

    async def certificate(self, _: Request) -> Response:
        return Response(self._certificate, media_type="application/x-pem-file")

    def routes(self) -> list[Route]:
        """The paths that they have."""
        return [
            Route("/aws-sns/", self.ask, methods=["POST"]),
            Route("/aws-sns/", self.confirm, methods=["GET"]),
            Route(f"/aws-sns/{CERTIFICATE}", self.certificate, methods=["GET"]),
        ]


def _arn(arn: str) -> str:
    return f"<SubscriptionArn>{escape(arn)}</SubscriptionArn>"


def _answer(action: str, content: str) -> Response:
    result = f"<{action}Result>{content}</{action}Result>"
    told = f"<ResponseMetadata><RequestId>{secrets.token_hex(16)}</RequestId></ResponseMetadata>"
    body = f'<{action}Response xmlns="{_SPACE}">{result}{told}</{action}Response>'
    return Response(body, media_type=_XML)


def _error(code: str) -> Response:
    told = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>is wrong</Message></Error>"
    return Response(f'<ErrorResponse xmlns="{_SPACE}">{told}</ErrorResponse>', 400, media_type=_XML)
