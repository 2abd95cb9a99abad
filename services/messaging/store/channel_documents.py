"""The email and SMS channel as documents: settings without secrets, and the secrets by name."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from libs.ids import derived_id
from libs.mongo.client import Document
from services.messaging.domain.channels import (
    Aws,
    Dkim,
    EmailChannel,
    Replies,
    Security,
    Smpp,
    SmsChannel,
    Smtp,
    Twilio,
)

Secrets = Mapping[str, str]
_Provider = Smtp | Smpp | Twilio | Aws
_SECRETS: Final = {Twilio: "auth_token", Aws: "secret_access_key"}


def email_document(channel: EmailChannel) -> tuple[Document, dict[str, str]]:
    """Settings and secrets of the email channel."""
    bare = replace(
        channel,
        smtp=replace(channel.smtp, password=""),
        dkim=replace(channel.dkim, private_key=""),
        fallbacks=(),
        ses=None,
    )
    secrets = {"password": channel.smtp.password, "private_key": channel.dkim.private_key}
    settings = asdict(bare)
    if channel.ses is not None:
        settings["ses"] = asdict(replace(channel.ses, secret_access_key=""))
        secrets["secret_access_key"] = channel.ses.secret_access_key
    documents, more = _fallback_documents(channel.fallbacks)
    return {**settings, "fallbacks": documents}, secrets | more


def email_of(settings: Document, secrets: Secrets) -> EmailChannel:
    """The email channel of a document; documents of before have no fallbacks."""
    smtp = _smtp(settings["smtp"], secrets.get("password", ""))
    dkim = Dkim(settings["dkim"]["selector"], secrets.get("private_key", ""))
    return EmailChannel(
        settings["enabled"],
        settings["from_address"],
        settings["identity"],
        smtp,
        dkim,
        settings["messages_per_second"],
        tuple(one for one in _fallbacks(settings, secrets) if isinstance(one, Smtp | Aws)),
        _aws(settings.get("ses"), secrets),
    )


def sms_document(channel: SmsChannel) -> tuple[Document, dict[str, str]]:
    """Settings and secrets of the SMS channel."""
    bare = replace(
        channel, smpp=replace(channel.smpp, password=""), twilio=None, aws=None, fallbacks=()
    )
    secrets = {"password": channel.smpp.password}
    settings = asdict(bare)
    if channel.twilio is not None:
        settings["twilio"] = {"account_sid": channel.twilio.account_sid}
        secrets["auth_token"] = channel.twilio.auth_token
    if channel.aws is not None:
        settings["aws"] = asdict(replace(channel.aws, secret_access_key=""))
        secrets["secret_access_key"] = channel.aws.secret_access_key
    documents, more = _fallback_documents(channel.fallbacks)
    return {**settings, "fallbacks": documents}, secrets | more


def sms_of(settings: Document, secrets: Secrets) -> SmsChannel:
    """The SMS channel of a document; documents of before have one provider."""
    smpp = replace(Smpp(**settings["smpp"]), password=secrets.get("password", ""))
    account = settings.get("twilio")
    twilio = Twilio(account["account_sid"], secrets.get("auth_token", "")) if account else None
    found = _fallbacks(settings, secrets)
    return SmsChannel(
        settings["enabled"],
        settings["sender_id"],
        settings["origination_number"],
        smpp,
        settings["parts_per_second"],
        Replies(**settings["replies"]),
        twilio,
        tuple(one for one in found if not isinstance(one, Smtp)),
        _aws(settings.get("aws"), secrets),
    )


def _fallback_documents(
    fallbacks: tuple[_Provider, ...],
) -> tuple[list[Document], dict[str, str]]:
    documents, secrets = [], {}
    for one in fallbacks:
        name = _SECRETS.get(type(one), "password")
        document = {"kind": type(one).__name__, **asdict(one), name: ""}
        documents.append(document)
        secrets[_secret_name(document)] = getattr(one, name)
    return documents, secrets


def _secret_name(document: Document) -> str:
    """By whom it is for, not by place: a secret must never go to another provider."""
    names = ("kind", "host", "port", "username", "system_id", "account_sid", "access_key_id")
    return f"fallback_{derived_id(*(str(document.get(name, '')) for name in names))}"


def _fallbacks(settings: Document, secrets: Secrets) -> list[_Provider]:
    found: list[_Provider] = []
    for document in settings.get("fallbacks", ()):
        values: dict[str, Any] = {n: value for n, value in document.items() if n != "kind"}
        secret = secrets.get(_secret_name(document), "")
        if document["kind"] == "Twilio":
            found.append(Twilio(values["account_sid"], secret))
        elif document["kind"] == "Aws":
            found.append(replace(Aws(**values), secret_access_key=secret))
        elif document["kind"] == "Smpp":
            found.append(replace(Smpp(**values), password=secret))
        else:
            found.append(_smtp(values, secret))
    return found


def _aws(values: Document | None, secrets: Secrets) -> Aws | None:
    if not values:
        return None
    return replace(Aws(**values), secret_access_key=secrets.get("secret_access_key", ""))


def _smtp(values: Document, password: str) -> Smtp:
    smtp = Smtp(**values)
    return replace(smtp, security=Security(smtp.security), password=password)
