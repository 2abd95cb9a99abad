"""An application with one of everything, made through the REST edge itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.keys import pem, service_json

LATER = "2030-01-01T00:00:00Z"
_KEY = ec.generate_private_key(ec.SECP256R1())
APNS = {
    "Enabled": True,
    "BundleId": "com.example.shop",
    "TeamId": "TEAM012345",
    "TokenKeyId": "KEY0123456",
    "TokenKey": pem(_KEY),
}
GCM = {"Enabled": True, "ServiceJson": service_json(), "DefaultAuthenticationMethod": "TOKEN"}
_TEXT = {"Alignment": "LEFT", "TextColor": "#000000"}
IN_APP = {
    "Layout": "TOP_BANNER",
    "Content": [
        {
            "BackgroundColor": "#FFFFFF",
            "HeaderConfig": {"Header": "Hi", **_TEXT},
            "BodyConfig": {"Body": "Hi", **_TEXT},
            "PrimaryBtn": {"DefaultConfig": {"ButtonAction": "CLOSE", "Text": "OK"}},
        }
    ],
}


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
    _templates(pinpoint, f"template-{mark}")
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

    for kind in ("apns", "apns_sandbox", "apns_voip", "apns_voip_sandbox"):
        member = kind.replace("_", " ").title().replace(" ", "").replace("Apns", "APNS")
        getattr(pinpoint, f"update_{kind}_channel")(
            ApplicationId=app_id, **{f"{member}ChannelRequest": APNS}
        )
    pinpoint.update_gcm_channel(ApplicationId=app_id, GCMChannelRequest=GCM)
    pinpoint.update_adm_channel(
        ApplicationId=app_id, ADMChannelRequest={"ClientId": "id", "ClientSecret": "secret"}
    )
    pinpoint.update_baidu_channel(
        ApplicationId=app_id, BaiduChannelRequest={"ApiKey": "key", "SecretKey": "secret"}
    )
    pinpoint.update_voice_channel(ApplicationId=app_id, VoiceChannelRequest={"Enabled": True})


def _templates(pinpoint: Any, name: str) -> None:
    pinpoint.create_sms_template(TemplateName=name, SMSTemplateRequest={"Body": "Hi"})
    pinpoint.create_push_template(
        TemplateName=name, PushNotificationTemplateRequest={"Default": {"Body": "Hi"}}
    )
    pinpoint.create_voice_template(TemplateName=name, VoiceTemplateRequest={"Body": "Hi"})
    pinpoint.create_in_app_template(TemplateName=name, InAppTemplateRequest=IN_APP)


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
