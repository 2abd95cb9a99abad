"""Refusals in the shapes of the model: error name, HTTP status, message."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Failure(Exception):
    """What the caller is told. `name` is an error shape of the model, or AWS's common ones."""

    name: str
    status: int
    message: str
    retry_seconds: float | None = None


def bad_request(message: str) -> Failure:
    return Failure("BadRequestException", 400, message)


def not_built(what: str) -> Failure:
    return Failure("NotImplementedException", 501, f"{what} is not built yet")


# gRPC code to the model's error and its status.
_KINDS: Final[Mapping[str, tuple[str, int]]] = {
    "INVALID_ARGUMENT": ("BadRequestException", 400),
    "OUT_OF_RANGE": ("BadRequestException", 400),
    "NOT_FOUND": ("NotFoundException", 404),
    "ALREADY_EXISTS": ("ConflictException", 409),
    "ABORTED": ("ConflictException", 409),
    "FAILED_PRECONDITION": ("ConflictException", 409),
    "PERMISSION_DENIED": ("ForbiddenException", 403),
    "UNAUTHENTICATED": ("ForbiddenException", 403),
    "RESOURCE_EXHAUSTED": ("TooManyRequestsException", 429),
    "UNIMPLEMENTED": ("NotImplementedException", 501),
}
_FAULT: Final = ("InternalServerErrorException", 500)


def of_status(
    code: str,
    message: str,
    modelled: Mapping[str, int],
    *,
    too_large: bool = False,
    retry_seconds: float | None = None,
) -> Failure:
    """A gRPC status as a failure of an operation whose errors are `modelled`."""
    name, status = _KINDS.get(code, _FAULT)
    if too_large:
        name, status = "PayloadTooLargeException", 413
    if modelled and name not in modelled and status in {404, 409, 413}:
        # The SDKs have no class for it there: Pinpoint itself answers these with a bad request.
        name, status = "BadRequestException", 400
    return Failure(name, status, message, retry_seconds)
