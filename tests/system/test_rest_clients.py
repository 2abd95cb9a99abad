"""Pinpoint's own clients against the REST edge: the AWS CLI, the JavaScript SDK, bare HTTP."""

import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from botocore.exceptions import ClientError
from touchpoint.applications.v1 import applications_service_pb2 as pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as rpc
from touchpoint.common.v1 import access_pb2

from deploy.local.environment import inherited
from services.rest.domain.model import load_model
from services.rest.domain.operations import OPERATIONS
from services.rest.http.door import PUBLISHABLE_KEY
from tests.support.conformance.wire import Answer, Wire, send
from tests.support.conformance.world import World, build, client
from tests.support.object_store import BUCKET, bucket_of

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
GUIDE_NUMBER = "+15555551234"


@pytest.fixture(scope="module")
def root(platform_variables: dict[str, str]) -> Wire:
    found = platform_variables
    return Wire(
        found["TOUCHPOINT_REST_URL"],
        found["TOUCHPOINT_ACCESS_KEY_ID"],
        found["TOUCHPOINT_SECRET_ACCESS_KEY"],
    )


@pytest.fixture(scope="module")
def world(root: Wire) -> Iterator[World]:
    made = build(client(root.url, root.access_key_id, root.secret))
    yield made
    made.client.delete_app(ApplicationId=made.ids["ApplicationId"])


