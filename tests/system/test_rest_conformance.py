"""Every operation the REST edge serves, called by botocore from the model and read by it again."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from services.rest.domain.model import Action, load_model
from services.rest.domain.operations import OPERATIONS
from tests.support.conformance import document
from tests.support.conformance.coverage import gaps_of
from tests.support.conformance.values import Maker
from tests.support.conformance.wire import Wire
from tests.support.conformance.world import APNS, GCM, IN_APP, World, build, client

MODEL = load_model()
SHAPES = ServiceModel(Loader().load_service_model("pinpoint", "service-2"), "pinpoint")
SERVED = sorted(OPERATIONS)
UNSERVED = sorted(set(MODEL.actions) - set(OPERATIONS))
NOBODY = "0" * 32
EVENT = {"EventType": "opened", "Timestamp": "2026-01-01T00:00:30.000Z"}

_NOW = datetime.now(UTC)
_RANGE = {
    "KpiName": "successful-delivery-rate",
    "StartTime": (_NOW - timedelta(days=7)).isoformat(),
    "EndTime": _NOW.isoformat(),
}
_EMAIL = {"EmailTemplateRequest.Subject": "Hi", "EmailTemplateRequest.TextPart": "Hi"}

_PUSH = {
    "PushNotificationTemplateRequest.Default": {"Title": "Hi", "Body": "Hi", "Action": "OPEN_APP"},
    "PushNotificationTemplateRequest.APNS": {"Title": "Hi", "RawContent": '{"aps": {}}'},
    "PushNotificationTemplateRequest.GCM": {"Title": "Hi", "Action": "URL", "Url": "https://a.b/"},
    "PushNotificationTemplateRequest.ADM": {"Title": "Hi"},
    "PushNotificationTemplateRequest.Baidu": {"Title": "Hi"},
}
_VOICE = {
    "VoiceTemplateRequest.Body": "Hi",
    "VoiceTemplateRequest.LanguageCode": "en-US",
    "VoiceTemplateRequest.VoiceId": "Joanna",
}
_IN_APP = {f"InAppTemplateRequest.{name}": value for name, value in IN_APP.items()}
_KINDS = ("Email", "Sms", "Push", "Voice", "InApp")
_APPLE = ("Apns", "ApnsSandbox", "ApnsVoip", "ApnsVoipSandbox")


def _apple(kind: str) -> dict[str, Any]:
    member = f"{kind.replace('Apns', 'APNS')}ChannelRequest"
    return {f"{member}.{name}": value for name, value in APNS.items()}


# What an operation needs that no shape can say: two members that exclude each other, a segment
# of its own application, an address that is fit for its channel.
GIVEN: Mapping[str, Mapping[str, Any]] = {
    "TagResource": {"TagsModel": {"tags": {"team": "crm"}}},
    "UntagResource": {"TagKeys": ["team"]},
    "UpdateEndpoint": {"EndpointRequest.Address": "aiko@example.com"},
    "GetApplicationDateRangeKpi": _RANGE,
    "GetCampaignDateRangeKpi": _RANGE,
    "ListTemplateVersions": {"TemplateType": "EMAIL"},
    "UpdateTemplateActiveVersion": {
        "TemplateType": "EMAIL",
        "TemplateActiveVersionRequest.Version": "1",
    },
    "SendMessages": {
        "MessageRequest.MessageConfiguration": {
            "EmailMessage": {"SimpleEmail": {"Subject": {"Data": "Hi"}, "TextPart": {"Data": "Hi"}}}
        }
    },
    "SendUsersMessages": {
        "SendUsersMessageRequest.MessageConfiguration": {
            "EmailMessage": {"SimpleEmail": {"Subject": {"Data": "Hi"}, "TextPart": {"Data": "Hi"}}}
        },
        "SendUsersMessageRequest.Users": {"user-1": {}},
    },
    "CreateImportJob": {
        "ImportJobRequest.S3Url": "s3://imports/people.csv",
        "ImportJobRequest.RegisterEndpoints": True,
    },
    "CreateExportJob": {
        "ExportJobRequest.S3UrlPrefix": "s3://imports/exported/",
        "ExportJobRequest.SegmentVersion": 1,
    },
    "RemoveAttributes": {
        "AttributeType": "endpoint-custom-attributes",
        "UpdateAttributesRequest.Blacklist": ["old_*", "plan"],
    },
    "ListTemplates": {"TemplateType": "EMAIL"},
    "CreateEmailTemplate": _EMAIL,
    "UpdateEmailTemplate": _EMAIL,
    "CreateSmsTemplate": {"SMSTemplateRequest.Body": "Hi"},
    "UpdateSmsTemplate": {"SMSTemplateRequest.Body": "Hi"},
    "CreatePushTemplate": _PUSH,
    "UpdatePushTemplate": _PUSH,
    "CreateVoiceTemplate": _VOICE,
    "UpdateVoiceTemplate": _VOICE,
    "CreateInAppTemplate": _IN_APP,
    "UpdateInAppTemplate": _IN_APP,
    **{f"Update{kind}Channel": _apple(kind) for kind in _APPLE},
    "UpdateGcmChannel": {f"GCMChannelRequest.{name}": value for name, value in GCM.items()},
    "SendOTPMessage": {
        f"SendOTPMessageRequestParameters.{name}": value
        for name, value in {
            "Channel": "SMS",
            "BrandName": "Shop",
            "CodeLength": 6,
            "ValidityPeriod": 10,
            "AllowedAttempts": 3,
            "Language": "en-US",
            "DestinationIdentity": "+12065550142",
            "OriginationIdentity": "+12065550100",
            "ReferenceId": "sign-in",
        }.items()
    },
    "PhoneNumberValidate": {
        "NumberValidateRequest": {"PhoneNumber": "+4915112345678", "IsoCountryCode": "DE"}
    },
    "VerifyOTPMessage": {
        "VerifyOTPMessageRequestParameters": {
            "DestinationIdentity": "+12065550142",
            "Otp": "123456",
            "ReferenceId": "sign-in",
        }
    },
    "CreateSegment": {"WriteSegmentRequest.Name": "a segment"},
    "UpdateSegment": {"WriteSegmentRequest.Name": "a segment"},
}
# Members that may not stand beside others, or that the world cannot hold.
ALONE: Mapping[str, tuple[str, ...]] = {
    "CreateSegment": ("WriteSegmentRequest.SegmentGroups",),
    "UpdateSegment": ("WriteSegmentRequest.SegmentGroups",),
    **{
        f"Update{kind}Channel": (
            f"{kind.replace('Apns', 'APNS')}ChannelRequest.Certificate",
            f"{kind.replace('Apns', 'APNS')}ChannelRequest.PrivateKey",
            f"{kind.replace('Apns', 'APNS')}ChannelRequest.DefaultAuthenticationMethod",
        )
        for kind in _APPLE
    },
    "UpdateGcmChannel": ("GCMChannelRequest.ApiKey",),
    **dict.fromkeys(
        (f"{verb}{kind}Template" for verb in ("Update", "Delete") for kind in _KINDS),
        ("Version",),
    ),
    "SendMessages": ("MessageRequest.TemplateConfiguration",),
    "SendUsersMessages": ("SendUsersMessageRequest.TemplateConfiguration",),
}
PAGING = ("Token", "NextToken")


@pytest.fixture(scope="module")
def pinpoint(platform_variables: dict[str, str]) -> Any:
    found = platform_variables
    return client(
        found["TOUCHPOINT_REST_URL"],
        found["TOUCHPOINT_ACCESS_KEY_ID"],
        found["TOUCHPOINT_SECRET_ACCESS_KEY"],
    )


@pytest.fixture
def world(pinpoint: Any) -> Iterator[World]:
    made = build(pinpoint)
    yield made
    try:
        pinpoint.delete_app(ApplicationId=made.ids["ApplicationId"])
    except pinpoint.exceptions.NotFoundException:
        return


def _method(action: Action) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in action.name).lstrip("_")


def parameters(name: str, ids: Mapping[str, str], *, full: bool) -> dict[str, Any]:
    """What to call an operation with."""
    action = MODEL.actions[name]
    payload = action.payload[0] if action.payload else ""
    refused = [f"{payload}.{path}" for path in gaps_of(action, OPERATIONS[name]).refused]
    given = {**_nested(ids, payload), "Version": "1", **GIVEN.get(name, {})}
    left_out = [*refused, *ALONE.get(name, ()), *PAGING]
    if payload == "WriteCampaignRequest":
        # Content of its own or a template: once with the one, once with the other.
        left_out.append(f"{payload}.{'Template' if full else 'Message'}Configuration")
        given[f"{payload}.Name"] = "a campaign"
    given["ResourceArn"] = (
        f"arn:aws:mobiletargeting:eu-west-1:000000000000:apps/{ids['ApplicationId']}"
    )
    if name.startswith("Create") and name.endswith("Template"):
        given["TemplateName"] = f"new-{ids['TemplateName']}"
    shape = SHAPES.operation_model(name).input_shape
    return Maker(given, left_out, full=full).structure(shape)


def _nested(ids: Mapping[str, str], payload: str) -> dict[str, Any]:
    """The world's ids, where they are parameters and where they stand in a body."""
    inside = {f"{payload}.{name}": value for name, value in ids.items()}
    more = {
        f"{payload}.SegmentVersion": 1,
        f"{payload}.MessageConfiguration": {"EmailMessage": {"Title": "Hi", "Body": "Hi {{Id}}"}},
        f"{payload}.TemplateConfiguration": {"EmailTemplate": {"Name": ids["TemplateName"]}},
        f"{payload}.Schedule": {"StartTime": "2030-01-01T00:00:00Z", "Frequency": "ONCE"},
        f"{payload}.AdditionalTreatments": [],
        f"{payload}.Dimensions.Demographic.Channel.Values": ["EMAIL"],
        f"{payload}.Addresses": {ids["Address"]: {"ChannelType": "EMAIL"}},
        f"{payload}.Endpoints": {"endpoint-1": {}},
        f"{payload}.Item": [{"Id": "endpoint-2", "ChannelType": "EMAIL", "OptOut": "NONE"}],
        f"{payload}.BatchItem": {"endpoint-1": {"Endpoint": {}, "Events": {"event-1": EVENT}}},
    }
    return {**ids, **inside, **more, "PageSize": "10"}


