"""Signature Version 4: what is let in, and every way of not being let in."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from services.rest.domain.failures import Failure
from services.rest.domain.signatures import Received, check, claim_of

KEY, SECRET = "TPKEY", "a-secret"
HOST = "touchpoint.example:8082"


def signed(
    path: str = "/v1/apps",
    query: str = "",
    body: bytes = b"",
    *,
    method: str = "POST",
    service: str = "mobiletargeting",
    headers: Mapping[str, str] | None = None,
) -> Received:
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, data=body, headers=dict(headers or {}))
    SigV4Auth(Credentials(KEY, SECRET), service, "eu-west-1").add_auth(request)
    told = {name.lower(): value for name, value in request.headers.items()}
    return Received(method, path, query, {"host": HOST, **told}, body)


def presigned(path: str, seconds: int) -> Received:
    request = AWSRequest("GET", f"http://{HOST}{path}")
    SigV4QueryAuth(
        Credentials(KEY, SECRET), "mobiletargeting", "us-east-1", expires=seconds
    ).add_auth(request)
    return Received("GET", path, urlsplit(request.url).query, {"host": HOST}, b"")


def verdict(request: Received, secret: str = SECRET, late: timedelta = timedelta()) -> str:
    try:
        claim = claim_of(request)
        if claim is None:
            return "anonymous"
        check(request, claim, secret, datetime.now(UTC) + late)
    except Failure as failure:
        return failure.name
    return "fine"


@given(
    st.lists(st.text(st.characters(codec="ascii", exclude_characters="/")), max_size=3),
    st.binary(max_size=50),
)
def test_what_botocore_signs_is_let_in(words: list[str], body: bytes) -> None:
    from urllib.parse import quote

    path = "/v1/" + "/".join(quote(word, safe="") for word in words if word.strip("."))
    assert verdict(signed(path, "page-size=5&token=a%2Fb", body)) == "fine"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": "/v1/other"},
        {"query": "page-size=6"},
        {"body": b"{}"},
    ],
    ids=["method", "path", "query", "body"],
)
def test_a_changed_request_is_refused(change: dict[str, str | bytes]) -> None:
    request = signed(query="page-size=5", body=b'{"Name": "x"}')
    assert verdict(replace(request, **change)) == "InvalidSignatureException"  # type: ignore[arg-type]


def test_another_secret_is_refused() -> None:
    assert verdict(signed(), "another") == "InvalidSignatureException"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_clock_that_is_minutes_off_is_refused(minutes: int) -> None:
    assert verdict(signed(), late=timedelta(minutes=minutes)) == "InvalidSignatureException"
    assert verdict(signed(), late=timedelta(minutes=minutes / 2)) == "fine"


def test_a_declared_hash_must_be_the_bodys() -> None:
    digest = hashlib.sha256(b"one").hexdigest()
    request = signed(body=b"one", headers={"X-Amz-Content-SHA256": digest})
    assert verdict(request) == "fine"
    assert verdict(replace(request, body=b"two")) == "InvalidSignatureException"


def test_a_presigned_request_is_let_in_until_it_expires() -> None:
    request = presigned("/v1/apps", 600)
    assert verdict(request) == "fine"
    assert verdict(request, late=timedelta(seconds=590)) == "fine"
    assert verdict(request, late=timedelta(seconds=610)) == "InvalidSignatureException"
    longer = replace(request, query=request.query.replace("Expires=600", "Expires=6000"))
    assert verdict(longer) == "InvalidSignatureException"


def test_a_signature_for_another_service_is_refused() -> None:
    assert verdict(signed(service="ses")) == "IncompleteSignatureException"


@pytest.mark.parametrize(
    "header", ["Bearer TPKEY:secret", "AWS4-HMAC-SHA256 Credential=TPKEY", "AWS4-HMAC-SHA256"]
)
def test_a_damaged_header_is_refused(header: str) -> None:
    request = Received("GET", "/v1/apps", "", {"host": HOST, "authorization": header}, b"")
    assert verdict(request) == "IncompleteSignatureException"


def test_an_unsigned_request_claims_nothing() -> None:
    assert verdict(Received("GET", "/v1/apps", "", {"host": HOST}, b"")) == "anonymous"
