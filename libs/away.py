"""Which errors say that something needed is away for the moment, and not that a request is bad."""

from typing import Any

from libs.errors import DependencyUnavailable

# Names, so that who needs no driver imports none. A class counts with all that inherit from it.
_AWAY_CLASSES = frozenset(
    {
        "ConnectionFailure",  # pymongo: no server, no primary, lost connection
        "WaitQueueTimeoutError",
        "ExecutionTimeout",
        "WriteConcernError",  # written, but not yet by a majority: it may be rolled back
        "AMQPError",  # aiormq, aio_pika
        "ChannelInvalidStateError",
    }
)
# Codes a server gives while it shuts down, steps down or waits (MongoDB error codes).
_AWAY_MONGO_CODES = frozenset({6, 7, 64, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})
_AWAY_LABELS = ("RetryableWriteError", "TransientTransactionError")
_AWAY_CODES = frozenset(
    {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED", "RESOURCE_EXHAUSTED"}
)


def is_away(error: BaseException) -> bool:
    """Whether waiting and trying again is the answer to an error."""
    if isinstance(error, DependencyUnavailable | ConnectionError | TimeoutError):
        return True
    kind = type(error)
    if kind.__name__ == "AioRpcError":
        code: Any = getattr(error, "code", None)
        return code is not None and code().name in _AWAY_CODES
    if any(parent.__name__ in _AWAY_CLASSES for parent in kind.__mro__):
        return True
    return _is_away_server(error)


def _is_away_server(error: BaseException) -> bool:
    details: Any = getattr(error, "details", None) or {}
    if isinstance(details, dict) and "writeErrors" in details:  # a bulk write's
        return not details["writeErrors"] and bool(details.get("writeConcernErrors"))
    if getattr(error, "code", None) in _AWAY_MONGO_CODES:
        return True
    labelled: Any = getattr(error, "has_error_label", None)
    return labelled is not None and any(labelled(label) for label in _AWAY_LABELS)
