"""The whole life of push, voice and in-app templates, and that what is refused changes nothing."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.templates.v1 import template_pb2
from touchpoint.templates.v1 import templates_service_pb2 as pb

from tests.integration.templates.template_builders import Stub, create, get, in_app, push, voice
from tests.support.running import refusal

Change = Callable[[template_pb2.Template], None]


def _ssml() -> template_pb2.Template:
    return voice("<speak>Hi {{Code}}</speak>", language_code="arb", voice_id="Zeina")


def _say_more(template: template_pb2.Template) -> None:
    if template.HasField("push"):
        template.push.adm.title = "More {{Code}}"
        template.push.ClearField("apns")
    elif template.HasField("voice"):
        template.voice.body = "More {{Code}}"
    else:
        template.in_app.content[0].header_config.header = "More"


def _too_much(template: template_pb2.Template) -> None:
    if template.HasField("push"):
        template.push.default.body = "x" * 4_001
    elif template.HasField("voice"):
        template.voice.body = "x" * 10_001
    else:
        template.in_app.content[0].body_config.body = "x" * 151


def _content(template: template_pb2.Template) -> object:
    return getattr(template, str(template.WhichOneof("content")))


def _named(error: aio.AioRpcError) -> set[str]:
    """The bad fields that an INVALID_ARGUMENT names."""
    told = refusal(error)
    assert told.code == "INVALID_ARGUMENT"
    return set(told.fields)


async def _versions(stub: Stub, template: template_pb2.Template) -> list[tuple[int, bool]]:
    request = pb.ListTemplateVersionsRequest(
        template_name=template.template_name, template_type=template.template_type
    )
    listed = await stub.ListTemplateVersions(request)
    return [(one.version, one.active) for one in listed.templates]


async def _update(
    stub: Stub, template: template_pb2.Template, *, create_new: bool
) -> template_pb2.Template:
    request = pb.UpdateTemplateRequest(template=template, create_new_version=create_new)
    return (await stub.UpdateTemplate(request)).template


EACH = pytest.mark.parametrize("make", [push, _ssml, in_app])


@EACH
async def test_an_update_overwrites_or_adds_and_activation_switches(
    stub: Stub, make: Callable[[], template_pb2.Template]
) -> None:
    first, more = make(), make()
    await create(stub, first)
    more.template_name = first.template_name
    _say_more(more)
    await _update(stub, more, create_new=True)
    assert _content(await get(stub, first)) == _content(first)
    assert _content(await get(stub, first, 2)) == _content(more)
    assert await _versions(stub, first) == [(2, False), (1, True)]
    await stub.UpdateTemplateActiveVersion(
        pb.UpdateTemplateActiveVersionRequest(
            template_name=first.template_name, template_type=first.template_type, version="2"
        )
    )
    assert _content(await get(stub, first)) == _content(more)
    assert await _versions(stub, first) == [(2, True), (1, False)]
    await _update(stub, first, create_new=False)
    assert _content(await get(stub, first)) == _content(first)
    assert await _versions(stub, first) == [(2, True), (1, False)]


@EACH
@pytest.mark.parametrize("options", [{"create_new": True}, {"create_new": False}])
async def test_a_refused_update_changes_nothing(
    stub: Stub, make: Callable[[], template_pb2.Template], options: dict[str, bool]
) -> None:
    kept = await get(stub, await create(stub, make()))
    bad = template_pb2.Template()
    bad.CopyFrom(kept)
    _too_much(bad)
    bad.template_description = "d" * 501
    with pytest.raises(aio.AioRpcError) as caught:
        await _update(stub, bad, **options)
    named = _named(caught.value)
    assert "template.template_description" in named
    assert any(one.startswith(f"template.{kept.WhichOneof('content')}.") for one in named)
    assert await get(stub, kept) == kept
    assert await _versions(stub, kept) == [(1, True)]


@EACH
async def test_one_version_goes_alone_and_the_active_one_with_all(
    stub: Stub, make: Callable[[], template_pb2.Template]
) -> None:
    kept = await create(stub, make())
    await _update(stub, kept, create_new=True)
    delete = pb.DeleteTemplateRequest(
        template_name=kept.template_name, template_type=kept.template_type, version=1
    )
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.DeleteTemplate(delete)
    assert refusal(caught.value).reason == "STATE_CONFLICT"
    delete.version = 2
    await stub.DeleteTemplate(delete)
    assert await _versions(stub, kept) == [(1, True)]


async def test_lists_by_type_hold_no_other_type_of_the_same_name(stub: Stub) -> None:
    made = [push(), _ssml(), in_app()]
    for template in made:
        template.template_name = made[0].template_name
        await create(stub, template)
    for template in made:
        request = pb.ListTemplatesRequest(
            prefix=template.template_name, template_type=template.template_type
        )
        listed = (await stub.ListTemplates(request)).templates
        assert [_content(one) for one in listed] == [_content(template)]


async def test_a_preview_of_a_stored_call_escapes_values_only_in_ssml(stub: Stub) -> None:
    kept = await create(stub, _ssml())
    request = pb.PreviewTemplateRequest(
        stored=pb.GetTemplateRequest(
            template_name=kept.template_name, template_type=kept.template_type
        ),
        endpoint=endpoint_pb2.Endpoint(),
        substitutions={"Code": "<7> & 8"},
    )
    shown = (await stub.PreviewTemplate(request)).rendered.voice
    assert shown.body == "<speak>Hi &lt;7&gt; &amp; 8</speak>"
    assert (shown.language_code, shown.voice_id) == ("arb", "Zeina")
    request.template.CopyFrom(voice("Hi {{Code}}, {{Gone}}"))
    answer = await stub.PreviewTemplate(request)
    assert answer.rendered.voice.body == "Hi <7> & 8, "
    assert list(answer.missing_variables) == ["Gone"]


async def test_a_preview_of_an_in_app_message_is_the_message(stub: Stub) -> None:
    template = in_app()
    request = pb.PreviewTemplateRequest(template=template, substitutions={"this": "no"})
    answer = await stub.PreviewTemplate(request)
    assert answer.rendered.in_app == template.in_app
    assert list(answer.missing_variables) == []


def _raw(text: str) -> Change:
    def change(template: template_pb2.Template) -> None:
        template.push.apns.raw_content = text

    return change


def _unknown_action(template: template_pb2.Template) -> None:
    template.push.adm.title = "x"
    template.push.adm.action = 99  # type: ignore[assignment]


def _unknown_type(template: template_pb2.Template) -> None:
    template.template_type = 99  # type: ignore[assignment]


def _long_sound(template: template_pb2.Template) -> None:
    template.push.default.sound = "s" * 4_000


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (_raw('{"a": NaN}'), "template.push.apns.raw_content"),
        (_raw('{"a": "\\ud800"}'), "template.push.apns.raw_content"),
        (_raw('{"a": ' + "[" * 1_900 + "]" * 1_900 + "}"), "template.push.apns.raw_content"),
        (_raw(json.dumps({"a": "{{#if x}}"})), "template.push.apns.raw_content"),
        (_unknown_action, "template.push.adm.action"),
        (_unknown_type, "template.template_type"),
        (_long_sound, "template.push.default.sound"),
    ],
)
async def test_what_would_break_later_is_named_at_once(
    stub: Stub, change: Change, wrong: str
) -> None:
    bad = push()
    change(bad)
    for call in (
        stub.CreateTemplate(pb.CreateTemplateRequest(template=bad)),
        stub.PreviewTemplate(pb.PreviewTemplateRequest(template=bad)),
    ):
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        assert _named(caught.value) == {wrong}


@pytest.mark.parametrize("number", [0, 99])
async def test_every_call_names_a_type_that_is_not_known(stub: Stub, number: int) -> None:
    which: dict[str, Any] = {"template_name": "x", "template_type": number}
    stored = pb.GetTemplateRequest(**which)
    calls: list[tuple[Awaitable[Any], str]] = [
        (stub.GetTemplate(stored), "template_type"),
        (stub.PreviewTemplate(pb.PreviewTemplateRequest(stored=stored)), "stored.template_type"),
        (stub.DeleteTemplate(pb.DeleteTemplateRequest(**which)), "template_type"),
        (stub.ListTemplateVersions(pb.ListTemplateVersionsRequest(**which)), "template_type"),
    ]
    activation = pb.UpdateTemplateActiveVersionRequest(**which, version="latest")
    calls.append((stub.UpdateTemplateActiveVersion(activation), "template_type"))
    if number:  # a list without a type holds all of them
        every: dict[str, Any] = {"template_type": number}
        calls.append((stub.ListTemplates(pb.ListTemplatesRequest(**every)), "template_type"))
    for call, field in calls:
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        assert _named(caught.value) == {field}


@pytest.mark.parametrize("version", ["", "0", "²", "-1", "2", "9" * 5_000])
async def test_only_a_version_that_was_made_becomes_active(stub: Stub, version: str) -> None:
    kept = await create(stub, push(adm=template_pb2.AndroidPushTemplate(title="x")))
    request = pb.UpdateTemplateActiveVersionRequest(
        template_name=kept.template_name, template_type=kept.template_type, version=version
    )
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.UpdateTemplateActiveVersion(request)
    assert _named(caught.value) == {"version"}
    assert (await get(stub, kept)).push.adm.action == channel_pb2.PUSH_ACTION_UNSPECIFIED
    assert await _versions(stub, kept) == [(1, True)]
