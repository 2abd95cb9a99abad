"""What the worker tells the world about messages, as event values (spec 3.2, 3.5)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException

from services.messaging.domain.families import PUSH_TYPES
from services.messaging.domain.ledger import Origin, Pairs, Reason, Row, State
from services.messaging.domain.outcomes import (
    EMAIL,
    ENDED_SENDS,
    SMS,
    VOICE,
    call_event,
    campaign_send_status,
    channel_event,
    record_status,
)

Attributes = Mapping[str, str]
CAMPAIGN_SEND: Final = "_campaign.send"
SEND: Final = "_email.send"
DELIVERED: Final = "_email.delivered"
COMPLAINT: Final = "_email.complaint"
_DELIVERY_TYPED: Final = frozenset({*PUSH_TYPES, VOICE})
_COUNTRY_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Happening:
    """One event about one message or address. The same message and type is the same event."""

    event_type: str
    subject_id: str
    client_id: str
    at: datetime
    user_id: str = ""
    attributes: Attributes | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one message, with what its events carry; `source` is the SMS sender."""

    message_id: str
    client_id: str
    user_id: str
    address: str
    state: State
    reason: Reason
    detail: str
    parts: int
    source: str
    context: Attributes | None = None
    attributes: Pairs = ()


def told_of(row: Row, source: str = "") -> Told:
    """What the ledger knows of a message, to be told."""
    return Told(
        row.message_id,
        row.endpoint_id or row.address,
        "",
        row.address,
        row.state,
        row.reason,
        row.detail,
        row.parts,
        source,
        row.context,
        row.attributes,
    )


def shared_attributes(origin: Origin, treatment_id: str, message_type: str) -> dict[str, str]:
    """Attributes that all events of a batch have in common."""
    attributes = {"message_type": message_type}
    if origin.campaign_id:
        attributes |= {
            "campaign_id": origin.campaign_id,
            "campaign_activity_id": origin.activity_id,
            "treatment_id": treatment_id,
        }
    if origin.request_id:
        attributes["sender_request_id"] = origin.request_id
    return attributes


def happenings_of(
    told: Told, channel_type: str, at: datetime, *, campaign: bool, delivers: bool
) -> list[Happening]:
    """The events of an outcome.

    `campaign` adds `_campaign.send`; `delivers` makes a mail that the server took `delivered` too.
    A mail that bounced at once was sent all the same: rates divide bounces by sends (spec 10.1).
    """
    found = receipt_happening(told, channel_type, at)
    if found and found[0].event_type in ENDED_SENDS:
        sent = replace(told, state=State.SENT, reason=Reason.NONE, detail="")
        found.insert(0, _of(told, SEND, at, _email_attributes(sent)))
    if delivers and channel_type == EMAIL and told.state is State.SENT:
        found.append(_of(told, DELIVERED, at, _email_attributes(told)))
    status = campaign_send_status(told.state, told.reason) if campaign else ""
    if status:
        attributes = {
            **dict(told.attributes),  # never in the place of our own
            "message_id": told.message_id,
            "delivery_type": channel_type,
            "campaign_send_status": status,
        }
        found.append(_of(told, CAMPAIGN_SEND, at, attributes))
    return found


def receipt_happening(told: Told, channel_type: str, at: datetime) -> list[Happening]:
    """The event of a late receipt; the send itself was told before."""
    name = channel_event(channel_type, told.state, told.reason)
    if not name:
        return []
    attributes = sms_attributes(told) if channel_type == SMS else _email_attributes(told)
    if channel_type in _DELIVERY_TYPED:
        attributes["delivery_type"] = channel_type
    return [_of(told, name, at, attributes)]


def stage_happening(told: Told, stage: str, at: datetime) -> Happening:
    """The event of a call that goes on; it may be told again."""
    attributes = {"message_id": told.message_id, "delivery_type": VOICE}
    if told.context:
        attributes["customer_context"] = json.dumps(dict(told.context))
    return _of(told, call_event(stage), at, attributes)


def complaint_happening(told: Told, at: datetime) -> Happening:
    """The event of a complaint; the message stays what it is."""
    attributes = _email_attributes(replace(told, reason=Reason.NONE))
    return _of(told, COMPLAINT, at, attributes | {"feedback": "complaint"})


def _of(told: Told, name: str, at: datetime, attributes: Attributes) -> Happening:
    return Happening(name, told.message_id, told.client_id, at, told.user_id, attributes)


def _email_attributes(told: Told) -> dict[str, str]:
    attributes = {"message_id": told.message_id}
    if told.reason:
        attributes["feedback"] = told.detail or told.reason.value
    if told.context:
        attributes["customer_context"] = json.dumps(dict(told.context))
    return attributes


def sms_attributes(told: Told) -> dict[str, str]:
    """Spec 3.5 SMS attributes that differ from message to message."""
    attributes = {
        "message_id": told.message_id,
        "origination_phone_number": told.source,
        "destination_phone_number": told.address,
        "record_status": record_status(told.state, told.reason),
        "number_of_message_parts": str(told.parts or 1),
        "iso_country_code": country_of(told.address),
    }
    if told.context:
        attributes["customer_context"] = json.dumps(dict(told.context))
    return attributes


def country_of(number: str) -> str:
    """ISO 3166-1 alpha-2 of an E.164 number; empty when it has none."""
    # Regions that share a country code part within these digits.
    return _country(number[:_COUNTRY_DIGITS], len(number))


@lru_cache(65536)
def _country(begin: str, length: int) -> str:
    try:
        parsed = phonenumbers.parse(begin.ljust(length, "0"), None)
    except NumberParseException:
        return ""
    codes = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(parsed.country_code or 0, ())
    if len(codes) <= 1:
        return "".join(codes)
    return phonenumbers.region_code_for_number(parsed) or codes[0]
