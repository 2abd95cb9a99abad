"""Access tokens of OAuth 2.0, fetched before they are needed and shared by all requests."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import httpx

from services.messaging.adapters.push_client import json_of

EARLY_SECONDS: Final = 60.0
_USUAL_SECONDS: Final = 3600


class CredentialsRefused(Exception):
    """The authorization server does not know us; the text is its error code."""


class Bearer:
    """A token for as long as it lives; `grant` makes the form that asks for one (RFC 6749)."""

    def __init__(
        self, client: httpx.AsyncClient, url: str, grant: Callable[[], Mapping[str, str]]
    ) -> None:
        self._client = client
        self._url = url
        self._grant = grant
        self._token = ""
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> str:
        """The token. Raises CredentialsRefused, or httpx.HTTPError."""
        async with self._lock:
            if not self._token or time.monotonic() >= self._until:
                await self._fetch()
            return self._token

    def refuse(self, token: str) -> None:
        """Forget a token that was not accepted; the next one is asked for anew."""
        if token == self._token:
            self._token = ""

    async def _fetch(self) -> None:
        answer = await self._client.post(self._url, data=dict(self._grant()))
        read = json_of(answer)
        token = read.get("access_token")
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise httpx.ConnectError(f"the authorization server answers {answer.status_code}")
        if answer.status_code != httpx.codes.OK or not isinstance(token, str):
            raise CredentialsRefused(str(read.get("error", answer.status_code)))
        lifetime = read.get("expires_in", _USUAL_SECONDS)
        seconds = float(lifetime) if isinstance(lifetime, int | float | str) else _USUAL_SECONDS
        self._token, self._until = token, time.monotonic() + seconds - EARLY_SECONDS