def call(world: World, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Call by the operation's own name; the answer holds nothing but what the shape allows."""
    told: dict[str, Any] = world.client._make_api_call(name, dict(arguments))
    status = told.pop("ResponseMetadata")["HTTPStatusCode"]
    assert status == MODEL.actions[name].status
    shape = SHAPES.operation_model(name).output_shape
    if shape is None:
        assert not told
        return told
    report = ParamValidator().validate(told, shape)
    assert not report.has_errors(), report.generate_report()
    return told


@pytest.mark.parametrize("full", [False, True], ids=["required", "all"])
@pytest.mark.parametrize("name", SERVED)
def test_the_answer_has_the_models_shape(world: World, name: str, full: bool) -> None:  # noqa: FBT001
    ids = dict(world.ids)
    if name in {"GetImportJob", "GetExportJob"}:
        create = name.replace("Get", "Create")
        [made] = call(world, create, parameters(create, ids, full=False)).values()
        ids["JobId"] = made["Id"]
    call(world, name, parameters(name, ids, full=full))


def _error(pinpoint: Any, name: str, arguments: Mapping[str, Any]) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        pinpoint._make_api_call(name, dict(arguments))
    told = caught.value.response
    assert told["Error"]["Message"] or told.get("Message")
    return told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="module")
def careless(platform_variables: dict[str, str]) -> Any:
    """A client that sends what it is given."""
    found = platform_variables
    return client(
        found["TOUCHPOINT_REST_URL"],
        found["TOUCHPOINT_ACCESS_KEY_ID"],
        found["TOUCHPOINT_SECRET_ACCESS_KEY"],
        parameter_validation=False,
    )


