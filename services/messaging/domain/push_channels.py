"""Push channels: their settings, and what may be wrong with them (spec 6.5).

Fields without a repr are secrets. An empty secret keeps the value it had, so a check is told which
are kept.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from libs.errors import Violations
from services.messaging.domain import credentials
from services.messaging.domain.channels import check_rate

KEY: Final = "KEY"
CERTIFICATE: Final = "CERTIFICATE"
_APPLE_ID: Final = re.compile(r"[A-Z0-9]{10}")
_BUNDLE_ID: Final = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_LONGEST_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class ApnsChannel:
    """Settings of one of the four channels to Apple devices."""

    enabled: bool
    bundle_id: str = ""
    team_id: str = ""
    token_key_id: str = ""
    token_key: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    authentication: str = ""
    certificate_expire_time: datetime | None = None
    messages_per_second: int = 0


@dataclass(frozen=True, slots=True)
class GcmChannel:
    """Settings of the channel to Firebase; `project_id` is that of the service account."""

    enabled: bool
    service_json: str = field(default="", repr=False)
    project_id: str = ""
    messages_per_second: int = 0


@dataclass(frozen=True, slots=True)
class AdmChannel:
    """Settings of the channel to Amazon devices."""

    enabled: bool
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    messages_per_second: int = 0


@dataclass(frozen=True, slots=True)
class BaiduChannel:
    """Settings of the channel to Baidu Cloud Push."""

    enabled: bool
    api_key: str = ""
    secret_key: str = field(default="", repr=False)
    messages_per_second: int = 0


PushChannel: TypeAlias = ApnsChannel | GcmChannel | AdmChannel | BaiduChannel


def authentication_of(given: str) -> str:
    """KEY or CERTIFICATE as Pinpoint's callers write them; what is neither stays as it is."""
    upper = given.strip().upper()
    return KEY if upper == "TOKEN" else upper


def check_apns(channel: ApnsChannel, kept: Collection[str], now: datetime) -> Violations:
    """Every field of the settings that is wrong, by its name in `ApnsChannel`."""
    found = Violations()
    if channel.bundle_id:
        fine: object = (
            _BUNDLE_ID.fullmatch(channel.bundle_id) and len(channel.bundle_id) <= _LONGEST_NAME
        )
        found.check(fine, "bundle_id", "must be an app's id, such as com.example.shop")
    for name in ("team_id", "token_key_id"):
        fine = not getattr(channel, name) or _APPLE_ID.fullmatch(getattr(channel, name))
        found.check(fine, name, "must be 10 capital letters and digits")
    if channel.token_key:
        fine = credentials.is_p256_key(channel.token_key)
        found.check(fine, "token_key", "must be the content of a .p8 file: a P-256 key in PEM form")
    _check_certificate(found, channel, now)
    _check_methods(found, channel, _have(channel, kept))
    check_rate(found, "messages_per_second", channel.messages_per_second)
    return found


def _check_certificate(found: Violations, channel: ApnsChannel, now: datetime) -> None:
    if channel.certificate:
        until = credentials.expiry_of(channel.certificate)
        if found.check(until, "certificate", "must be a certificate in PEM form") and until:
            found.check(until > now, "certificate", f"died on {until:%Y-%m-%d}")
    if channel.private_key:
        fine = credentials.is_private_key(channel.private_key)
        found.check(fine, "private_key", "must be a private key in PEM form")
    if channel.certificate and channel.private_key and not found.found:
        fine = credentials.belong_together(channel.certificate, channel.private_key)
        found.check(fine, "private_key", "is not the key of the certificate")


