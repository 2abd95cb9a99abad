"""Members of answers that no field of ours carries: names of resources, words of the wire."""

from typing import Final

from google.protobuf.message import Message

from services.rest.domain.decoding import Field
from services.rest.domain.encoding import Filler, Fillers, Json, Occasion

# Names of resources carry an account; an installation is one.
ACCOUNT: Final = "000000000000"
_ACCEPTED: Final = "Accepted"


def arn(occasion: Occasion, path: str) -> str:
    """The Amazon resource name of a path such as `apps/<id>/segments/<id>`."""
    return f"arn:aws:mobiletargeting:{occasion.region}:{ACCOUNT}:{path}"


def _arn_of(pattern: str) -> Filler:
    def fill(message: Message, occasion: Occasion) -> Json:
        values = {f.name: getattr(message, f.name) for f in message.DESCRIPTOR.fields}
        return arn(occasion, pattern.format(**values))

    return fill


def _template_arn(message: Message, occasion: Occasion) -> Json:
    kinds = {1: "EMAIL", 2: "SMS", 3: "PUSH", 4: "VOICE", 5: "INAPP"}
    kind = kinds.get(getattr(message, "template_type", 0), "EMAIL")
    return arn(occasion, f"templates/{getattr(message, 'template_name', '')}/{kind}")


def _said(value: Json) -> Filler:
    return lambda _message, _occasion: value


def _request_id(_message: Message, occasion: Occasion) -> Json:
    return occasion.request_id


def _default_state(message: Message, _occasion: Occasion) -> Json:
    # Of the first treatment, which has no other state than the campaign's.
    return _state(message) if getattr(message, "additional_treatments", ()) else None


def _state(message: Message) -> Json:
    field: Field = message.DESCRIPTOR.fields_by_name["state"]
    number = getattr(message, "state", 0)
    name = field.enum_type.values_by_number[number].name.removeprefix("CAMPAIGN_STATE_")
    return {"CampaignStatus": name} if number else None


def _channel_counts(message: Message, _occasion: Occasion) -> Json:
    counts: Field = message.DESCRIPTOR.fields_by_name["channel_counts"]
    names = counts.message_type.fields_by_name["channel_type"].enum_type.values_by_number
    return {
        names[one.channel_type].name.removeprefix("CHANNEL_TYPE_"): one.count
        for one in getattr(message, "channel_counts", ())
    }


def _attribute_type(message: Message, _occasion: Occasion) -> Json:
    field: Field = message.DESCRIPTOR.fields_by_name["attribute_type"]
    name: str = field.enum_type.values_by_number[getattr(message, "attribute_type", 0)].name
    return name.removeprefix("ATTRIBUTE_TYPE_").lower().replace("_", "-")


def _channel_id(message: Message, _occasion: Occasion) -> Json:
    status: Message = getattr(message, "status")  # noqa: B009 - a field that the type has not
    field: Field = status.DESCRIPTOR.fields_by_name["channel_type"]
    name: str = field.enum_type.values_by_number[getattr(status, "channel_type", 0)].name
    return name.removeprefix("CHANNEL_TYPE_").lower()


_KINDS: Final = ("Email", "Sms", "Apns", "Adm", "Baidu", "Voice")
_MESSAGE: Final = {"Message": _said(_ACCEPTED), "RequestID": _request_id}
_CHANNEL: Final = {"IsArchived": _said(value=False), "LastModifiedBy": _said(None)}
FILLERS: Final[Fillers] = {
    "applications.v1.Application": {"Arn": _arn_of("apps/{application_id}")},
    "segmentation.v1.ExportJob": {"Type": _said("EXPORT")},
    "segmentation.v1.ExportJobDefinition": {"RoleArn": _said("")},
    "segmentation.v1.Segment": {
        "Arn": _arn_of("apps/{application_id}/segments/{segment_id}"),
    },
    "segmentation.v1.SegmentImportDefinition": {
        "ChannelCounts": _channel_counts,
        "ExternalId": _said(""),
        "RoleArn": _said(""),
    },
    "campaigns.v1.Campaign": {
        "Arn": _arn_of("apps/{application_id}/campaigns/{campaign_id}"),
        "DefaultState": _default_state,
    },
    "templates.v1.Template": {"Arn": _template_arn, **_MESSAGE},
    **{f"messaging.v1.{kind}Channel": {**_CHANNEL, "Id": _channel_id} for kind in _KINDS},
    "messaging.v1.GcmChannel": {**_CHANNEL, "Id": _channel_id, "Credential": _said(None)},
    "messaging.v1.ChannelStatus": _CHANNEL,
    "endpoints.v1.RemoveAttributesResponse": {"AttributeType": _attribute_type},
    "endpoints.v1.ImportJob": {"Type": _said("IMPORT")},
    "endpoints.v1.ImportJobDefinition": {"ExternalId": _said(None), "RoleArn": _said("")},
}


def accepted(occasion: Occasion, **more: Json) -> dict[str, Json]:
    """The model's MessageBody."""
    return {"Message": _ACCEPTED, "RequestID": occasion.request_id, **more}
