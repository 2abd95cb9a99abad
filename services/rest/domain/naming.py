"""From the model's PascalCase to the protos' snake_case, by rule; exceptions one by one."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

_BOUNDARY: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# A path from the message at hand to the field; HERE is the message itself.
HERE: Final = ""
_STATUS: Final = {
    name: f"status.{snake}"
    for name, snake in {
        "ApplicationId": "application_id",
        "CreationDate": "creation_date",
        "HasCredential": "has_credential",
        "LastModifiedDate": "last_modified_date",
        "Platform": "channel_type",
        "Version": "version",
    }.items()
}
# Proto message to the members whose field has another name than the rule gives.
RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "applications.v1.Application": {"Id": "application_id", "CreationDate": "create_time"},
    "applications.v1.ApplicationSettings": {"LastModifiedDate": "update_time"},
    "endpoints.v1.Endpoint": {"Id": "endpoint_id"},
    "endpoints.v1.ImportJob": {"Id": "job_id", "ApplicationId": "definition.application_id"},
    "endpoints.v1.ImportJobDefinition": {"S3Url": "source_url"},
    "endpoints.v1.BatchUpdateEndpointsRequest": {"Item": "endpoints"},
    "segmentation.v1.ExportJob": {"Id": "job_id"},
    "segmentation.v1.ExportJobDefinition": {"S3UrlPrefix": "target_url"},
    "segmentation.v1.Segment": {"Id": "segment_id"},
    "segmentation.v1.SegmentReference": {"Id": "segment_id"},
    "segmentation.v1.SegmentImportDefinition": {"S3Url": "source_url"},
    "segmentation.v1.GPSPointDimension": {"Coordinates": HERE},
    "campaigns.v1.Campaign": {
        "Id": "campaign_id",
        "State": HERE,
        "DefaultState": HERE,
        "CampaignStatus": "state",
    },
    "campaigns.v1.CampaignActivity": {
        "Id": "activity_id",
        "TimezonesCompletedCount": HERE,
        "TimezonesTotalCount": HERE,
    },
    "campaigns.v1.Treatment": {"Id": "treatment_id"},
    "messaging.v1.EmailChannel": _STATUS,
    "messaging.v1.SmsChannel": {
        **_STATUS,
        "ShortCode": "origination_number",
        "PromotionalMessagesPerSecond": "parts_per_second",
        "TransactionalMessagesPerSecond": "parts_per_second",
    },
    "messaging.v1.ApnsChannel": _STATUS,
    "messaging.v1.GcmChannel": _STATUS,
    "messaging.v1.AdmChannel": _STATUS,
    "messaging.v1.BaiduChannel": {**_STATUS, "Credential": "api_key"},
    "messaging.v1.VoiceChannel": _STATUS,
    "messaging.v1.PhoneNumber": {"CleansedPhoneNumberE164": "cleansed_phone_number_e164"},
    "messaging.v1.ChannelStatus": {"Platform": "channel_type"},
    "analytics.v1.Event": {
        "Timestamp": "event_time",
        "AppPackageName": "client.app_package_name",
        "AppTitle": "client.app_title",
        "AppVersionCode": "client.app_version_code",
        "ClientSdkVersion": "client.client_sdk_version",
        "SdkName": "client.sdk_name",
    },
    "analytics.v1.Session": {
        "Id": "session_id",
        "Duration": "duration_milliseconds",
        "StartTimestamp": "start_time",
        "StopTimestamp": "stop_time",
    },
}
# Parameters and members of every message.
_EVERYWHERE: Final = {
    "Token": "page_token",
    "NextToken": "next_page_token",
    "RequestID": "request_id",
}


@cache
def snake(name: str) -> str:
    """`HTMLPart` and `html-part` become `html_part`."""
    return _BOUNDARY.sub("_", name.replace("-", "_")).lower()


_ACRONYMS: Final = {name.lower(): name for name in ("ADM", "APNS", "GCM", "IOS", "MD5", "SMS")}
# Field paths that are one member each, the other way round.
_MEMBERS: Final = {
    path: name for members in RENAMED.values() for name, path in members.items() if "." in path
}


def member(path: str) -> str:
    """`schedule.start_time` becomes `Schedule.StartTime`; indexes and keys stay."""
    if path in _MEMBERS:
        return _MEMBERS[path]
    return ".".join("".join(map(_word, part.split("_"))) for part in path.split("."))


def _word(word: str) -> str:
    return _ACRONYMS.get(word) or word[:1].upper() + word[1:]


@cache
def field_path(message: str, member: str) -> str:
    """Where a member lives, from the proto message `touchpoint.<message>`."""
    renamed = RENAMED.get(message, {})
    if member in renamed:
        return renamed[member]
    return _EVERYWHERE.get(member) or snake(member)
