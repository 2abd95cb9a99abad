"""API keys, checked against the applications service and remembered for a short while."""

import hmac
import time
from dataclasses import dataclass

import grpc
from grpc import aio
from touchpoint.applications.v1 import applications_service_pb2 as pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as rpc

from libs.chassis.context import Principal
from libs.errors import DependencyUnavailable, Unauthenticated

REMEMBER_SECONDS = 30.0
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal | None  # None: there is no such key
    secret_hash: bytes
    until: float
    expires: float | None


class RemoteAuthenticator:
    """Asks the applications service once per key and 30 seconds; unknown keys are remembered too,
    so that guessing costs the guesser and not the service.
    """

    def __init__(self, channel: aio.Channel) -> None:
        self._stub = rpc.ApiKeysServiceStub(channel)
        self._known: dict[str, _Known] = {}

    async def authenticate(self, access_key_id: str, secret_hash: bytes) -> Principal:
        known = await self._remembered(access_key_id)
        return checked(known.principal, known.secret_hash, secret_hash, known.expires)

    async def known(self, access_key_id: str) -> Principal:
        """The principal of a key whose holder was verified elsewhere. Raises Unauthenticated."""
        known = await self._remembered(access_key_id)
        return valid(known.principal, known.expires)

    async def _remembered(self, access_key_id: str) -> _Known:
        known = self._known.get(access_key_id)
        if known is None or known.until < time.monotonic():
            known = await self._resolve(access_key_id)
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[access_key_id] = known
        return known

    async def _resolve(self, access_key_id: str) -> _Known:
        until = time.monotonic() + REMEMBER_SECONDS
        try:
            answer = await self._stub.ResolveApiKey(
                pb.ResolveApiKeyRequest(access_key_id=access_key_id), timeout=5
            )
        except aio.AioRpcError as error:
            if error.code() in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT}:
                return _Known(None, b"", until, None)
            raise DependencyUnavailable("applications") from error
        key = answer.api_key
        expires = float(key.expire_time.seconds) if key.HasField("expire_time") else None
        caller = Principal(key.access_key_id, key.role, frozenset(key.application_ids))
        return _Known(None if key.disabled else caller, answer.secret_hash, until, expires)


def checked(
    caller: Principal | None, known_hash: bytes, given_hash: bytes, expires: float | None
) -> Principal:
    """The caller, if the secret fits and the key is still valid (`expires` is epoch seconds)."""
    if not hmac.compare_digest(known_hash, given_hash):
        raise Unauthenticated("the access key is not valid")
    return valid(caller, expires)


def valid(caller: Principal | None, expires: float | None) -> Principal:
    """The caller, if there is one and the key is still valid (`expires` is epoch seconds)."""
    if caller is None or (expires is not None and expires < time.time()):
        raise Unauthenticated("the access key is not valid")
    return caller
