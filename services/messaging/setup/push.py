"""Providers of push channels: which adapter, with whose credentials."""

import json
from typing import Final

from services.messaging.adapters.adm import AdmAdapter, AdmClient
from services.messaging.adapters.apns import ApnsAdapter, ApnsChoice, AppleCertificate, AppleKey
from services.messaging.adapters.baidu import BaiduAdapter, BaiduApp
from services.messaging.adapters.fcm import FcmAdapter, ServiceAccount
from services.messaging.adapters.push_client import PushService
from services.messaging.config import Settings
from services.messaging.domain.push_channels import (
    CERTIFICATE,
    KEY,
    AdmChannel,
    ApnsChannel,
    BaiduChannel,
    GcmChannel,
    PushChannel,
)
from services.messaging.usecases.providers import KeptAdapter

_SANDBOXES: Final = ("APNS_SANDBOX", "APNS_VOIP_SANDBOX")


def push_adapter(settings: Settings, channel_type: str, channel: PushChannel) -> KeptAdapter:
    """The adapter of a channel. Raises ValueError for credentials that are none."""
    if isinstance(channel, ApnsChannel):
        is_sandbox = channel_type in _SANDBOXES
        url = settings.apns_sandbox_url if is_sandbox else settings.apns_url
        return _apple(_service(settings, url, speaks_http2=True), channel)
    if isinstance(channel, GcmChannel):
        is_tls = settings.fcm_url.startswith("https://")
        service = _service(settings, settings.fcm_url, speaks_http2=is_tls)
        return FcmAdapter(service, settings.fcm_token_url, _account(channel))
    if isinstance(channel, AdmChannel):
        client = AdmClient(channel.client_id, channel.client_secret)
        return AdmAdapter(_service(settings, settings.adm_url), settings.adm_token_url, client)
    return _baidu(settings, channel)


def _service(settings: Settings, url: str, *, speaks_http2: bool = False) -> PushService:
    return PushService(url, settings.provider_timeout_seconds, settings.push_ca_file, speaks_http2)


def _apple(service: PushService, channel: ApnsChannel) -> KeptAdapter:
    ways: dict[str, ApnsAdapter] = {}
    if channel.token_key:
        key = AppleKey(channel.team_id, channel.token_key_id, channel.token_key)
        ways[KEY] = ApnsAdapter(service, channel.bundle_id, key)
    if channel.certificate and channel.private_key:
        certificate = AppleCertificate(channel.certificate, channel.private_key)
        ways[CERTIFICATE] = ApnsAdapter(service, channel.bundle_id, certificate)
    if not ways:
        raise ValueError("neither a token key nor a certificate is kept")
    usual = channel.authentication if channel.authentication in ways else next(iter(ways))
    if len(ways) == 1:
        return ways[usual]
    [other] = [way for name, way in ways.items() if name != usual]
    return ApnsChoice(ways[usual], other, usual)


def _account(channel: GcmChannel) -> ServiceAccount:
    read = json.loads(channel.service_json)
    return ServiceAccount(
        read["project_id"],
        read["client_email"],
        read["private_key"],
        read.get("private_key_id", ""),
    )


def _baidu(settings: Settings, channel: BaiduChannel) -> BaiduAdapter:
    app = BaiduApp(channel.api_key, channel.secret_key)
    return BaiduAdapter(_service(settings, settings.baidu_url), app)
