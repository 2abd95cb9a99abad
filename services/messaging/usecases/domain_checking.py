"""A domain looked at from all sides, as an application's email channel sends from it."""

import asyncio
from typing import Protocol

from libs.errors import Violations
from services.messaging.domain.channels import EmailChannel
from services.messaging.domain.domain_checks import (
    Answer,
    CheckVerdict,
    DomainCheck,
    Sending,
    ascii_domain,
    dkim_check,
    dmarc_check,
    dmarc_hosts,
    is_selector,
    mx_check,
    published_form,
    spf_check,
)
from services.messaging.domain.mime import parsed_address
from services.messaging.store.channels import ChannelStore


class Records(Protocol):
    """Whoever answers for the DNS."""

    async def txt(self, host: str) -> Answer:
        """The texts at a name."""
        ...

    async def mx(self, host: str) -> Answer:
        """The mail servers of a name."""
        ...


class DomainChecking:
    """Checks domains."""

    def __init__(self, channels: ChannelStore, records: Records) -> None:
        self._channels = channels
        self._records = records

    async def check(
        self, app_id: str, domain: str, selector: str
    ) -> tuple[str, tuple[DomainCheck, ...]]:
        """The domain in ASCII form and a check of each kind.

        Empty names mean those of the email channel. Raises InvalidFields.
        """
        channel = await self._channels.email(app_id)
        name, selector = _names(channel, domain, selector)
        sending = _sending(channel, name, selector)
        key_host = f"{sending.selector}._domainkey.{sending.signs_as or name}"
        answers = await asyncio.gather(
            self._records.txt(name),
            self._records.txt(key_host) if sending.selector else _nothing(),
            self._records.mx(name),
            *(self._records.txt(host) for host in dmarc_hosts(name)),
        )
        return name, (
            spf_check(answers[0], sending),
            dkim_check(answers[1], sending),
            dmarc_check(name, answers[3:], sending),
            mx_check(answers[2]),
        )

    async def warnings(self, app_id: str) -> tuple[DomainCheck, ...]:
        """Checks of the email channel's own domain that do not pass; none of a channel that is off.

        An address at no public domain, such as that of a host of one's own, has nothing to check.
        """
        channel = await self._channels.email(app_id)
        if channel is None or not channel.enabled or not _own_domain(channel):
            return ()
        _, checks = await self.check(app_id, "", "")
        return tuple(one for one in checks if one.verdict is not CheckVerdict.PASS)


async def _nothing() -> Answer:
    return Answer("")


def _names(channel: EmailChannel | None, domain: str, selector: str) -> tuple[str, str]:
    """The ASCII domain and the selector that are meant. Raises InvalidFields."""
    given = domain or (_domain_of(channel) if channel else "")
    name, found = ascii_domain(given), Violations()
    wanted = "must be a domain, such as example.com"
    if not given:
        wanted = "is needed: the application has no email channel to take it from"
    found.check(bool(name), "domain", wanted)
    found.check(not selector or is_selector(selector), "dkim_selector", "must be a DKIM selector")
    found.raise_if_any()
    return name, selector


def _domain_of(channel: EmailChannel) -> str:
    return parsed_address(channel.from_address).rpartition("@")[2]


def _own_domain(channel: EmailChannel) -> str:
    return ascii_domain(_domain_of(channel))


def _sending(channel: EmailChannel | None, name: str, selector: str) -> Sending:
    if channel is None:
        return Sending(selector=selector)
    own, signs_as = channel.dkim, ascii_domain(channel.identity)
    # Another selector or domain is looked at for itself: it need not have the channel's key.
    is_own = selector in {"", own.selector} and _is_of(name, signs_as)
    return Sending(
        mail_host=channel.smtp.host,
        is_ses=channel.ses is not None,
        selector=selector or (own.selector if is_own else ""),
        public_key=published_form(own.private_key) if is_own and own.private_key else "",
        signs_as=signs_as if is_own and own.selector else "",
    )


def _is_of(name: str, signs_as: str) -> bool:
    sender = f".{name}"
    return bool(signs_as) and (sender.endswith(f".{signs_as}") or signs_as.endswith(sender))
