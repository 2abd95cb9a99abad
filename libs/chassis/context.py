"""What belongs to the call at hand, over every wire: request id, application, principal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from libs.errors import ApplicationForbidden, Unauthenticated

REQUEST_ID = "x-request-id"

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_application_id: ContextVar[str] = ContextVar("application_id", default="")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: an API key, or another service. No application ids means all applications."""

    subject: str
    role: int  # a value of touchpoint.common.v1.Role; a higher one includes the lower
    application_ids: frozenset[str] = frozenset()

    def opens(self, application_id: str) -> bool:
        """Whether this caller may work in the application."""
        return not self.application_ids or application_id in self.application_ids


_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)


def request_id() -> str:
    """Id of the call at hand; empty outside of one."""
    return _request_id.get()


def application_id() -> str:
    """Application of the call at hand; empty when it has none."""
    return _application_id.get()


def principal() -> Principal:
    """Who calls. Raises Unauthenticated outside an authenticated call."""
    caller = _principal.get()
    if caller is None:
        raise Unauthenticated("no credentials")
    return caller


def set_principal(caller: Principal) -> None:
    """Remember who calls; the auth interceptor does this."""
    _principal.set(caller)


def enter_application(app_id: str) -> None:
    """Remember the call's application, and refuse a caller whose key does not open it."""
    caller = _principal.get()
    if caller is not None and not caller.opens(app_id):
        raise ApplicationForbidden(app_id)
    _application_id.set(app_id)


@contextmanager
def call(call_request_id: str, app_id: str = "") -> Iterator[None]:
    """Run the body as part of a call."""
    tokens = (_request_id.set(call_request_id), _application_id.set(app_id), _principal.set(None))
    try:
        yield
    finally:
        _request_id.reset(tokens[0])
        _application_id.reset(tokens[1])
        _principal.reset(tokens[2])


def headers() -> Mapping[str, str]:
    """What an outgoing call or message carries of the call at hand."""
    current = _request_id.get()
    return {REQUEST_ID: current} if current else {}
