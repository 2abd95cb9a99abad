"""AWS Signature Version 4, checked with botocore's own signer.

A request is signed in the `Authorization` header or, presigned, in the query string. See the
AWS General Reference, "Authenticating Requests (AWS Signature Version 4)".
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, HeadersDict
from botocore.credentials import Credentials

from services.rest.domain.failures import Failure
from services.rest.domain.model import SIGNING_NAME

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SKEW: Final = timedelta(minutes=5)
_LONGEST_SECONDS: Final = 7 * 24 * 3600
_HEADER: Final = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]+)"
)
_STAMP: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came: header names in lower case, path and query still encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signed request says about itself."""

    access_key_id: str
    date: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str
    stamp: str
    valid: timedelta | None = None  # of a presigned request


def claim_of(request: Received) -> Claim | None:
    """The claim of a request; None when it is anonymous. Raises Failure."""
    header = request.headers.get("authorization", "")
    if header:
        found = _HEADER.fullmatch(header.strip())
        if not found:
            raise _incomplete("Authorization header")
        stamp = request.headers.get("x-amz-date", "")
        return _claim(found.group(1), found.group(2), found.group(3), stamp, None)
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    if "X-Amz-Signature" not in query:
        return None
    seconds = query.get("X-Amz-Expires", "")
    fine = seconds.isdigit() and 0 < int(seconds) <= _LONGEST_SECONDS
    if query.get("X-Amz-Algorithm") != ALGORITHM or not fine:
        raise _incomplete("query string")
    return _claim(
        query.get("X-Amz-Credential", ""),
        query.get("X-Amz-SignedHeaders", ""),
        query["X-Amz-Signature"],
        query.get("X-Amz-Date", ""),
        timedelta(seconds=int(seconds)),
    )


def check(request: Received, claim: Claim, secret: str, now: datetime) -> None:
    """Refuse a request that the key's holder did not sign, or signed at another time."""
    _check_time(claim, now)
    if "host" not in claim.signed_headers:
        raise _incomplete("list of signed headers: host is not in it")
    told = request.headers.get("x-amz-content-sha256")
    if told is not None and told != hashlib.sha256(request.body).hexdigest():
        raise _mismatch("The hash of the body is not the one that was signed")
    if not hmac.compare_digest(_signature(request, claim, secret), claim.signature):
        raise _mismatch(
            "The request signature we calculated does not match the signature you provided."
            " Check your secret access key and signing method."
        )


class _Signer(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """Signs exactly the headers that were signed, whichever the client chose."""

    def headers_to_sign(self, request: AWSRequest) -> HeadersDict:
        return request.headers


def _signature(request: Received, claim: Claim, secret: str) -> str:
    host = request.headers.get("host", "")
    pairs = request.query.split("&") if request.query else []
    query = "&".join(pair for pair in pairs if not pair.startswith("X-Amz-Signature="))
    url = f"http://{host}{request.path}" + (f"?{query}" if query else "")
    headers = {name: request.headers.get(name, "") for name in claim.signed_headers}
    made = AWSRequest(request.method, url, headers=headers, data=request.body)
    made.context["timestamp"] = claim.stamp
    signer = _Signer(Credentials(claim.access_key_id, secret), SIGNING_NAME, claim.region)
    to_sign = signer.string_to_sign(made, signer.canonical_request(made))
    return str(signer.signature(to_sign, made))


def _claim(
    credential: str, signed_headers: str, signature: str, stamp: str, valid: timedelta | None
) -> Claim:
    parts = credential.split("/")
    if len(parts) != 5 or parts[3:] != [SIGNING_NAME, "aws4_request"] or not stamp:
        raise _incomplete(f"credential scope: it names another service than {SIGNING_NAME}")
    names = tuple(signed_headers.split(";"))
    return Claim(parts[0], parts[1], parts[2], names, signature, stamp, valid)


def _check_time(claim: Claim, now: datetime) -> None:
    try:
        signed = datetime.strptime(claim.stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete("date") from None
    if not claim.stamp.startswith(claim.date):
        raise _incomplete("credential scope: its date is not the request's")
    until = signed + (claim.valid or SKEW)
    if not signed - SKEW <= now <= until:
        raise _mismatch(
            f"Signature expired: {claim.stamp} is not within the time it is valid for"
            f" ({now.strftime(_STAMP)} here)"
        )


def _incomplete(what: str) -> Failure:
    return Failure("IncompleteSignatureException", 403, f"The {what} cannot be used")


def _mismatch(message: str) -> Failure:
    return Failure("InvalidSignatureException", 403, message)
