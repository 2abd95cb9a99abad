"""What the sandbox says to others: a recipient's web requests, and reports to the sender's host."""

import asyncio
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiosmtplib import SMTP, SMTPServerDisconnected

MAX_REDIRECTS: Final = 10
TIMEOUT_SECONDS: Final = 10.0
USER_AGENT: Final = "Mozilla/5.0 (Sandbox; recipient)"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
ONE_CLICK: Final = {"List-Unsubscribe": "One-Click"}


class HostNotAllowedError(Exception):
    """A link of a mail points outside the loopback and ACTION_HOSTS."""


class WebBrowser:
    """Requests only hosts that are named as allowed, or written as a loopback address."""

    def __init__(self, session: aiohttp.ClientSession, allowed: Collection[str]) -> None:
        self._session = session
        self._allowed = allowed

    @classmethod
    def open(cls, allowed: Collection[str], at_once: int) -> Self:
        """Make a browser without cookies: every recipient is someone else."""
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=at_once),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            headers={"User-Agent": USER_AGENT},
        )
        return cls(session, allowed)

    async def close(self) -> None:
        """Close idle connections."""
        await self._session.close()

    async def get(self, url: str) -> None:
        """Follow a link and its redirects, up to the first host that is not allowed.

        HostNotAllowedError when that is the link itself.
        """
        if not self._is_allowed(url):
            raise HostNotAllowedError
        for _ in range(MAX_REDIRECTS):
            target = await self._hop(url)
            if target is None or not self._is_allowed(target):
                return
            url = target

    async def unsubscribe(self, url: str) -> None:
        """Post RFC 8058's one form field; it forbids following redirects."""
        if not self._is_allowed(url):
            raise HostNotAllowedError
        async with self._session.post(url, data=ONE_CLICK, allow_redirects=False) as response:
            await response.read()

    async def post_form(
        self, url: str, fields: Mapping[str, str], headers: Mapping[str, str]
    ) -> None:
        """Post a form. HostNotAllowedError, or ClientResponseError when it is refused."""
        if not self._is_allowed(url):
            raise HostNotAllowedError
        async with self._session.post(
            url, data=dict(fields), headers=headers, allow_redirects=False
        ) as response:
            await response.read()
            response.raise_for_status()

    async def post_body(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post a body. HostNotAllowedError, or ClientResponseError when it is refused."""
        if not self._is_allowed(url):
            raise HostNotAllowedError
        async with self._session.post(
            url, data=body, headers=headers, allow_redirects=False
        ) as response:
            await response.read()
            response.raise_for_status()

    async def _hop(self, url: str) -> str | None:
        async with self._session.get(url, allow_redirects=False) as response:
            await response.read()
            target = response.headers.get("Location")
            is_redirect = response.status in _REDIRECTS and target
            return urljoin(url, target) if is_redirect else None

    def _is_allowed(self, url: str) -> bool:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if parts.scheme not in {"http", "https"}:
            return False
        return host in self._allowed or host == "localhost" or _is_loopback(host)


class SmtpPostman:
    """Keeps one connection to the host that takes bounces and complaints, one mail at a time."""

    def __init__(self, address: tuple[str, int]) -> None:
        host, port = address
        self._client = SMTP(hostname=host, port=port, start_tls=False, timeout=TIMEOUT_SECONDS)
        self._turn = asyncio.Lock()

    async def send(self, to: str, content: bytes) -> None:
        """Hand over a mail with the null return path; once more on a stale connection."""
        async with self._turn:
            try:
                await self._send(to, content)
            except SMTPServerDisconnected:
                await self._send(to, content)

    async def close(self) -> None:
        """Hang up."""
        self._client.close()

    async def _send(self, to: str, content: bytes) -> None:
        if not self._client.is_connected:
            await self._client.connect()
        await self._client.sendmail("", [to], content)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
