"""Push in campaigns: what is allowed, and which content each channel type gets."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import strategies as st
from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import message_pb2
from touchpoint.templates.v1 import template_pb2
from touchpoint.templates.v1 import templates_service_pb2 as templates_pb

from libs.errors import Violations
from services.campaigns.clients.contents import ContentsClient, TemplateMissing
from services.campaigns.clients.push import inline_push, template_push
from services.campaigns.domain.audience import Member, decide, plan
from services.campaigns.domain.campaign import Definition, Says, Schedule, TemplateReference
from services.campaigns.domain.push import (
    PUSH_TYPES,
    PushMessage,
    PushMessages,
    check_push,
    life_at,
)
from services.campaigns.domain.validation import check
from services.campaigns.servicer.mapping import definition_from_proto
from services.campaigns.usecases.syntax import check_syntax

APNS = ("APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX")
HELLO = PushMessage(title="Hello", body="You")
TEMPLATE = TemplateReference("hello")


def _fields(push: PushMessages) -> set[str]:
    found = Violations()
    check_push(found, push, "")
    return {one.field for one in found.found}


def _definition(says: Says) -> Definition:
    return Definition("c", "s", says, Schedule("IMMEDIATE"))


def test_every_bad_field_is_named() -> None:
    bad = PushMessages(
        default=PushMessage(action="URL", json_body="[1]", time_to_live=2_419_201),
        apns=PushMessage(title="t", silent_push=True, time_to_live=-1),
        gcm=PushMessage(body="x" * 201, action="NONE", time_to_live=2_419_201),
        adm=PushMessage(raw_content="{", time_to_live=60),
        baidu=PushMessage(title="t", url="x" * 4001, time_to_live=604_801),
    )
    assert _fields(bad) == {
        "default_message.body",
        "default_message.url",
        "default_message.json_body",
        "default_message.time_to_live",
        "apns_message.title",
        "apns_message.time_to_live",
        "gcm_message.body",
        "gcm_message.action",
        "gcm_message.time_to_live",
        "adm_message.raw_content",
        "adm_message.time_to_live",
        "baidu_message.url",
        "baidu_message.time_to_live",
    }


@pytest.mark.parametrize(
    ("message", "fine"),
    [
        (PushMessage(body="x" * 200, action="DEEP_LINK", url="shop://x", time_to_live=0), True),
        (PushMessage(silent_push=True, json_body='{"a": [1, {"b": null}]}'), True),
        (PushMessage(silent_push=True), True),
        (PushMessage(raw_content='{"aps": {"content-available": 1}}'), True),
        (PushMessage(raw_content='{"aps": {}}'), True),
        (PushMessage(raw_content='{"aps": {"content-available": true}}'), False),
        (PushMessage(raw_content='{"aps": {"content-available": 2}}'), False),
        (PushMessage(raw_content='{"data": {}}'), False),
        (PushMessage(raw_content='{"aps": {"alert": "x"}}', silent_push=True), False),
        (PushMessage(silent_push=True, json_body='{"a": NaN}'), False),
        (PushMessage(silent_push=True, json_body='{"a": "{{Id}}"}'), True),
        (PushMessage(silent_push=True, json_body='{"a": {"b": "{{Id}}"}}'), True),
        (PushMessage(silent_push=True, json_body="[" * 100_000), False),
    ],
)
def test_what_apple_devices_take(message: PushMessage, *, fine: bool) -> None:
    assert (_fields(PushMessages(apns=message)) == set()) is fine


def test_a_default_message_keeps_apples_rules_only_where_it_goes_there() -> None:
    silent = PushMessage(title="t", silent_push=True)
    assert _fields(PushMessages(default=silent)) == {"default_message.title"}
    assert _fields(PushMessages(default=silent, apns=HELLO)) == set()


def test_a_service_gets_its_own_message_or_the_default() -> None:
    push = PushMessages(default=PushMessage(body="default"), apns=PushMessage(body="apple"))
    said = {one: getattr(push.of(one), "body", None) for one in PUSH_TYPES}
    assert said == dict.fromkeys(APNS, "apple") | dict.fromkeys(("GCM", "ADM", "BAIDU"), "default")
    assert PushMessages(gcm=HELLO).channels == {"GCM"}
    assert PushMessages(apns=HELLO).channels == set(APNS)
    assert PushMessages().channels == frozenset()


texts = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4)


def test_a_default_life_is_cut_to_what_a_service_keeps() -> None:
    assert life_at("BAIDU", 1_000_000) == 604_800
    assert life_at("GCM", 1_000_000) == life_at("APNS", 1_000_000) == 1_000_000
    assert life_at("ADM", 60) is None
    assert life_at("APNS", 0) == 0
    assert life_at("GCM", None) is None


def test_a_content_holds_what_its_service_knows() -> None:
    message = PushMessage(
        title="t",
        body="b",
        action="URL",
        url="https://x",
        image_icon_url="icon",
        image_small_icon_url="small",
        image_url="picture",
        media_url="film",
        json_body='{"a": "b"}',
        time_to_live=5,
    )
    apple, google, amazon = (inline_push(message, one).push for one in ("APNS_VOIP", "GCM", "ADM"))
    assert (apple.media_url, apple.image_url, apple.time_to_live) == ("film", "", 5)
    assert (google.media_url, google.image_url, google.image_icon_url) == ("", "picture", "icon")
    assert google.small_image_icon_url == "small"
    assert (google.action, google.url) == (channel_pb2.PUSH_ACTION_URL, "https://x")
    assert not amazon.HasField("time_to_live")
    assert not google.json_body  # it is what a silent push tells
    silent = inline_push(replace(message, silent_push=True), "GCM").push
    assert (silent.silent_push, silent.json_body) == (True, '{"a": "b"}')


def _template(**parts: object) -> template_pb2.Template:
    push = template_pb2.PushTemplateContent(**parts)  # type: ignore[arg-type]
    return template_pb2.Template(push=push, default_substitutions={"Name": "you"})


def test_a_part_of_a_template_replaces_the_default_whole() -> None:
    template = _template(
        default=template_pb2.DefaultPushTemplate(title="d", body="d", sound="default"),
        apns=template_pb2.ApnsPushTemplate(body="apple", media_url="film"),
        baidu=template_pb2.AndroidPushTemplate(body="b", small_image_icon_url="small"),
    )
    said = {one: template_push(template, one) for one in PUSH_TYPES}
    assert all(one is not None for one in said.values())
    assert said["APNS_SANDBOX"] == message_pb2.MessageContent(
        push=message_pb2.PushContent(body="apple", media_url="film"),
        default_substitutions={"Name": "you"},
    )
    assert said["GCM"] is not None
    assert said["GCM"] == said["ADM"]
    assert (said["GCM"].push.title, said["GCM"].push.sound) == ("d", "default")
    assert said["BAIDU"] is not None
    assert said["BAIDU"].push.small_image_icon_url == "small"
    assert template_push(_template(gcm=template_pb2.AndroidPushTemplate(body="g")), "ADM") is None


class _Templates:
    """A channel on which every call is answered with one template; counts them."""

    def __init__(self, template: template_pb2.Template) -> None:
        self._answer = templates_pb.GetTemplateResponse(template=template)
        self.calls = 0

    def unary_unary(self, *_: object, **__: object) -> Any:
        return self._called

    async def _called(self, _: object) -> templates_pb.GetTemplateResponse:
        self.calls += 1
        return self._answer

    def client(self) -> ContentsClient:
        return ContentsClient(self)  # type: ignore[arg-type]  # all that is used of a channel


async def test_own_then_default_then_template() -> None:
    stub = _Templates(_template(default=template_pb2.DefaultPushTemplate(body="template")))
    says = Says(push=PushMessages(apns=PushMessage(body="own")), push_template=TEMPLATE)
    resolved = await stub.client().resolve(
        {"0": says}, datetime.now(UTC), skip_on_missing_variable=True
    )
    said = {
        channel_pb2.ChannelType.Name(one.channel_type): one.content.push.body for one in resolved
    }
    assert said == {
        **{f"CHANNEL_TYPE_{one}": "own" for one in APNS},
        **{f"CHANNEL_TYPE_{one}": "template" for one in ("GCM", "ADM", "BAIDU")},
    }
    assert all(one.content.skip_on_missing_variable for one in resolved)
    assert stub.calls == 1


async def test_a_template_that_says_nothing_by_push_stops_the_run() -> None:
    client = _Templates(_template()).client()
    with pytest.raises(TemplateMissing, match="hello"):
        await client.resolve(
            {"0": Says(push_template=TEMPLATE)}, datetime.now(UTC), skip_on_missing_variable=False
        )


def test_a_template_beside_messages_for_every_service_is_refused() -> None:
    beside = Says(push=PushMessages(apns=HELLO), push_template=TEMPLATE)
    assert check(_definition(beside)).found == ()
    over = Says(push=PushMessages(default=HELLO), push_template=TEMPLATE)
    assert [one.field for one in check(_definition(over)).found] == [
        "campaign.template_configuration.push_template"
    ]


def test_push_is_promotional_and_reaches_its_own_channel_types_only() -> None:
    says = Says(push=PushMessages(apns=HELLO))
    assert says.message_type == "PROMOTIONAL"
    chosen = plan("c", _definition(says))
    for channel, reason in (("APNS_VOIP", ""), ("GCM", "CHANNEL_MISMATCH")):
        member = Member(channel, True, 0, "", False, False)  # noqa: FBT003 - all its facts
        assert decide(member, chosen, datetime(2026, 1, 1, tzinfo=UTC)) == ("0", reason)


def test_templates_with_mistakes_are_named() -> None:
    bad = PushMessages(
        default=PushMessage(title="{{#if", url="{{x"),
        gcm=PushMessage(raw_content='{"a": ["{{#if"]}', json_body='{"a": "{{b"}'),
    )
    found = Violations()
    check_syntax(_definition(Says(push=bad)), found)
    assert {one.field.removeprefix("campaign.message_configuration.") for one in found.found} == {
        "default_message.title",
        "default_message.url",
        "gcm_message.raw_content",
        "gcm_message.json_body",
    }


def test_an_action_nobody_knows_is_refused() -> None:
    campaign = campaign_pb2.Campaign(name="c", segment_id="s")
    campaign.schedule.start_time = "IMMEDIATE"
    campaign.message_configuration.gcm_message.body = "b"
    campaign.message_configuration.gcm_message.action = 77  # type: ignore[assignment]
    assert [one.field for one in check(definition_from_proto(campaign)).found] == [
        "campaign.message_configuration.gcm_message.action"
    ]
