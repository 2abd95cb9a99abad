"""Names, values and routes between the model and the protos."""

from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.templates.v1 import template_pb2

from services.rest.clients import rpc_of
from services.rest.domain.decoding import Decoder, instant
from services.rest.domain.encoding import Encoder, Occasion
from services.rest.domain.fillers import FILLERS
from services.rest.domain.model import load_model
from services.rest.domain.naming import member, snake
from services.rest.domain.operations import OPERATIONS
from services.rest.domain.validation import faults
from services.rest.usecases.calls import own_path

MODEL = load_model()
SERVICE = ServiceModel(Loader().load_service_model("pinpoint", "service-2"), "pinpoint")
OCCASION = Occasion("request-1", "eu-west-1")


def shape(name: str) -> Any:
    return SERVICE.shape_for(name)


def decoded(value: Any, shape_name: str, message: Any, inside: str = "") -> Decoder:
    decoder = Decoder(inside)
    decoder.structure(value, shape(shape_name), message)
    return decoder


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("HTMLPart", "html_part"),
        ("EndpointId", "endpoint_id"),
        ("GPSPoint", "gps_point"),
        ("S3Url", "s3_url"),
        ("IsLocalTime", "is_local_time"),
        ("application-id", "application_id"),
        ("tags", "tags"),
    ],
)
def test_names_follow_a_rule(name: str, wanted: str) -> None:
    assert snake(name) == wanted


def test_field_paths_are_told_as_members() -> None:
    assert member("schedule.start_time") == "Schedule.StartTime"
    assert member("apns.raw_content") == "APNS.RawContent"
    row = OPERATIONS["CreateEmailTemplate"]
    assert member(own_path("template.email.html_part", row)) == "HtmlPart"


def test_every_row_names_an_rpc_and_an_operation() -> None:
    for name, row in OPERATIONS.items():
        assert name in MODEL.actions
        assert rpc_of(row.rpc).path.startswith("/touchpoint.")
        if row.base:
            assert rpc_of(row.base)


def test_every_path_of_the_model_leads_to_its_operation() -> None:
    for name, action in MODEL.actions.items():
        path = action.path
        for parameter in action.path_parameters:
            path = path.replace("{" + parameter.wire_name + "}", "a%2Fb")
        found = MODEL.find(action.method, path)
        assert found is not None
        assert found.action.name == name
        assert set(found.parameters.values()) <= {"a/b"}


def test_an_endpoint_comes_back_as_it_went_in() -> None:
    given = {
        "Address": "a@example.com",
        "ChannelType": "EMAIL",
        "Attributes": {"plan": ["gold", "vip"]},
        "Metrics": {"spend": 12.5},
        "Demographic": {"AppVersion": "2.0", "Timezone": "Asia/Tokyo"},
        "Location": {"Country": "JP", "Latitude": 35.0},
        "User": {"UserId": "u", "UserAttributes": {"name": ["Aiko"]}},
        "OptOut": "NONE",
        "EndpointStatus": "ACTIVE",
        "EffectiveDate": "2026-01-01T00:00:00.000Z",
    }
    message = endpoint_pb2.Endpoint()
    decoder = decoded(given, "EndpointRequest", message)
    assert (decoder.wrong, decoder.unknown) == ([], [])
    told = Encoder(OCCASION, FILLERS).structure(message, shape("EndpointResponse"))
    assert told == given


def test_a_point_on_the_map_needs_no_coordinates_message() -> None:
    given = {
        "Location": {
            "GPSPoint": {
                "Coordinates": {"Latitude": 1.0, "Longitude": 2.0},
                "RangeInKilometers": 3.0,
            }
        }
    }
    message = segment_pb2.SegmentDimensions()
    decoded(given, "SegmentDimensions", message)
    assert message.location.gps_point.longitude == 2.0
    assert Encoder(OCCASION, FILLERS).structure(message, shape("SegmentDimensions")) == given


def test_default_substitutions_are_json_in_a_text() -> None:
    message = template_pb2.Template()
    decoder = decoded(
        {"DefaultSubstitutions": '{"a": "b", "n": 1}', "Body": "Hi"},
        "SMSTemplateRequest",
        message,
        "sms",
    )
    assert dict(message.default_substitutions) == {"a": "b", "n": "1"}
    assert message.sms.body == "Hi"
    assert not decoder.wrong
    wrong = decoded({"DefaultSubstitutions": "[1]"}, "SMSTemplateRequest", message)
    assert wrong.wrong == ["DefaultSubstitutions: must be a JSON object"]


def test_the_state_of_a_campaign_is_a_structure() -> None:
    campaign = campaign_pb2.Campaign(
        application_id="app", campaign_id="c", state=campaign_pb2.CAMPAIGN_STATE_EXECUTING
    )
    told = Encoder(OCCASION, FILLERS).structure(campaign, shape("CampaignResponse"))
    assert told["State"] == {"CampaignStatus": "EXECUTING"}
    assert told["Arn"] == "arn:aws:mobiletargeting:eu-west-1:000000000000:apps/app/campaigns/c"
    assert told["IsPaused"] is False


def test_what_no_field_carries_is_known_and_an_unknown_value_is_named() -> None:
    decoder = decoded(
        {"Hook": {"LambdaFunctionName": "f"}, "Schedule": {"Frequency": "YEARLY"}},
        "WriteCampaignRequest",
        campaign_pb2.Campaign(),
    )
    assert decoder.unknown == ["Hook"]
    assert decoder.wrong[0].startswith("Schedule.Frequency: must be one of ONCE")


def test_an_empty_member_is_as_good_as_none() -> None:
    decoder = decoded({"Hook": {}}, "WriteCampaignRequest", campaign_pb2.Campaign())
    assert decoder.unknown == []


def test_all_faults_of_a_body_are_told_at_once() -> None:
    value = {"Name": 3, "Dimensions": {"Metrics": {"m": {"Value": "x"}}}, "tags": []}
    assert sorted(faults(value, shape("WriteSegmentRequest"))) == [
        "Dimensions.Metrics[m].ComparisonOperator: is missing",
        "Dimensions.Metrics[m].Value: must be a double",
        "Name: must be a string",
        "tags: must be a map",
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-04-28T09:00:00-0700", "2026-04-28T16:00:00+00:00"),
        ("2026-04-28T09:00:00Z", "2026-04-28T09:00:00+00:00"),
        ("2026-04-28T09:00:00", "2026-04-28T09:00:00+00:00"),
        ("2026-04-28", "2026-04-28T00:00:00+00:00"),
    ],
)
def test_dates_of_iso_8601(text: str, wanted: str) -> None:
    found = instant(text)
    assert found is not None
    assert found.isoformat() == wanted


def test_no_date_is_none() -> None:
    assert instant("tomorrow") is None


def test_a_member_goes_to_the_part_that_has_a_field_for_it() -> None:
    message = template_pb2.Template()
    given = {"APNS": {"RawContent": "{}"}, "TemplateDescription": "x", "Default": {"Body": "Hi"}}
    decoder = decoded(given, "PushNotificationTemplateRequest", message, "push")
    assert (decoder.wrong, decoder.unknown) == ([], [])
    assert message.template_description == "x"
    assert (message.push.apns.raw_content, message.push.default.body) == ("{}", "Hi")
    told = Encoder(OCCASION, FILLERS, "push").structure(
        message, shape("PushNotificationTemplateResponse")
    )
    assert (told["APNS"], told["Default"]) == ({"RawContent": "{}"}, {"Body": "Hi"})
