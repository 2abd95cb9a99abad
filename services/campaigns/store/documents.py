"""Campaigns as documents and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from libs.mongo.client import Document
from services.campaigns.domain.campaign import (
    ONCE,
    Campaign,
    CampaignState,
    CustomDelivery,
    Definition,
    EmailMessage,
    Limits,
    QuietTime,
    Says,
    Schedule,
    SmsMessage,
    TemplateReference,
    Treatment,
)
from services.campaigns.domain.in_app import end_of
from services.campaigns.domain.push import PushMessage, PushMessages


def campaign_document(campaign: Campaign) -> Document:
    """A campaign as it is kept; field names are the domain's."""
    return {
        "_id": campaign.campaign_id,
        "app_id": campaign.application_id,
        "definition": asdict(campaign.definition),
        "version": campaign.version,
        "state": campaign.state.value,
        "state_reason": campaign.state_reason,
        "start_time": campaign.start_time,
        "end_time": end_of(campaign.definition),
        "creation_date": campaign.creation_date,
        "last_modified_date": campaign.last_modified_date,
        "tags": dict(campaign.tags),
        "request_id": campaign.request_id,
        "revision": campaign.revision,
    }


def from_campaign_document(found: Document) -> Campaign:
    """The campaign of a document."""
    return Campaign(
        campaign_id=found["_id"],
        application_id=found["app_id"],
        definition=_definition(found["definition"]),
        version=found["version"],
        state=CampaignState(found["state"]),
        state_reason=found["state_reason"],
        start_time=found["start_time"],
        creation_date=found["creation_date"],
        last_modified_date=found["last_modified_date"],
        tags=found["tags"],
        request_id=found["request_id"],
        revision=found["revision"],
    )


def _definition(found: Mapping[str, Any]) -> Definition:
    schedule = found["schedule"]
    quiet = schedule["quiet_time"]
    return Definition(
        **{
            **found,
            "says": _says(found["says"]),
            "schedule": Schedule(
                schedule["start_time"],
                schedule["end_time"],
                QuietTime(**quiet) if quiet else None,
                # Campaigns from before there were in-app messages have neither.
                schedule.get("frequency", ONCE),
                bytes(schedule.get("event_filter", b"")),
            ),
            "limits": Limits(**found["limits"]),
            "treatments": tuple(
                Treatment(**{**treatment, "says": _says(treatment["says"])})
                for treatment in found["treatments"]
            ),
        }
    )


def _says(found: Mapping[str, Any]) -> Says:
    """What a treatment says; what came later than the first campaigns may be absent."""
    email, sms, in_app = found["email"], found["sms"], found.get("in_app")
    return Says(
        email=EmailMessage(**{**email, "headers": tuple(map(tuple, email["headers"]))})
        if email
        else None,
        sms=SmsMessage(**sms) if sms else None,
        email_template=_reference(found["email_template"]),
        sms_template=_reference(found["sms_template"]),
        push=_push(found.get("push") or {}),
        push_template=_reference(found.get("push_template")),
        in_app=None if in_app is None else bytes(in_app),
        in_app_template=_reference(found.get("in_app_template")),
        custom_data=found.get("custom_data"),
        custom_delivery=_delivery(found.get("custom_delivery")),
    )


def _reference(found: Mapping[str, Any] | None) -> TemplateReference | None:
    return TemplateReference(**found) if found else None


def _delivery(found: Mapping[str, Any] | None) -> CustomDelivery | None:
    return CustomDelivery(found["delivery_uri"], tuple(found["endpoint_types"])) if found else None


def _push(found: Mapping[str, Any]) -> PushMessages:
    return PushMessages(**{name: PushMessage(**one) for name, one in found.items() if one})