@pytest.fixture(scope="module")
def lasting(pinpoint: Any) -> Iterator[World]:
    made = build(pinpoint)
    yield made
    pinpoint.delete_app(ApplicationId=made.ids["ApplicationId"])


@pytest.mark.parametrize("name", [n for n in SERVED if MODEL.actions[n].payload])
def test_a_wrong_type_is_a_bad_request(
    lasting: World, platform_variables: dict[str, str], name: str
) -> None:
    found = platform_variables
    wire = Wire(
        found["TOUCHPOINT_REST_URL"],
        found["TOUCHPOINT_ACCESS_KEY_ID"],
        found["TOUCHPOINT_SECRET_ACCESS_KEY"],
    )
    action = MODEL.actions[name]
    _, shape = _payload(name)
    wrong = {member: _wrong(inner) for member, inner in shape.members.items()}
    arguments = parameters(name, lasting.ids, full=False)
    path = action.path
    for parameter in action.path_parameters:
        value = quote(str(arguments[parameter.member]), safe="")
        path = path.replace("{" + parameter.wire_name + "}", value)
    answer = wire.ask(action.method, path, wrong)
    assert (answer.status, answer.error) == (400, "BadRequestException")
    for member in wrong:
        assert f"{member}: must be" in answer.body["Message"]


