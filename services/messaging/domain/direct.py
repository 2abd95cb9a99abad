"""Direct sends: what becomes of each recipient, in the words and numbers of spec 6.1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from libs.json_object import json_object
from services.messaging.domain.channels import DIRECT_CHANNELS
from services.messaging.domain.families import PUSH_TYPES, family
from services.messaging.domain.recipients import EMAIL, address_fault, normalized

MOST_RECIPIENTS: Final = 100
STOP_KEYWORD: Final = "STOP_KEYWORD"


class DeliveryStatus(StrEnum):
    """What became of one recipient: `DeliveryStatus` without its prefix."""

    SUCCESSFUL = "SUCCESSFUL"
    THROTTLED = "THROTTLED"
    TEMPORARY_FAILURE = "TEMPORARY_FAILURE"
    PERMANENT_FAILURE = "PERMANENT_FAILURE"
    OPT_OUT = "OPT_OUT"
    DUPLICATE = "DUPLICATE"


STATUS_CODES: Final[Mapping[DeliveryStatus, int]] = {
    DeliveryStatus.SUCCESSFUL: 200,
    DeliveryStatus.THROTTLED: 429,
    DeliveryStatus.TEMPORARY_FAILURE: 503,
    DeliveryStatus.PERMANENT_FAILURE: 400,
    DeliveryStatus.OPT_OUT: 400,
    DeliveryStatus.DUPLICATE: 400,
}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one recipient; `message_id` is empty when nothing is sent."""

    status: DeliveryStatus
    message: str
    message_id: str = ""
    address: str = ""

    @property
    def status_code(self) -> int:
        return STATUS_CODES[self.status]


@dataclass(frozen=True, slots=True)
class Reached:
    """An endpoint as the endpoints service has it; `snapshot` is its serialized form."""

    endpoint_id: str
    channel_type: str
    address: str
    user_id: str = ""
    opted_out: bool = False
    inactive: bool = False
    snapshot: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """One recipient of a call. `field` is its place in the request, as an error names it.

    `fault` is a result known beforehand: there is no such endpoint, or nobody could be asked.
    """

    field: str
    channel_type: str = ""
    address: str = ""
    endpoint: Reached | None = None
    body_override: str = ""
    raw_content: str = ""
    fault: Result | None = None

    @property
    def normal(self) -> str:
        return normalized(self.channel_type, self.address)

    @property
    def endpoint_id(self) -> str:
        return self.endpoint.endpoint_id if self.endpoint else ""


@dataclass(frozen=True, slots=True)
class Gates:
    """What decides: channels with content, why others have none, channels that may send, channels
    that an operator holds, lists.

    `opted_out` are endpoint ids and `suppressed` addresses with their reason by channel, all in
    lower case.
    """

    contents: frozenset[str]
    away: Mapping[str, Result]
    enabled: frozenset[str]
    held: frozenset[str]
    opted_out: frozenset[str]
    suppressed: Mapping[tuple[str, str], str]


def permanent(field_name: str, why: str) -> Result:
    """A refusal that names the field at fault."""
    return Result(DeliveryStatus.PERMANENT_FAILURE, f"{field_name}: {why}")


def temporary(why: str) -> Result:
    """A refusal that may not last."""
    return Result(DeliveryStatus.TEMPORARY_FAILURE, why)


def resolve(targets: Sequence[Target], gates: Gates) -> list[Result | None]:
    """One result a target; None for those that may be sent to.

    Of several targets with one address the first that may be sent to gets the message.
    """
    results: list[Result | None] = []
    taken: set[tuple[str, str]] = set()
    for target in targets:
        result = refusal(target, gates)
        place = (target.channel_type, target.normal)
        if result is None and place in taken:
            result = Result(
                DeliveryStatus.DUPLICATE, f"{target.field}: the address occurs before in the call"
            )
        if result is None:
            taken.add(place)
        results.append(result)
    return results


def refusal(target: Target, gates: Gates) -> Result | None:
    """Why one recipient gets nothing; None when it may be sent to."""
    if target.fault is not None:
        return target.fault
    return _endpoint_fault(target, gates) or _channel_fault(target, gates) or _listed(target, gates)


def _endpoint_fault(target: Target, gates: Gates) -> Result | None:
    where = target.field
    if target.channel_type not in DIRECT_CHANNELS:
        return permanent(f"{where}.channel_type", f"{target.channel_type} cannot be sent to")
    if not target.normal:
        return permanent(f"{where}.address", "is missing")
    if fault := address_fault(target.channel_type, target.normal):
        return permanent(f"{where}.address", fault)
    if target.raw_content and (fault := _raw_fault(target)):
        return permanent(f"{where}.raw_content", fault)
    endpoint = target.endpoint
    if endpoint is None:
        return None
    if endpoint.opted_out or endpoint.endpoint_id.lower() in gates.opted_out:
        return Result(DeliveryStatus.OPT_OUT, f"{where}: the endpoint opted out")
    if endpoint.inactive:
        return permanent(f"{where}.endpoint_status", "is INACTIVE")
    return None


def _raw_fault(target: Target) -> str:
    if target.channel_type not in PUSH_TYPES:
        return "is for push notifications alone"
    fine = json_object(target.raw_content) is not None
    return "" if fine else "must be a JSON object"


def _channel_fault(target: Target, gates: Gates) -> Result | None:
    channel_type = target.channel_type
    if channel_type not in gates.contents and not target.body_override and not target.raw_content:
        return gates.away.get(channel_type) or permanent(
            f"message_configuration.{family(channel_type)}_message",
            f"is needed to send to {target.field}",
        )
    if channel_type not in gates.enabled:
        return permanent(f"{target.field}.channel_type", f"the {channel_type} channel is off")
    if channel_type in gates.held:
        return temporary("sending is held by an operator")
    return None


def _listed(target: Target, gates: Gates) -> Result | None:
    reason = gates.suppressed.get((target.channel_type, target.normal.lower()))
    if reason is None:
        return None
    if target.channel_type == EMAIL and reason != STOP_KEYWORD:
        # Spec 6.3: accepted, then dropped and recorded as a bounce, so that nobody can probe
        # the list of the installation. The worker refuses it.
        return None
    return Result(DeliveryStatus.OPT_OUT, f"{target.field}: the address is on the opt-out list")


def admitted(parts: Sequence[int], granted: int) -> list[bool]:
    """Which messages, in order, may go when `granted` parts are admitted: none in halves."""
    left = granted
    fits = []
    for count in parts:
        fits.append(count <= left)
        left = left - count if count <= left else 0
    return fits
