"""Ids, signatures, secrets, violations and page tokens: the small pure libraries."""

import base64
import secrets
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidFields, PageTokenInvalid, Violations
from libs.ids import derived_id, new_id
from libs.mongo.paging import Pager, page_size
from libs.signing import BadSignature, Signer
from libs.timestamps import from_timestamp, to_timestamp
from libs.vault import SecretUnreadable, Vault

KEY = b"a key of the tests"


def _master() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_derived_ids_differ_when_the_parts_do(one: list[str], other: list[str]) -> None:
    same = derived_id(*one) == derived_id(*other)
    assert same == (one == other)
    assert len(derived_id(*one)) == 32


def test_new_ids_are_32_hexadecimal_digits() -> None:
    assert len(bytes.fromhex(new_id())) == 16


@given(st.binary(max_size=200))
def test_a_signed_payload_comes_back(payload: bytes) -> None:
    signer = Signer(KEY, "links")
    assert signer.verify(signer.sign(payload)) == payload


@given(st.binary(max_size=60), st.integers(min_value=0, max_value=400))
def test_a_changed_token_is_refused(payload: bytes, at: int) -> None:
    signer = Signer(KEY, "links")
    data = bytearray(base64.urlsafe_b64decode(signer.sign(payload) + "=="))
    data[at % len(data)] ^= 1
    changed = base64.urlsafe_b64encode(bytes(data)).rstrip(b"=").decode()
    with pytest.raises(BadSignature):
        signer.verify(changed)


def test_a_token_of_another_purpose_or_key_is_refused() -> None:
    token = Signer(KEY, "links").sign(b"x")
    for other in (Signer(KEY, "pages"), Signer(b"another key of 16+", "links")):
        with pytest.raises(BadSignature):
            other.verify(token)
    for damaged in ("", "!", token[:-3], token + "é"):
        with pytest.raises(BadSignature):
            Signer(KEY, "links").verify(damaged)


def test_secrets_are_read_with_old_keys_and_only_where_they_were_kept() -> None:
    old, new = _master(), _master()
    sealed = Vault(old).encrypt("hunter2", "channel/1")
    rotated = Vault(f"{new},{old}")
    assert "hunter2" not in sealed
    assert rotated.decrypt(sealed, "channel/1") == "hunter2"
    with pytest.raises(SecretUnreadable):
        rotated.decrypt(sealed, "channel/2")
    with pytest.raises(SecretUnreadable):
        Vault(new).decrypt(sealed, "channel/1")
    with pytest.raises(ValueError, match="32 bytes"):
        Vault("c2hvcnQ=")


def test_every_violation_is_named_with_its_path() -> None:
    inner, outer = Violations(), Violations()
    inner.add("start", "must be HH:MM")
    outer.extend(inner.found, "schedule.quiet_time")
    assert not outer.check(fine=False, field="name", description="missing")
    with pytest.raises(InvalidFields) as caught:
        outer.raise_if_any()
    assert [v.field for v in caught.value.violations] == ["schedule.quiet_time.start", "name"]


def test_page_tokens_stay_with_their_query() -> None:
    pager = Pager(KEY)
    moment = datetime(2026, 4, 28, 9, 0, 0, 123000, tzinfo=UTC)
    token = pager.token({"app": "a"}, (moment, "id"))
    assert pager.last({"app": "a"}, token) == (moment, "id")
    assert pager.token({"app": "a"}, None) == ""
    assert pager.last({"app": "a"}, "") is None
    with pytest.raises(PageTokenInvalid):
        pager.last({"app": "b"}, token)
    with pytest.raises(PageTokenInvalid):
        pager.last({"app": "a"}, token[:-2])


def test_page_sizes() -> None:
    assert page_size(0) == 100
    assert page_size(1000) == 1000
    for wrong in (-1, 1001):
        with pytest.raises(InvalidFields):
            page_size(wrong)


def test_timestamps_there_and_back() -> None:
    moment = datetime(2026, 11, 25, 12, 30, 0, 500000, tzinfo=UTC)
    stamp = to_timestamp(moment)
    assert stamp is not None
    assert from_timestamp(stamp) == moment
    assert to_timestamp(None) is None
