"""Requests on the bare wire, signed by botocore's signer: for bodies no client would send."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


@dataclass(frozen=True)
class Answer:
    """Status, error name and body of an answer."""

    status: int
    error: str
    body: Any


@dataclass(frozen=True)
class Wire:
    """Where requests go, and whose they are."""

    url: str
    access_key_id: str
    secret: str
    region: str = "eu-west-1"

    def signed(self, method: str, path: str, body: bytes = b"") -> dict[str, str]:
        """The headers of a signed request."""
        request = AWSRequest(method, self.url + path, data=body, headers={})
        credentials = Credentials(self.access_key_id, self.secret)
        SigV4Auth(credentials, "mobiletargeting", self.region).add_auth(request)
        return dict(request.headers.items())

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a signed request."""
        raw = b"" if body is None else json.dumps(body).encode()
        return send(self.url + path, method, raw, self.signed(method, path, raw))


def send(url: str, method: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Send a request as it is."""
    request = urllib.request.Request(url, data=body or None, method=method, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return Answer(answer.status, "", _json(answer.read()))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers.get("x-amzn-errortype", ""), _json(error.read()))


def _json(body: bytes) -> Any:
    return json.loads(body) if body else None
