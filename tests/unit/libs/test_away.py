"""What counts as away: connections and peers, never bad requests or bugs."""

import aio_pika
import grpc
import pytest
from grpc import aio
from pymongo import errors

from libs.away import is_away
from libs.errors import DependencyUnavailable, ResourceNotFound


def _rpc(code: grpc.StatusCode) -> aio.AioRpcError:
    return aio.AioRpcError(code, aio.Metadata(), aio.Metadata())


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (DependencyUnavailable("x"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (errors.ServerSelectionTimeoutError(), True),
        (errors.AutoReconnect(), True),
        (errors.NotPrimaryError(), True),
        (errors.OperationFailure("bad query"), False),
        (errors.OperationFailure("shutting down", 91), True),
        (errors.WriteConcernError("shutting down", 91), True),
        (errors.WTimeoutError("slow"), True),
        (errors.BulkWriteError({"writeErrors": [], "writeConcernErrors": []}), False),
        (errors.BulkWriteError({"writeErrors": [], "writeConcernErrors": [{}]}), True),
        (errors.BulkWriteError({"writeErrors": [{}], "writeConcernErrors": [{}]}), False),
        (errors.DuplicateKeyError("twice"), False),
        (aio_pika.exceptions.ChannelInvalidStateError(), True),
        (aio_pika.exceptions.AMQPConnectionError(), True),
        (_rpc(grpc.StatusCode.UNAVAILABLE), True),
        (_rpc(grpc.StatusCode.INVALID_ARGUMENT), False),
        (_rpc(grpc.StatusCode.INTERNAL), False),
        (ResourceNotFound("x", "y"), False),
        (ValueError(), False),
        (KeyError(), False),
    ],
)
def test_only_what_waiting_helps_is_away(error: Exception, *, away: bool) -> None:
    assert is_away(error) is away
