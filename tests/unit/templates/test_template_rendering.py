"""Templates of every type between wire and domain, and what a preview makes of them."""

import json
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st
from touchpoint.common.v1 import in_app_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.templates.v1 import template_pb2 as pb

from libs.errors import InvalidFields, Violations
from services.templates import usecases
from services.templates.domain.contents import PUSH_PARTS
from services.templates.domain.template import first_version
from services.templates.servicer.mapping import check_document, from_proto, kind_of, to_proto
from tests.unit.templates.samples import NOW, TEMPLATES

VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CONTENTS = ("email", "sms", "push", "voice", "in_app")


def _shown(template: pb.Template, **values: str) -> pb.Template:
    _, kept = first_version(from_proto(template), NOW)
    rendered, _ = usecases.rendered(kept, endpoint_pb2.Endpoint(), values, NOW)
    return to_proto(rendered)


def _push(**parts: pb.ApnsPushTemplate | pb.AndroidPushTemplate) -> pb.Template:
    content = pb.PushTemplateContent(**parts)  # type: ignore[arg-type]
    return pb.Template(template_name="t", template_type=pb.TEMPLATE_TYPE_PUSH, push=content)


def _voice(body: str) -> pb.Template:
    content = pb.VoiceTemplateContent(body=body)
    return pb.Template(template_name="t", template_type=pb.TEMPLATE_TYPE_VOICE, voice=content)


@given(TEMPLATES)
def test_what_a_template_says_comes_back_as_it_went_in(template: pb.Template) -> None:
    _, kept = first_version(from_proto(template), NOW)
    told = to_proto(kept)
    for name in CONTENTS:
        assert getattr(told, name) == getattr(template, name)
    assert told.WhichOneof("content") == template.WhichOneof("content")
    assert list(told.variables) == []


@given(TEMPLATES)
def test_a_text_without_expressions_is_rendered_as_itself(template: pb.Template) -> None:
    shown = _shown(template)
    for name in PUSH_PARTS[1:]:
        part, wanted = getattr(shown.push, name), getattr(template.push, name)
        if wanted.raw_content:  # spaces between members are not kept
            assert json.loads(part.raw_content) == json.loads(wanted.raw_content)
            part.raw_content = wanted.raw_content
    for name in CONTENTS:
        assert getattr(shown, name) == getattr(template, name)


@given(VALUES)
def test_no_value_breaks_the_json_of_raw_content(value: str) -> None:
    raw = json.dumps({"a": ["{{V}}", 1, None, {"{{V}}": "x {{V}}"}], "b": True})
    shown = _shown(_push(apns=pb.ApnsPushTemplate(raw_content=raw)), V=value)
    wanted = {"a": [value, 1, None, {"{{V}}": f"x {value}"}], "b": True}
    assert json.loads(shown.push.apns.raw_content) == wanted


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=20))
def test_no_value_breaks_ssml_and_plain_speech_is_left_alone(value: str) -> None:
    ssml = _shown(_voice("<speak>Hi {{V}}</speak>"), V=value).voice.body
    assert Xml.fromstring(ssml).text == f"Hi {value}"  # noqa: S314 - written by this test
    assert _shown(_voice("Hi {{V}}"), V=value).voice.body == f"Hi {value}"


def test_every_part_of_a_push_template_is_a_template_but_sound() -> None:
    texts: dict[str, Any] = {
        n: f"{n} {{{{V}}}}" for n in ("title", "body", "url", "image_url", "image_icon_url")
    }
    part = pb.AndroidPushTemplate(sound="{{V}}", small_image_icon_url="{{V}}", **texts)
    shown = _shown(_push(gcm=part, baidu=part), V="7").push
    assert shown.gcm == shown.baidu
    for name in texts:
        assert getattr(shown.gcm, name) == f"{name} 7"
    assert (shown.gcm.small_image_icon_url, shown.gcm.sound) == ("7", "{{V}}")
    assert not shown.HasField("apns")


def test_bad_syntax_is_named_by_part_and_deep_inside_json() -> None:
    found = Violations()
    raw = json.dumps({"a": {"b": ["fine", "{{#if x}}"]}})
    apns = pb.ApnsPushTemplate(raw_content=raw, title="{{", media_url="{{/if}}")
    usecases.compiled_parts(from_proto(_push(apns=apns)), found)
    assert {one.field for one in found.found} == {
        "template.push.apns.title",
        "template.push.apns.media_url",
        "template.push.apns.raw_content",
    }


def test_json_that_is_none_is_left_as_it_is() -> None:
    """Checks refuse it; what was kept before there were checks must still be shown."""
    shown = _shown(_push(apns=pb.ApnsPushTemplate(raw_content="{no", title="{{V}}")), V="x")
    assert (shown.push.apns.raw_content, shown.push.apns.title) == ("{no", "x")


def test_an_in_app_message_has_no_variables_and_its_bad_fields_are_named() -> None:
    message = in_app_pb2.InAppMessage(layout=in_app_pb2.IN_APP_LAYOUT_TOP_BANNER)
    button = message.content.add().primary_btn.default_config
    button.text = "{{" + "x" * 63
    template = pb.Template(template_name="t", template_type=pb.TEMPLATE_TYPE_INAPP, in_app=message)
    found = Violations()
    check_document(found, template)
    usecases.compiled_parts(from_proto(template), found)
    where = "template.in_app.content[0].primary_btn.default_config"
    assert {one.field for one in found.found} == {f"{where}.text", f"{where}.button_action"}


@pytest.mark.parametrize("number", [0, 99, -1])
def test_a_type_that_is_not_known_is_named(number: int) -> None:
    with pytest.raises(InvalidFields) as caught:
        kind_of(number, "stored.template_type")  # type: ignore[arg-type]
    assert [one.field for one in caught.value.violations] == ["stored.template_type"]
    template = pb.Template(template_name="t", template_type=number)  # type: ignore[arg-type]
    assert from_proto(template).kind == ""
