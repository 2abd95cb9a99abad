"""Error kinds and machine-readable reasons, free of gRPC, so that domain code may raise them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What went wrong, in gRPC's words; the errors interceptor maps each to a status."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    ABORTED = "ABORTED"
    FAILED_PRECONDITION = "FAILED_PRECONDITION"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Violation:
    """One bad field: its path in the request (`campaign.schedule.start_time`) and what is wrong."""

    field: str
    description: str


class TouchpointError(Exception):
    """An error that may be told to the caller as it is.

    `reason` is a value of `ErrorReason` without its prefix; `metadata` holds the keys documented
    beside that value; `retry_seconds` is set when trying again later makes sense.
    """

    kind = Kind.INTERNAL
    reason = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_seconds = retry_seconds


class InvalidFields(TouchpointError):
    """One or more fields of a request are wrong. Names every one of them."""

    kind = Kind.INVALID_ARGUMENT
    reason = "INVALID_FIELDS"

    def __init__(self, violations: Sequence[Violation]) -> None:
        told = "; ".join(f"{v.field}: {v.description}" for v in violations[:5])
        more = f" and {len(violations) - 5} more" if len(violations) > 5 else ""
        super().__init__(told + more, violations=violations)


class PageTokenInvalid(TouchpointError):
    """A page token is damaged or belongs to another query."""

    kind = Kind.INVALID_ARGUMENT
    reason = "PAGE_TOKEN_INVALID"

    def __init__(self) -> None:
        super().__init__(
            "the page token does not belong to this query",
            violations=[Violation("page_token", "does not belong to this query")],
        )


class ResourceNotFound(TouchpointError):
    """A resource does not exist in this application."""

    kind = Kind.NOT_FOUND
    reason = "RESOURCE_NOT_FOUND"

    def __init__(self, resource: str, resource_id: str) -> None:
        super().__init__(
            f"{resource} {resource_id} does not exist",
            metadata={"resource": resource, "id": resource_id},
        )


class ResourceExists(TouchpointError):
    """A resource of that key exists already."""

    kind = Kind.ALREADY_EXISTS
    reason = "RESOURCE_EXISTS"

    def __init__(self, resource: str, resource_id: str) -> None:
        super().__init__(
            f"{resource} {resource_id} exists already",
            metadata={"resource": resource, "id": resource_id},
        )


class VersionConflict(TouchpointError):
    """A resource changed since it was read."""

    kind = Kind.ABORTED
    reason = "VERSION_CONFLICT"

    def __init__(self, resource: str, resource_id: str) -> None:
        super().__init__(
            f"{resource} {resource_id} was changed by someone else; read it again",
            metadata={"resource": resource, "id": resource_id},
        )


class StateConflict(TouchpointError):
    """The operation is not allowed in the resource's present state."""

    kind = Kind.FAILED_PRECONDITION
    reason = "STATE_CONFLICT"

    def __init__(self, resource: str, state: str, message: str) -> None:
        super().__init__(message, metadata={"resource": resource, "state": state})


class SegmentCycle(TouchpointError):
    """Segments refer to each other in a circle, or too deep."""

    kind = Kind.INVALID_ARGUMENT
    reason = "SEGMENT_CYCLE"


class Unauthenticated(TouchpointError):
    """No credentials, or credentials that are not valid."""

    kind = Kind.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class RoleTooLow(TouchpointError):
    """The caller's role does not allow the method."""

    kind = Kind.PERMISSION_DENIED
    reason = "ROLE_TOO_LOW"


class ApplicationForbidden(TouchpointError):
    """The caller's key belongs to other applications."""

    kind = Kind.PERMISSION_DENIED
    reason = "APPLICATION_FORBIDDEN"

    def __init__(self, application_id: str) -> None:
        super().__init__(
            "this key does not open the application", metadata={"application_id": application_id}
        )


class SignatureInvalid(TouchpointError):
    """A provider's callback is not signed with the credentials of the channel."""

    kind = Kind.PERMISSION_DENIED
    reason = "SIGNATURE_INVALID"

    def __init__(self) -> None:
        super().__init__("the signature is not that of the channel's provider")


class QuotaExceeded(TouchpointError):
    """A quota is used up. `limit` is the quota's value."""

    kind = Kind.RESOURCE_EXHAUSTED
    reason = "QUOTA_EXCEEDED"

    def __init__(self, quota: str, limit: int) -> None:
        super().__init__(
            f"no more than {limit} {quota}", metadata={"quota": quota, "limit": str(limit)}
        )


class RateLimited(TouchpointError):
    """Too much for now; try again after `retry_seconds`."""

    kind = Kind.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"

    def __init__(self, limit: str, retry_seconds: float) -> None:
        super().__init__(
            f"above the rate of {limit}", metadata={"limit": limit}, retry_seconds=retry_seconds
        )


class PayloadTooLarge(TouchpointError):
    """The request is larger than allowed. `limit_bytes` is the largest size."""

    kind = Kind.RESOURCE_EXHAUSTED
    reason = "PAYLOAD_TOO_LARGE"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"larger than {limit_bytes} bytes", metadata={"limit": str(limit_bytes)})


class UrlForbidden(TouchpointError):
    """A URL points to an address this installation may not call."""

    kind = Kind.INVALID_ARGUMENT
    reason = "URL_FORBIDDEN"

    def __init__(self, field: str, host: str, why: str) -> None:
        super().__init__(
            f"{field}: {why}", metadata={"url_host": host}, violations=[Violation(field, why)]
        )


class DependencyUnavailable(TouchpointError):
    """Something this service needs does not answer; try again."""

    kind = Kind.UNAVAILABLE
    reason = "DEPENDENCY_UNAVAILABLE"

    def __init__(self, dependency: str, retry_seconds: float = 1.0) -> None:
        super().__init__(
            f"{dependency} does not answer",
            metadata={"dependency": dependency},
            retry_seconds=retry_seconds,
        )


class DeadlineExceeded(TouchpointError):
    """The call did not finish in time."""

    kind = Kind.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class NotBuilt(TouchpointError):
    """The feature is not built yet."""

    kind = Kind.UNIMPLEMENTED
    reason = "NOT_IMPLEMENTED"

    def __init__(self, feature: str) -> None:
        super().__init__(f"{feature} is not built yet", metadata={"feature": feature})


class Violations:
    """Collects bad fields of one request, so that all of them are named at once."""

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def add(self, field: str, description: str) -> None:
        """Note one bad field."""
        self._found.append(Violation(field, description))

    def check(self, fine: object, field: str, description: str) -> bool:
        """Note the field unless `fine` holds; returns whether it holds."""
        if not fine:
            self.add(field, description)
        return bool(fine)

    def extend(self, found: Sequence[Violation], prefix: str = "") -> None:
        """Note what a check of a part found, under the part's path."""
        self._found.extend(
            Violation(f"{prefix}.{v.field}" if prefix else v.field, v.description) for v in found
        )

    @property
    def found(self) -> tuple[Violation, ...]:
        return tuple(self._found)

    def raise_if_any(self) -> None:
        """Raise InvalidFields when anything was noted."""
        if self._found:
            raise InvalidFields(self._found)
