"""Providers from channel settings: which adapter, over which server, within which limits."""

import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from libs.chassis.listen import split_address
from libs.chassis.logging import get_logger
from libs.smpp.client import Account
from libs.smpp.session import Limits
from libs.vault import SecretUnreadable
from services.messaging.adapters.aws import (
    AwsAccount,
    AwsAdapter,
    AwsSmsAdapter,
    AwsVoiceAdapter,
    SesAdapter,
)
from services.messaging.adapters.dkim_signing import DkimSigner, KeyUnusable
from services.messaging.adapters.null import NullAdapter
from services.messaging.adapters.push_client import PushService
from services.messaging.adapters.smpp import Ears, SmppAdapter
from services.messaging.adapters.smtp import MailServer, SmtpAdapter
from services.messaging.adapters.twilio import TwilioAccount, TwilioAdapter, TwilioCalls
from services.messaging.config import Settings
from services.messaging.domain.accounts import OwnAccount, account_key, sms_limits
from services.messaging.domain.channels import (
    Aws,
    EmailChannel,
    Smpp,
    SmsChannel,
    Smtp,
    Twilio,
    connections_of,
    window_of,
)
from services.messaging.domain.families import PUSH_TYPES
from services.messaging.domain.limits import Limit
from services.messaging.domain.push_channels import PushChannel
from services.messaging.domain.recipients import EMAIL, VOICE
from services.messaging.domain.voice_channel import CALLS_PER_MINUTE, VoiceChannel
from services.messaging.setup.push import push_adapter
from services.messaging.store.channels import ChannelStore
from services.messaging.usecases.failover import Failover, Way
from services.messaging.usecases.inbound import InboundTexts
from services.messaging.usecases.providers import KeptAdapter, Provider
from services.messaging.usecases.receipts import Receipts

_LinkKey = tuple[Account, bool, int]
Open = Callable[[str, int], Awaitable[Provider | None]]


def own_account(settings: Settings) -> OwnAccount:
    """The installation's own account at its SMS centre."""
    host, port = split_address(settings.smpp_addr)
    return OwnAccount(account_key(host, port, settings.smpp_system_id), settings.account_sms_rate)


