"""Puts the sandbox together."""

import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog
from starlette.routing import Route

from libs.chassis.listen import split_address
from libs.chassis.run import Parts
from services.sandbox.adapters.apns import ApnsServer
from services.sandbox.adapters.certificate import server_context
from services.sandbox.adapters.smpp.server import Credentials, SmppServer
from services.sandbox.adapters.smtp import Login, SmtpServer
from services.sandbox.adapters.sns_signing import SnsSigner
from services.sandbox.clients import SmtpPostman, WebBrowser
from services.sandbox.config import Settings
from services.sandbox.domain.log import MessageLog
from services.sandbox.http.application import Parts as HttpParts
from services.sandbox.http.application import application
from services.sandbox.http.aws import AwsRoutes
from services.sandbox.http.push import PushRoutes, push_application
from services.sandbox.http.server import serving
from services.sandbox.http.sns import SnsRoutes
from services.sandbox.http.twilio import TwilioRoutes
from services.sandbox.http.webhook import WebhookRoutes
from services.sandbox.usecases.callbacks import CallsBack
from services.sandbox.usecases.later import Later
from services.sandbox.usecases.mail import MailHost
from services.sandbox.usecases.push import PushHost
from services.sandbox.usecases.script import Script
from services.sandbox.usecases.sms import SmsCentre
from services.sandbox.usecases.sns import Topics
from services.sandbox.usecases.web_sms import WebSms
from services.sandbox.usecases.webhooks import WebhookHost

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where an opened sandbox listens, for those who asked for port 0."""

    smtp: int
    smpp: int
    http: int
    apns: int
    push: int


async def setup(settings: Settings, stack: AsyncExitStack) -> Parts:
    """Open the sandbox for `libs.chassis.run`; it has no gRPC services but health."""
    ports = await opened(settings, stack)
    log.info("sandbox_opened", smtp=ports.smtp, smpp=ports.smpp, http=ports.http)
    return Parts()


async def opened(settings: Settings, stack: AsyncExitStack) -> Ports:
    """Open every server on the stack, and say on which ports they listen."""
    script, records = Script(), MessageLog(settings.log_messages, settings.log_bytes)
    later = await stack.enter_async_context(Later(settings.reactions_at_once))
    browser = WebBrowser.open(settings.allowed_hosts(), settings.reactions_at_once)
    stack.push_async_callback(browser.close)
    mail = _mail_host(settings, stack, (script, records, later), browser)
    sms, push = SmsCentre(script, records, later), PushHost(script, records)
    web, webhooks = WebSms(script, records), WebhookHost(script, records)
    centre = await _open_smpp(settings, stack, sms)
    host, port = split_address(settings.smtp_listen)
    tls, certificate = server_context(host)
    login = Login(settings.smtp_username, settings.smtp_password.get_secret_value())
    smtp = await SmtpServer.open((host, port), mail, login, tls)
    stack.push_async_callback(smtp.close)
    parts = HttpParts(
        script, records, later, mail, sms, push, web, webhooks, centre.deliver,
        lambda: _forget(sms, centre), lambda: (centre.bound, centre.waiting), certificate,
    )  # fmt: skip
    http = serving(application(parts), split_address(settings.http_listen))
    port = await stack.enter_async_context(http)
    token = settings.twilio_auth_token.get_secret_value()
    signer = SnsSigner()
    topics = Topics(later, browser.post_body, signer.signature)
    texts = [
        *TwilioRoutes(web, token, CallsBack(later, browser.post_form, token)).routes(),
        *AwsRoutes(web, settings.aws_key_id, topics).routes(),
        *SnsRoutes(topics, signer.certificate).routes(),
        *WebhookRoutes(webhooks).routes(),
    ]
    services = await _open_push(settings, stack, push, texts, tls)
    return Ports(smtp.port, centre.port, port, *services)


async def _open_push(
    settings: Settings,
    stack: AsyncExitStack,
    push: PushHost,
    texts: Sequence[Route],
    tls: ssl.SSLContext,
) -> tuple[int, int]:
    """Open Apple's service, and the others over HTTP; returns their ports."""
    tls.set_alpn_protocols(["h2"])
    if settings.apns_client_ca:
        tls.load_verify_locations(settings.apns_client_ca)
        tls.verify_mode = ssl.CERT_OPTIONAL
    address = split_address(settings.apns_listen)
    apple = await ApnsServer.open(address, push, tls if settings.apns_tls else None)
    stack.push_async_callback(apple.close)
    secret = settings.baidu_secret_key.get_secret_value()
    routes = PushRoutes(push, secret, settings.push_token_seconds)
    others = serving(push_application(routes, texts), split_address(settings.push_listen))
    return apple.port, await stack.enter_async_context(others)


def _forget(sms: SmsCentre, centre: SmppServer) -> None:
    sms.forget()
    centre.forget()


def _mail_host(
    settings: Settings,
    stack: AsyncExitStack,
    state: tuple[Script, MessageLog, Later],
    browser: WebBrowser,
) -> MailHost:
    postman = None
    if settings.bounce_smtp:
        postman = SmtpPostman(split_address(settings.bounce_smtp))
        stack.push_async_callback(postman.close)
    return MailHost(*state, browser, postman)


async def _open_smpp(settings: Settings, stack: AsyncExitStack, sms: SmsCentre) -> SmppServer:
    credentials = Credentials(settings.smpp_system_id, settings.smpp_password.get_secret_value())
    server = SmppServer(split_address(settings.smpp_listen), sms, credentials)
    sms.script.on_change.append(server.drop_if_down)
    return await stack.enter_async_context(server)
