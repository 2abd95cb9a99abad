"""Values for any shape of the model: required members only, or all that are carried."""

from collections.abc import Collection, Mapping
from typing import Any

Shape = Any

# By member name, where the model says no more than "a string".
TEXTS: Mapping[str, str] = {
    "Address": "aiko@example.com",
    "AppVersion": "2.0",
    "EffectiveDate": "2026-01-01T00:00:00.000Z",
    "EndTime": "2030-01-02T00:00:00Z",
    "End": "08:00",
    "EndpointStatus": "ACTIVE",
    "FromAddress": "shop@example.com",
    "Identity": "example.com",
    "Locale": "en_US",
    "OptOut": "NONE",
    "OriginationNumber": "+12065550100",
    "ReplyToAddresses": "shop@example.com",
    "SenderId": "SHOP",
    "ShortCode": "12345",
    "Start": "22:00",
    "StartTime": "2030-01-01T00:00:00Z",
    "StartTimestamp": "2026-01-01T00:00:00.000Z",
    "StopTimestamp": "2026-01-01T00:01:00.000Z",
    "Timestamp": "2026-01-01T00:00:30.000Z",
    "Timezone": "Asia/Tokyo",
    "DeliveryUri": "http://127.0.0.1:9/webhook",
    "DefaultSubstitutions": '{"name": "friend"}',
    "Country": "JP",
    "CampaignStatus": "SCHEDULED",
    "ComparisonOperator": "EQUAL",
    "Values": "one",
    "EntityId": "110100001",
    "TemplateId": "1107100001",
    "StatusCode": "200",
}
NUMBERS: Mapping[str, float] = {
    "Daily": 0,
    "Session": 0,
    "MaximumDuration": 600,
    "MessagesPerSecond": 50,
    "Total": 1,
    "HoldoutPercent": 5,
    "SizePercent": 10,
    "Priority": 3,
    "Latitude": 35.0,
    "Longitude": 139.0,
    "RangeInKilometers": 10.0,
    "Duration": 60_000,
}
CHOICES: Mapping[str, str] = {
    "Frequency": "ONCE",
    "ChannelType": "EMAIL",
    "EndpointTypes": "CUSTOM",
    "MessageType": "PROMOTIONAL",
    "AttributeType": "INCLUSIVE",
    "Format": "CSV",
}


class Maker:
    """Makes the parameters of a call. `given` wins over everything; `left_out` holds paths."""

    def __init__(self, given: Mapping[str, Any], left_out: Collection[str], *, full: bool) -> None:
        self._given = given
        self._left_out = set(left_out)
        self._full = full

    def structure(self, shape: Shape, path: str = "") -> dict[str, Any]:
        """A structure with its required members, or with all of them."""
        made = {}
        for member, inner in shape.members.items():
            where = f"{path}{member}"
            if where in self._left_out:
                continue
            if where in self._given:
                made[member] = self._given[where]
            elif self._full or member in shape.required_members:
                made[member] = self.value(inner, member, where)
        return made

    def value(self, shape: Shape, member: str, path: str) -> Any:
        """A value of any shape."""
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, path + ".")
        if kind == "list":
            return [self.value(shape.member, member, path + "[]")]
        if kind == "map":
            return {"one": self.value(shape.value, member, path + "{}")}
        if kind in {"integer", "long", "double", "float"}:
            number = NUMBERS.get(member, 1)
            return float(number) if kind in {"double", "float"} else int(number)
        if kind == "boolean":
            return False
        if kind == "blob":
            return b"To: a@example.com\r\n\r\nhello"
        if kind == "timestamp":
            return "2026-01-01T00:00:00Z"
        return _text(shape, member)


def _text(shape: Shape, member: str) -> str:
    if getattr(shape, "enum", None):
        return CHOICES.get(member) or str(shape.enum[0])
    return TEXTS.get(member, "text")