class ProviderFactory:
    """Makes providers; secrets pass through and are kept nowhere else."""

    def __init__(
        self,
        settings: Settings,
        channels: ChannelStore,
        receipts: Receipts,
        inbound: InboundTexts,
    ) -> None:
        self._settings = settings
        self._channels = channels
        self._receipts = receipts
        self._inbound = inbound
        self._own_account = own_account(settings)
        self._links: WeakValueDictionary[_LinkKey, SmppAdapter] = WeakValueDictionary()

    def of(self, channel_type: str) -> Open:
        """The function that opens providers of a channel."""
        if channel_type in PUSH_TYPES:
            return partial(self._push, channel_type)
        return {EMAIL: self._email, VOICE: self._voice}.get(channel_type, self._sms)

    async def _email(self, app_id: str, version: int) -> Provider | None:
        try:
            channel = await self._channels.email(app_id)
            if channel is None or not channel.enabled:
                return None
            sign = _signer(channel)
        except (SecretUnreadable, KeyUnusable) as error:
            _tell_unusable(app_id, error)
            return None
        rate = channel.messages_per_second
        limits = (Limit(f"email/{app_id}", rate),) if rate else ()
        return Provider(version, channel, self._mail_adapter(channel), limits, sign)

    async def _sms(self, app_id: str, version: int) -> Provider | None:
        try:
            channel = await self._channels.sms(app_id)
        except SecretUnreadable as error:
            _tell_unusable(app_id, error)
            return None
        if channel is None or not channel.enabled:
            return None
        limits = sms_limits(app_id, channel, self._own_account)
        return Provider(version, channel, self._sms_adapter(app_id, channel), limits)

    async def _push(self, channel_type: str, app_id: str, version: int) -> Provider | None:
        try:
            channel = await self._channels.channel(app_id, channel_type)
            if channel is None or isinstance(channel, VoiceChannel) or not channel.enabled:
                return None
            adapter = self._push_adapter(channel_type, channel)
        except (SecretUnreadable, ValueError, KeyError) as error:
            _tell_unusable(app_id, error)
            return None
        rate = channel.messages_per_second
        limits = (Limit(f"{channel_type.lower()}/{app_id}", rate),) if rate else ()
        return Provider(version, channel, adapter, limits)

    async def _voice(self, app_id: str, version: int) -> Provider | None:
        try:
            channel = await self._channels.channel(app_id, VOICE)
        except SecretUnreadable as error:
            _tell_unusable(app_id, error)
            return None
        if not isinstance(channel, VoiceChannel) or not channel.enabled:
            return None
        if not channel.account_sid and channel.aws is None:
            return None
        calls = channel.calls_per_minute or CALLS_PER_MINUTE
        limits = (Limit(f"voice/{app_id}", calls, window_seconds=60),)
        return Provider(version, channel, self._voice_adapter(app_id, channel), limits)

    def _voice_adapter(self, app_id: str, channel: VoiceChannel) -> KeptAdapter:
        if self._settings.null_provider:
            return NullAdapter()
        if channel.aws is not None:
            url, price = self._settings.aws_sms_url, channel.max_price_per_minute
            return self._aws(AwsVoiceAdapter, channel.aws, url, price)
        url = self._callback_url(app_id, "voice")
        account = TwilioAccount(channel.account_sid, channel.auth_token, url)
        return TwilioCalls(self._twilio_service(), account)

    def _push_adapter(self, channel_type: str, channel: PushChannel) -> KeptAdapter:
        if self._settings.null_provider:
            return NullAdapter()
        return push_adapter(self._settings, channel_type, channel)

    def _mail_adapter(self, channel: EmailChannel) -> KeptAdapter:
        if self._settings.null_provider:
            return NullAdapter()
        ways = [
            self._aws(SesAdapter, one, self._settings.ses_url)
            if isinstance(one, Aws)
            else self._smtp(channel, one)
            for one in (channel.ses or channel.smtp, *channel.fallbacks)
        ]
        return _first_of(ways)

    def _aws(self, kind: type[AwsAdapter], aws: Aws, url: str, price: str = "") -> KeptAdapter:
        account = AwsAccount(
            aws.region,
            aws.access_key_id,
            aws.secret_access_key,
            aws.configuration_set,
            url,
            self._settings.provider_timeout_seconds,
            price,
        )
        return kind(account)

    def _smtp(self, channel: EmailChannel, smtp: Smtp) -> SmtpAdapter:
        host, port, security = smtp.host, smtp.port, smtp.security.value
        if not host:
            host, port = split_address(self._settings.smtp_addr)
            security = self._settings.smtp_security
        server = MailServer(
            host,
            port,
            security,
            smtp.username,
            smtp.password,
            smtp.verify_certificate,
            connections_of(smtp.connections),
            channel.identity or "localhost",
            self._settings.provider_timeout_seconds,
        )
        return SmtpAdapter(server)

    def _sms_adapter(self, app_id: str, channel: SmsChannel) -> KeptAdapter:
        if self._settings.null_provider:
            return NullAdapter()
        first = channel.twilio or channel.aws or channel.smpp
        if isinstance(first, Smpp) and not channel.fallbacks:
            return self._shared_link(first)
        return _first_of([self._sms_way(app_id, one) for one in (first, *channel.fallbacks)])

    def _sms_way(self, app_id: str, one: Smpp | Twilio | Aws) -> KeptAdapter:
        if isinstance(one, Aws):
            return self._aws(AwsSmsAdapter, one, self._settings.aws_sms_url)
        return self._twilio(app_id, one) if isinstance(one, Twilio) else self._link(one)

    def _shared_link(self, smpp: Smpp) -> SmppAdapter:
        # One link for all who send over an account with the same settings: centres allow few.
        key = (replace(self._account(smpp), ssl=None), smpp.tls, window_of(smpp.window))
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = self._link(smpp)
        return link

    def _link(self, smpp: Smpp) -> SmppAdapter:
        return SmppAdapter(
            self._account(smpp),
            Ears(self._receipts.sms, self._inbound.hear),
            Limits(window=window_of(smpp.window)),
            self._settings.provider_timeout_seconds,
        )

    def _twilio(self, app_id: str, twilio: Twilio) -> TwilioAdapter:
        url = self._callback_url(app_id, "sms")
        account = TwilioAccount(twilio.account_sid, twilio.auth_token, url)
        return TwilioAdapter(self._twilio_service(), account)

    def _callback_url(self, app_id: str, channel: str) -> str:
        links = self._settings.links_url.rstrip("/")
        return f"{links}/callbacks/twilio/{app_id}/{channel}" if links else ""

    def _twilio_service(self) -> PushService:
        settings = self._settings
        return PushService(
            settings.twilio_url, settings.provider_timeout_seconds, settings.push_ca_file
        )

    def _account(self, smpp: Smpp) -> Account:
        if not smpp.host:
            host, port = split_address(self._settings.smpp_addr)
            password = self._settings.smpp_password.get_secret_value()
            return Account(host, port, self._settings.smpp_system_id, password)
        tls = ssl.create_default_context() if smpp.tls else None
        return Account(
            smpp.host, smpp.port, smpp.system_id, smpp.password, smpp.system_type, ssl=tls
        )


def _first_of(ways: Sequence[KeptAdapter]) -> KeptAdapter:
    """The only way, or the first of several that is well."""
    if len(ways) == 1:
        return ways[0]
    return Failover([Way(f"provider {place + 1}", one) for place, one in enumerate(ways)])


def _signer(channel: EmailChannel) -> Callable[[bytes], bytes] | None:
    dkim = channel.dkim
    if not dkim.selector or not dkim.private_key:
        return None
    return DkimSigner(channel.identity, dkim.selector, dkim.private_key).sign


def _tell_unusable(app_id: str, error: Exception) -> None:
    get_logger().error("channel_unusable", application_id=app_id, cause=type(error).__name__)
