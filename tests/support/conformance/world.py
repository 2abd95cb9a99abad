"""An application with one of everything, made through the REST edge itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config

LATER = "2030-01-01T00:00:00Z"


def client(url: str, access_key_id: str, secret: str, **more: Any) -> Any:
    """A Pinpoint client of boto3 that asks once and checks nothing by itself."""
    config = Config(retries={"max_attempts": 0}, **more)
    return boto3.client(
        "pinpoint",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
        config=config,
    )


@dataclass(frozen=True)
class World:
    """Ids of what exists, by the name of the parameter that asks for it."""

    client: Any
    ids: Mapping[str, str]


def build(pinpoint: Any, address: str = "") -> World:
    """Make the application and what is in it."""
    mark = uuid4().hex[:12]
    app = pinpoint.create_app(CreateApplicationRequest={"Name": f"world {mark}"})
    app_id = app["ApplicationResponse"]["Id"]
    address = address or f"{mark}@example.com"
    _channels(pinpoint, app_id)
    pinpoint.update_endpoint(
        ApplicationId=app_id,
        EndpointId="endpoint-1",
        EndpointRequest={
            "Address": address,
            "ChannelType": "EMAIL",
            "OptOut": "NONE",
            "User": {"UserId": "user-1"},
            "Attributes": {"plan": ["gold"]},
        },
    )
    segment = pinpoint.create_segment(
        ApplicationId=app_id,
        WriteSegmentRequest={
            "Name": "everybody with a plan",
            "Dimensions": {
                "Attributes": {"plan": {"AttributeType": "INCLUSIVE", "Values": ["gold"]}}
            },
        },
    )["SegmentResponse"]["Id"]
    pinpoint.create_email_template(
        TemplateName=f"template-{mark}",
        EmailTemplateRequest={"Subject": "Hi", "TextPart": "Hi"},
    )
    pinpoint.create_sms_template(TemplateName=f"template-{mark}", SMSTemplateRequest={"Body": "Hi"})
    return World(
        pinpoint,
        {
            "ApplicationId": app_id,
            "EndpointId": "endpoint-1",
            "UserId": "user-1",
            "SegmentId": segment,
            "CampaignId": _campaign(pinpoint, app_id, segment),
            "TemplateName": f"template-{mark}",
            "Address": address,
        },
    )


def _channels(pinpoint: Any, app_id: str) -> None:
    pinpoint.update_email_channel(
        ApplicationId=app_id,
        EmailChannelRequest={
            "Enabled": True,
            "FromAddress": "shop@example.com",
            "Identity": "example.com",
        },
    )
    pinpoint.update_sms_channel(
        ApplicationId=app_id, SMSChannelRequest={"Enabled": True, "SenderId": "SHOP"}
    )


def _campaign(pinpoint: Any, app_id: str, segment_id: str) -> str:
    made = pinpoint.create_campaign(
        ApplicationId=app_id,
        WriteCampaignRequest={
            "Name": "later",
            "SegmentId": segment_id,
            "SegmentVersion": 1,
            "Schedule": {"StartTime": LATER, "Frequency": "ONCE"},
            "MessageConfiguration": {"EmailMessage": {"Title": "Hi", "Body": "Hi"}},
        },
    )
    return str(made["CampaignResponse"]["Id"])
