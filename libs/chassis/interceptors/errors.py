"""The one map from our errors to gRPC statuses; what is not mapped is INTERNAL and says nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
from google.protobuf import any_pb2, message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from libs.away import is_away
from libs.chassis import context
from libs.chassis.interceptors.interceptor import Call, Interceptor
from libs.chassis.logging import get_logger
from libs.errors import (
    DeadlineExceeded,
    DependencyUnavailable,
    Kind,
    NotBuilt,
    QuotaExceeded,
    TouchpointError,
    Violation,
)

DOMAIN = "touchpoint"


def status_of(error: TouchpointError) -> status_pb2.Status:
    """The rich status: ErrorInfo always; BadRequest, RetryInfo and QuotaFailure when due."""
    status = status_pb2.Status(code=code_pb2.Code.Value(error.kind.value), message=error.message)
    status.details.extend(_packed(part) for part in _details(error))
    return status


def _details(error: TouchpointError) -> list[message.Message]:
    details: list[message.Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    ]
    if error.violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=v.field, description=v.description
                    )
                    for v in error.violations
                ]
            )
        )
    if error.retry_seconds is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(timedelta(seconds=error.retry_seconds))
        details.append(retry)
    if isinstance(error, QuotaExceeded):
        violation = error_details_pb2.QuotaFailure.Violation(
            subject=error.metadata["quota"], description=error.message
        )
        details.append(error_details_pb2.QuotaFailure(violations=[violation]))
    return details


def _packed(part: message.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(part)
    return packed


def _internal() -> TouchpointError:
    return TouchpointError("internal error", metadata={"request_id": context.request_id()})


class ErrorsInterceptor(Interceptor):
    """Ends calls with our errors, those of deadline and auth too."""

    def __init__(self) -> None:
        self._log = get_logger()

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        try:
            yield
        except TouchpointError as error:
            await _abort(call, error)
        except TimeoutError:
            await _abort(call, DeadlineExceeded("the call did not finish in time"))
        except (asyncio.CancelledError, aio.AbortError):
            raise
        except aio.AioRpcError as error:
            self._log.warning("peer_call_failed", method=call.method, peer_code=error.code().name)
            await _abort(call, peer_error(error))
        except NotImplementedError:
            await _abort(call, NotBuilt(call.method.rpartition("/")[2]))
        except Exception as error:
            if is_away(error):
                self._log.warning("dependency_failed", method=call.method, exc_info=True)
                await _abort(call, DependencyUnavailable("a dependency"))
            self._log.exception("call_crashed", method=call.method)
            await _abort(call, _internal())


def peer_error(error: aio.AioRpcError) -> TouchpointError:
    """What a failed call to another service means to our own caller.

    Answers about the caller's request (bad fields, not found...) are passed on with their details;
    everything else is a dependency that does not answer.
    """
    status = _rich_status(error)
    if status is None or error.code() not in _PASSED_ON:
        return DependencyUnavailable("a peer service")
    return _from_status(error.code(), status)


_PASSED_ON = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


def _rich_status(error: aio.AioRpcError) -> status_pb2.Status | None:
    metadata: object = error.trailing_metadata() or ()
    for key, value in metadata:  # type: ignore[attr-defined]
        if key == "grpc-status-details-bin":
            return status_pb2.Status.FromString(value)
    return None


def _from_status(code: grpc.StatusCode, status: status_pb2.Status) -> TouchpointError:
    error = TouchpointError(status.message)
    error.kind = Kind(code.name)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for part in status.details:
        if part.Unpack(info):
            error.reason, error.metadata = info.reason, dict(info.metadata)
        elif part.Unpack(bad):
            error.violations = tuple(
                Violation(v.field, v.description) for v in bad.field_violations
            )
    return error


async def _abort(call: Call, error: TouchpointError) -> None:
    status = rpc_status.to_status(status_of(error))
    await call.context.abort(status.code, status.details, status.trailing_metadata)