def until(found: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Poll until something is there."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)  # noqa: TID251 - a test that is not async polls like this
    return value


def arrived(variables: Mapping[str, str], to: str) -> list[dict[str, Any]]:
    query = f"/messages?channel=SMS&to={to.replace('+', '%2B')}&limit=50"
    with urllib.request.urlopen(variables["TOUCHPOINT_SANDBOX_URL"] + query) as answer:  # noqa: S310
        told: list[dict[str, Any]] = json.loads(answer.read())
    return told


class Cli:
    """The AWS CLI with the platform's key."""

    def __init__(self, root: Wire, home: Path) -> None:
        self._root = root
        self._env = {
            **inherited(),
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": root.access_key_id,
            "AWS_SECRET_ACCESS_KEY": root.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
        }

    def run(self, *words: str) -> Any:
        done = subprocess.run(
            [
                sys.executable,
                str(Path(sys.executable).parent / "aws"),
                "pinpoint",
                *words,
                "--endpoint-url",
                self._root.url,
            ],
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cli(root: Wire, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(root, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def phone_segment(world: World) -> str:
    """The guide's number as an endpoint, and a segment that holds it alone."""
    app_id = world.ids["ApplicationId"]
    world.client.update_endpoint(
        ApplicationId=app_id,
        EndpointId="guide-phone",
        EndpointRequest={
            "Address": GUIDE_NUMBER,
            "ChannelType": "SMS",
            "OptOut": "NONE",
            "Attributes": {"interests": ["guide"]},
        },
    )
    made = world.client.create_segment(
        ApplicationId=app_id,
        WriteSegmentRequest={
            "Name": "guide",
            "Dimensions": {
                "Attributes": {"interests": {"AttributeType": "INCLUSIVE", "Values": ["guide"]}}
            },
        },
    )
    return str(made["SegmentResponse"]["Id"])


def test_the_guides_segment_commands(cli: Cli, world: World, phone_segment: str) -> None:
    app_id = world.ids["ApplicationId"]
    listed = cli.run("get-segments", "--application-id", app_id)
    assert phone_segment in {one["Id"] for one in listed["SegmentsResponse"]["Item"]}
    found = cli.run("get-segment", "--application-id", app_id, "--segment-id", phone_segment)
    told = found["SegmentResponse"]
    assert (told["Name"], told["SegmentType"]) == ("guide", "DIMENSIONAL")
    assert told["Dimensions"]["Attributes"]["interests"]["Values"] == ["guide"]


def test_the_guides_campaign_is_sent(
    cli: Cli,
    world: World,
    phone_segment: str,
    platform_variables: dict[str, str],
    tmp_path: Path,
) -> None:
    """The guide's file, its date moved on; the offset is written as the guide writes it."""
    soon = (datetime.now(UTC) + timedelta(seconds=4)).astimezone(
        datetime.strptime("-0700", "%z").tzinfo
    )
    body = f"guide campaign {world.ids['ApplicationId'][:8]}"
    request = {
        "Description": "My campaign",
        "MessageConfiguration": {"SMSMessage": {"Body": body, "MessageType": "PROMOTIONAL"}},
        "Name": "MyCampaign",
        "Schedule": {"StartTime": soon.strftime("%Y-%m-%dT%H:%M:%S%z"), "Frequency": "ONCE"},
        "SegmentId": phone_segment,
        "SegmentVersion": 1,
    }
    assert request["Schedule"]["StartTime"].endswith("-0700")  # type: ignore[index]
    file = tmp_path / "campaign.json"
    file.write_text(json.dumps(request))
    app_id = world.ids["ApplicationId"]
    made = cli.run(
        "create-campaign", "--application-id", app_id, "--write-campaign-request", f"file://{file}"
    )
    assert made["CampaignResponse"]["State"] == {"CampaignStatus": "SCHEDULED"}
    until(
        lambda: [m for m in arrived(platform_variables, GUIDE_NUMBER) if m["body"] == body],
        "the campaign's text at the sandbox",
    )


def test_the_guides_direct_message_is_sent(
    cli: Cli, world: World, platform_variables: dict[str, str]
) -> None:
    body = f"guide message {world.ids['ApplicationId'][:8]}"
    request = {
        "Addresses": {GUIDE_NUMBER: {"ChannelType": "SMS"}},
        "MessageConfiguration": {"SMSMessage": {"Body": body, "MessageType": "PROMOTIONAL"}},
    }
    told = cli.run(
        "send-messages",
        "--application-id",
        world.ids["ApplicationId"],
        "--message-request",
        json.dumps(request),
    )
    result = told["MessageResponse"]["Result"][GUIDE_NUMBER]
    assert (result["DeliveryStatus"], result["StatusCode"]) == ("SUCCESSFUL", 200)
    until(
        lambda: [m for m in arrived(platform_variables, GUIDE_NUMBER) if m["body"] == body],
        "the message at the sandbox",
    )


@pytest.mark.node
def test_a_whole_campaign_with_the_javascript_sdk(platform_variables: dict[str, str]) -> None:
    node = shutil.which("node")
    packages = ROOT / "examples" / "pinpoint" / "node_modules"
    if not node or not packages.is_dir():
        assert inherited().get("CI") != "true", "Node.js or its packages are missing: make setup"
        pytest.skip("no Node.js, or no packages in examples/pinpoint")
    done = subprocess.run(
        [node, "examples/pinpoint/campaign.js"],
        cwd=ROOT,
        env={**inherited(), **platform_variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert "run          2 of 2 sent" in done.stdout
    assert "delivered    2" in done.stdout


def test_a_file_in_an_object_store_becomes_a_segment(
    world: World, object_store: dict[str, str]
) -> None:
    rows = b"ChannelType,Address\nEMAIL,s3-a@example.com\nEMAIL,s3-b@example.com\n"
    bucket_of(object_store).put_object(Bucket=BUCKET, Key="guide.csv", Body=rows)
    app_id = world.ids["ApplicationId"]
    made = world.client.create_import_job(
        ApplicationId=app_id,
        ImportJobRequest={
            "Format": "CSV",
            "S3Url": f"s3://{BUCKET}/guide.csv",
            "RoleArn": "arn:aws:iam::000000000000:role/import",
            "RegisterEndpoints": True,
            "DefineSegment": True,
            "SegmentName": "from a file",
        },
    )["ImportJobResponse"]

    def job() -> Any:
        asked = {"ApplicationId": app_id, "JobId": made["Id"]}
        told = world.client.get_import_job(**asked)["ImportJobResponse"]
        assert told["JobStatus"] != "FAILED", told["Failures"]
        return told if told["JobStatus"] == "COMPLETED" else None

    done = until(job, "the end of the import")
    assert (done["TotalProcessed"], done["Type"]) == (2, "IMPORT")
    segment_id = done["Definition"]["SegmentId"]
    jobs = world.client.get_segment_import_jobs(ApplicationId=app_id, SegmentId=segment_id)
    assert [one["Id"] for one in jobs["ImportJobsResponse"]["Item"]] == [made["Id"]]

    def segment() -> Any:
        try:
            asked = {"ApplicationId": app_id, "SegmentId": segment_id}
            return world.client.get_segment(**asked)["SegmentResponse"]
        except world.client.exceptions.NotFoundException:
            return None  # told by an event, a moment after the job is done

    told = until(segment, "the segment")
    assert (told["SegmentType"], told["ImportDefinition"]["ChannelCounts"]) == (
        "IMPORT",
        {"EMAIL": 2},
    )


# Two applications, two keys --------------------------------------------------------------------


@pytest.fixture(scope="module")
def stranger(root: Wire, platform_variables: dict[str, str]) -> Wire:
    """Another application's administrator."""
    made = client(root.url, root.access_key_id, root.secret)
    app = made.create_app(CreateApplicationRequest={"Name": "another"})
    return key_for(platform_variables, root, "ROLE_ADMIN", app["ApplicationResponse"]["Id"])


def key_for(variables: Mapping[str, str], root: Wire, role: str, app_id: str) -> Wire:
    """A key made over gRPC: Pinpoint's API has no keys of its own."""
    token = f"Bearer {root.access_key_id}:{root.secret}"
    with grpc.insecure_channel(variables["TOUCHPOINT_GRPC_APPLICATIONS"]) as channel:
        stub: Any = rpc.ApiKeysServiceStub(channel)  # type: ignore[arg-type]  # typed for asyncio
        made = stub.CreateApiKey(
            pb.CreateApiKeyRequest(role=access_pb2.Role.Value(role), application_ids=[app_id]),
            metadata=(("authorization", token),),
        )
    return Wire(root.url, made.api_key.access_key_id, made.secret_access_key)


ACTIONS = load_model().actions
INSIDE = sorted(n for n in OPERATIONS if "{application-id}" in ACTIONS[n].path)


@pytest.mark.parametrize("name", INSIDE)
def test_no_operation_reaches_another_application(world: World, stranger: Wire, name: str) -> None:
    ids = {
        **world.ids,
        "JobId": "0" * 32,
        "AttributeType": "endpoint-custom-attributes",
        "Version": "1",
        "KpiName": "unique-deliveries",
    }
    action = ACTIONS[name]
    path = action.path
    for parameter in action.path_parameters:
        path = path.replace("{" + parameter.wire_name + "}", ids[parameter.member])
    answer = stranger.ask(action.method, path, _least(name, world) if action.payload else None)
    assert (answer.status, answer.error) == (403, "ForbiddenException")
    still = world.client.get_endpoint(ApplicationId=ids["ApplicationId"], EndpointId="endpoint-1")
    assert still["EndpointResponse"]["Address"] == world.ids["Address"]


def _least(name: str, world: World) -> dict[str, Any]:
    """A body that would do something, were it let in."""
    bodies: Mapping[str, dict[str, Any]] = {
        "PutEvents": {"BatchItem": {"endpoint-1": {"Endpoint": {}, "Events": {}}}},
        "CreateImportJob": {
            "Format": "CSV",
            "S3Url": f"s3://{BUCKET}/guide.csv",
            "RoleArn": "role",
            "RegisterEndpoints": True,
        },
        "CreateExportJob": {"S3UrlPrefix": f"s3://{BUCKET}/stolen/", "RoleArn": "role"},
        "SendMessages": {"MessageConfiguration": {}},
        "SendUsersMessages": {"MessageConfiguration": {}, "Users": {"user-1": {}}},
        "UpdateEndpoint": {"Address": "stolen@example.com", "ChannelType": "EMAIL"},
        "UpdateEndpointsBatch": {"Item": [{"Id": "endpoint-1", "Address": "stolen@example.com"}]},
        "UpdateEmailChannel": {"FromAddress": "x@example.com", "Identity": "example.com"},
        "RemoveAttributes": {"Blacklist": ["*"]},
        "UpdateAdmChannel": {"ClientId": "x", "ClientSecret": "x"},
        "UpdateBaiduChannel": {"ApiKey": "x", "SecretKey": "x"},
        "SendOTPMessage": {
            "Channel": "SMS",
            "BrandName": "Thief",
            "DestinationIdentity": "+12065550142",
            "OriginationIdentity": "+12065550100",
            "ReferenceId": "sign-in",
        },
        "VerifyOTPMessage": {
            "DestinationIdentity": "+12065550142",
            "Otp": "123456",
            "ReferenceId": "sign-in",
        },
        "CreateSegment": {"Name": "stolen"},
        "CreateCampaign": {"Name": "stolen", "SegmentId": world.ids["SegmentId"]},
    }
    return bodies.get(name, {"Name": "stolen"} if name.startswith("Update") else {})


def test_the_list_of_projects_holds_the_keys_own(world: World, stranger: Wire) -> None:
    answer = stranger.ask("GET", "/v1/apps")
    found = {one["Id"] for one in answer.body["Item"]}
    assert found
    assert world.ids["ApplicationId"] not in found


def test_tags_of_another_applications_resources_are_out_of_reach(
    world: World, stranger: Wire
) -> None:
    for arn in _arns(world)[:3]:
        answer = stranger.ask("GET", f"/v1/tags/{quote(arn, safe='')}")
        assert (answer.status, answer.error) == (403, "ForbiddenException")


def _arns(world: World) -> list[str]:
    ids = world.ids
    head = f"arn:aws:mobiletargeting:eu-west-1:000000000000:apps/{ids['ApplicationId']}"
    template = head.rpartition(":")[0] + f":templates/{ids['TemplateName']}/EMAIL"
    return [
        head,
        f"{head}/segments/{ids['SegmentId']}",
        f"{head}/campaigns/{ids['CampaignId']}",
        template,
    ]


def _unknown(arn: str) -> str:
    head, _, last = arn.rpartition("/")
    return f"{head}-none/{last}" if last == "EMAIL" else f"{arn}none"


@pytest.mark.parametrize("place", range(4), ids=["app", "segment", "campaign", "template"])
def test_labels_are_put_read_and_taken_off(world: World, place: int) -> None:
    arn, client = _arns(world)[place], world.client
    client.tag_resource(ResourceArn=arn, TagsModel={"tags": {"team": "crm", "a.b": "$x"}})
    client.tag_resource(ResourceArn=arn, TagsModel={"tags": {"team": "shop"}})
    told = client.list_tags_for_resource(ResourceArn=arn)["TagsModel"]["tags"]
    assert told == {"team": "shop", "a.b": "$x"}
    client.untag_resource(ResourceArn=arn, TagKeys=["a.b", "team"])
    assert client.list_tags_for_resource(ResourceArn=arn)["TagsModel"]["tags"] == {}
    with pytest.raises(client.exceptions.BadRequestException) as caught:
        client.tag_resource(ResourceArn=arn, TagsModel={"tags": {"aws:x": "1", "": "2"}})
    assert "aws: is reserved" in str(caught.value)
    assert "1 to 128" in str(caught.value)
    many = {f"key-{number}": "x" for number in range(51)}
    with pytest.raises(client.exceptions.BadRequestException):
        client.tag_resource(ResourceArn=arn, TagsModel={"tags": many})
    with pytest.raises(client.exceptions.NotFoundException):
        client.list_tags_for_resource(ResourceArn=_unknown(arn))


# Who is let in -----------------------------------------------------------------------------------


def test_a_wrong_secret_is_told_as_aws_tells_it(root: Wire) -> None:
    other = client(root.url, root.access_key_id, "not-the-secret")
    with pytest.raises(ClientError) as caught:
        other.get_apps()
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"
    nobody = client(root.url, "TPNOBODYNOBODYNOBODY", root.secret)
    with pytest.raises(ClientError) as caught:
        nobody.get_apps()
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_an_unsigned_request_is_refused(root: Wire) -> None:
    answer = send(root.url + "/v1/apps", "GET", b"", {})
    assert (answer.status, answer.error) == (403, "MissingAuthenticationTokenException")
    assert answer.body["RequestID"]


def test_paths_and_methods_that_are_none(root: Wire) -> None:
    assert root.ask("GET", "/v1/nothing").error == "NotFoundException"
    assert root.ask("DELETE", "/v1/apps").error == "MethodNotAllowedException"


def test_a_body_that_is_not_json_is_a_bad_request(root: Wire) -> None:
    raw = b"{"
    headers = root.signed("POST", "/v1/apps", raw)
    assert send(root.url + "/v1/apps", "POST", raw, headers).error == "BadRequestException"


def test_a_publishable_key_puts_events_and_endpoints_and_nothing_else(
    root: Wire, world: World, platform_variables: dict[str, str]
) -> None:
    app_id = world.ids["ApplicationId"]
    key = key_for(platform_variables, root, "ROLE_PUBLISHABLE", app_id)

    def unsigned(method: str, path: str, body: Any = None, key_id: str = "") -> Answer:
        raw = json.dumps(body).encode() if body is not None else b""
        headers = {PUBLISHABLE_KEY: key_id or key.access_key_id}
        return send(root.url + path, method, raw, headers)

    events = {"BatchItem": {"phone": {"Endpoint": {}, "Events": {"e": EVENT}}}}
    assert unsigned("POST", f"/v1/apps/{app_id}/events", events).status == 202
    endpoint = {"ChannelType": "EMAIL", "Address": "phone@example.com", "OptOut": "NONE"}
    assert unsigned("PUT", f"/v1/apps/{app_id}/endpoints/phone", endpoint).status == 202
    for method, path in (
        ("GET", f"/v1/apps/{app_id}/endpoints/phone"),
        ("DELETE", f"/v1/apps/{app_id}/endpoints/phone"),
        ("GET", f"/v1/apps/{app_id}/segments"),
        ("GET", "/v1/apps"),
    ):
        assert unsigned(method, path).error == "ForbiddenException"
    # Of any other key the id alone opens nothing.
    answer = unsigned("GET", "/v1/apps", key_id=root.access_key_id)
    assert answer.error == "ForbiddenException"


EVENT = {"EventType": "opened", "Timestamp": "2026-01-01T00:00:30.000Z"}
