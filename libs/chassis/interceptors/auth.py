"""Innermost: who calls, whether the method's role allows it, and whether the application is theirs.

Credentials are `authorization: Bearer <access key id>:<secret>` for API keys, and
`authorization: Peer <token>` between services. The role a method needs is an option in its proto.
A peer that has verified a key by other means (the REST edge: a signature) names it in
`x-acting-for` and has that key's rights instead of its own.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import Protocol

from touchpoint.common.v1 import access_pb2

from libs.chassis import context
from libs.chassis.context import Principal
from libs.chassis.interceptors.interceptor import Call, Interceptor
from libs.errors import RoleTooLow, Unauthenticated

ACTING_FOR = "x-acting-for"
OPEN = ("/grpc.health.", "/grpc.reflection.")


class Authenticator(Protocol):
    """Finds out who holds a key."""

    async def authenticate(self, access_key_id: str, secret_hash: bytes) -> Principal:
        """The key's principal. Raises Unauthenticated."""
        ...

    async def known(self, access_key_id: str) -> Principal:
        """The principal of a key whose holder was verified elsewhere. Raises Unauthenticated."""
        ...


class AuthInterceptor(Interceptor):
    """Refuses whoever may not call the method, and remembers whoever may."""

    def __init__(
        self,
        authenticator: Authenticator,
        peer_token: str,
        roles: Mapping[str, int],
        publishable: AbstractSet[str],
    ) -> None:
        self._authenticator = authenticator
        self._peer_token = peer_token
        self._roles = roles
        self._publishable = publishable

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        if not call.method.startswith(OPEN):
            caller = await self._caller(call.metadata)
            context.set_principal(caller)
            self._check_role(call.method, caller)
            app_id = getattr(call.request, "application_id", "")
            if app_id:
                context.enter_application(app_id)
        yield

    def _check_role(self, method: str, caller: Principal) -> None:
        required = self._roles.get(method, access_pb2.ROLE_SERVICE)
        if caller.role == access_pb2.ROLE_PUBLISHABLE:
            fine = method in self._publishable
        else:
            fine = caller.role >= required
        if not fine:
            name = access_pb2.Role.Name(access_pb2.Role.ValueType(required)).removeprefix("ROLE_")
            raise RoleTooLow(f"the method needs {name}", metadata={"required_role": name})

    async def _caller(self, metadata: Mapping[str, str]) -> Principal:
        scheme, _, credentials = metadata.get("authorization", "").partition(" ")
        if scheme == "Peer" and self._peer_token:
            if not hmac.compare_digest(credentials.encode(), self._peer_token.encode()):
                raise Unauthenticated("the peer token is wrong")
            acting_for = metadata.get(ACTING_FOR, "")
            if acting_for:
                return await self._authenticator.known(acting_for)
            return Principal("peer", access_pb2.ROLE_SERVICE)
        if scheme != "Bearer":
            raise Unauthenticated("authorization: Bearer <access key id>:<secret> is missing")
        access_key_id, _, secret = credentials.partition(":")
        secret_hash = hashlib.sha256(secret.encode()).digest()
        return await self._authenticator.authenticate(access_key_id, secret_hash)
