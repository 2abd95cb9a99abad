"""Innermost: who calls, whether the method's role allows it, and whether the application is theirs.

Credentials are `authorization: Bearer <access key id>:<secret>` for API keys, and
`authorization: Peer <token>` between services. The role a method needs is an option in its proto.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from touchpoint.common.v1 import access_pb2

from libs.chassis import context
from libs.chassis.context import Principal
from libs.chassis.interceptors.interceptor import Call, Interceptor
from libs.errors import RoleTooLow, Unauthenticated

OPEN = ("/grpc.health.", "/grpc.reflection.")


class Authenticator(Protocol):
    """Finds out who holds a key."""

    async def authenticate(self, access_key_id: str, secret_hash: bytes) -> Principal:
        """The key's principal. Raises Unauthenticated."""
        ...


class AuthInterceptor(Interceptor):
    """Refuses whoever may not call the method, and remembers whoever may."""

    def __init__(
        self,
        authenticator: Authenticator,
        peer_token: str,
        roles: Mapping[str, int],
    ) -> None:
        self._authenticator = authenticator
        self._peer_token = peer_token
        self._roles = roles

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        if not call.method.startswith(OPEN):
            caller = await self._caller(call.metadata.get("authorization", ""))
            context.set_principal(caller)
            required = self._roles.get(call.method, access_pb2.ROLE_SERVICE)
            if caller.role < required:
                name = access_pb2.Role.Name(access_pb2.Role.ValueType(required)).removeprefix(
                    "ROLE_"
                )
                raise RoleTooLow(f"the method needs {name}", metadata={"required_role": name})
            app_id = getattr(call.request, "application_id", "")
            if app_id:
                context.enter_application(app_id)
        yield

    async def _caller(self, header: str) -> Principal:
        scheme, _, credentials = header.partition(" ")
        if scheme == "Peer" and self._peer_token:
            if hmac.compare_digest(credentials.encode(), self._peer_token.encode()):
                return Principal("peer", access_pb2.ROLE_SERVICE)
            raise Unauthenticated("the peer token is wrong")
        if scheme != "Bearer":
            raise Unauthenticated("authorization: Bearer <access key id>:<secret> is missing")
        access_key_id, _, secret = credentials.partition(":")
        secret_hash = hashlib.sha256(secret.encode()).digest()
        return await self._authenticator.authenticate(access_key_id, secret_hash)