def _check_methods(found: Violations, channel: ApnsChannel, have: Collection[str]) -> None:
    has_key = "token_key" in have
    has_certificate = {"certificate", "private_key"} <= set(have)
    if has_key:
        found.check(channel.team_id, "team_id", "is needed beside a token key")
        found.check(channel.token_key_id, "token_key_id", "is needed beside a token key")
    if channel.authentication == KEY:
        found.check(has_key, "default_authentication_method", "KEY needs a token key")
    elif channel.authentication == CERTIFICATE:
        why = "CERTIFICATE needs a certificate and its private key"
        found.check(has_certificate, "default_authentication_method", why)
    elif channel.authentication:
        found.add("default_authentication_method", "must be KEY or CERTIFICATE")
    if channel.enabled:
        found.check(channel.bundle_id, "bundle_id", "is needed to send")
        why = "or a certificate with its private key is needed to send"
        found.check(has_key or has_certificate, "token_key", why)


def check_gcm(channel: GcmChannel, kept: Collection[str], api_key: str, method: str) -> Violations:
    """As `check_apns`; `api_key` and `method` are given by callers of the legacy API."""
    found = Violations()
    if channel.service_json:
        why = service_account_fault(channel.service_json)
        found.check(not why, "service_json", why)
    has_account = "service_json" in _have(channel, kept)
    legacy = "Google switched the legacy API off in 2024; give service_json"
    found.check(not api_key or has_account, "api_key", legacy)
    fine = method.upper() in {"", "TOKEN"}
    found.check(fine, "default_authentication_method", f"must be TOKEN: {legacy}")
    if channel.enabled and not api_key:
        found.check(has_account, "service_json", "is needed to send")
    check_rate(found, "messages_per_second", channel.messages_per_second)
    return found


def service_account_fault(text: str) -> str:
    """What is wrong with the JSON of a service account; empty when nothing is."""
    account = service_account(text)
    if account is None or account.get("type") != "service_account":
        return "must be the JSON of a service account"
    names = ("project_id", "client_email", "private_key")
    missing = [name for name in names if not isinstance(account.get(name), str)]
    if missing:
        return f"has no {', '.join(missing)}"
    if not credentials.is_rsa_key(account["private_key"]):
        return "has a private_key that is no RSA key in PEM form"
    return ""


def service_account(text: str) -> Mapping[str, Any] | None:
    """The service account in a text; None when it is none."""
    try:
        read = json.loads(text)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def with_facts(channel: PushChannel, before: PushChannel | None) -> PushChannel:
    """The settings with what their secrets tell; of a secret that stays, what was known of it."""
    if isinstance(channel, GcmChannel):
        known = before.project_id if isinstance(before, GcmChannel) else ""
        account = service_account(channel.service_json) if channel.service_json else None
        return replace(channel, project_id=account["project_id"] if account else known)
    if isinstance(channel, ApnsChannel):
        until = before.certificate_expire_time if isinstance(before, ApnsChannel) else None
        told = credentials.expiry_of(channel.certificate) if channel.certificate else until
        return replace(channel, certificate_expire_time=told)
    return channel


def check_adm(channel: AdmChannel, kept: Collection[str]) -> Violations:
    """As `check_apns`, for `AdmChannel`."""
    return _check_pair(channel, kept, "client_id", "client_secret")


def check_baidu(channel: BaiduChannel, kept: Collection[str]) -> Violations:
    """As `check_apns`, for `BaiduChannel`."""
    return _check_pair(channel, kept, "api_key", "secret_key")


def _check_pair(channel: PushChannel, kept: Collection[str], name: str, secret: str) -> Violations:
    found = Violations()
    fine = len(getattr(channel, name)) <= _LONGEST_NAME
    found.check(fine, name, f"is longer than {_LONGEST_NAME} characters")
    if channel.enabled:
        found.check(getattr(channel, name), name, "is needed to send")
        found.check(secret in _have(channel, kept), secret, "is needed to send")
    check_rate(found, "messages_per_second", channel.messages_per_second)
    return found


def _have(channel: PushChannel, kept: Collection[str]) -> set[str]:
    """Names of the secrets that there are once the settings are saved."""
    names = ("token_key", "certificate", "private_key", "service_json", "client_secret")
    given = {name for name in (*names, "secret_key") if getattr(channel, name, "")}
    return given | set(kept)