def _payload(name: str) -> tuple[str, Any]:
    found = MODEL.actions[name].payload
    assert found is not None
    return found


def _wrong(shape: Any) -> Any:
    return 7 if shape.type_name in {"string", "boolean", "timestamp", "blob"} else True


@pytest.mark.parametrize(
    "name",
    [n for n in SERVED if (p := MODEL.actions[n].payload) and p[1].required_members],
)
def test_a_missing_member_is_named(lasting: World, careless: Any, name: str) -> None:
    arguments = parameters(name, lasting.ids, full=False)
    payload, shape = _payload(name)
    with pytest.raises(ClientError) as caught:
        careless._make_api_call(name, {**arguments, payload: {}})
    assert caught.value.response["Error"]["Code"] == "BadRequestException"
    for member in shape.required_members:
        assert member in str(caught.value)


UNKNOWN = [
    n
    for n in SERVED
    if "NotFoundException" in MODEL.actions[n].errors
    and any(p.member in {"ApplicationId", "TemplateName"} for p in MODEL.actions[n].path_parameters)
    and n.startswith(("Get", "Delete"))
    and not n.endswith(("s", "Kpi"))
]


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_id_is_not_found(lasting: World, name: str) -> None:
    strange = dict.fromkeys(lasting.ids, NOBODY)
    strange["ApplicationId"] = lasting.ids["ApplicationId"] if "App" not in name else NOBODY
    if name.endswith("Channel"):
        pytest.skip("an application has the channel or it has none: see the next test")
    arguments = parameters(name, strange, full=False)
    assert _error(lasting.client, name, arguments) == ("NotFoundException", 404)


def test_a_channel_that_was_never_set_up_is_not_found(pinpoint: Any) -> None:
    app = pinpoint.create_app(CreateApplicationRequest={"Name": "bare"})
    app_id = app["ApplicationResponse"]["Id"]
    for name in ("GetEmailChannel", "GetSmsChannel", "DeleteEmailChannel", "DeleteSmsChannel"):
        assert _error(pinpoint, name, {"ApplicationId": app_id}) == ("NotFoundException", 404)


PAGED = [n for n in SERVED if any(p.member in PAGING for p in MODEL.actions[n].query_parameters)]


@pytest.mark.parametrize("name", [n for n in PAGED if not n.endswith("Kpi")])
def test_a_bad_token_is_a_bad_request(lasting: World, name: str) -> None:
    action = MODEL.actions[name]
    token = next(p.member for p in action.query_parameters if p.member in PAGING)
    arguments = {**parameters(name, lasting.ids, full=False), token: "not-a-token"}
    assert _error(lasting.client, name, arguments) == ("BadRequestException", 400)


@pytest.mark.parametrize("name", UNSERVED)
def test_what_is_not_built_says_so(lasting: World, careless: Any, name: str) -> None:
    shape = SHAPES.operation_model(name).input_shape
    arguments = Maker(lasting.ids, (), full=False).structure(shape)
    assert _error(careless, name, arguments) == ("NotImplementedException", 501)


def test_the_compatibility_page_is_what_this_run_found() -> None:
    assert document.PAGE.read_text() == document.text(), "run make compatibility"
