"""Push, voice and in-app templates over real RPCs: kept, versioned, previewed, refused."""

import json
from typing import Any

import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.templates.v1 import template_pb2
from touchpoint.templates.v1 import templates_service_pb2 as pb

from libs.ids import new_id
from libs.mongo.client import new_client
from tests.integration.templates.template_builders import (
    PUSH,
    Stub,
    create,
    get,
    in_app,
    push,
    voice,
)
from tests.support.running import refusal


async def fields(stub: Stub, template: template_pb2.Template) -> frozenset[str]:
    with pytest.raises(aio.AioRpcError) as caught:
        await create(stub, template)
    told = refusal(caught.value)
    assert told.code == "INVALID_ARGUMENT"
    request = pb.GetTemplateRequest(
        template_name=template.template_name, template_type=template.template_type
    )
    with pytest.raises(aio.AioRpcError):
        await stub.GetTemplate(request)
    return told.fields


@pytest.mark.parametrize("make", [push, lambda: voice("Hi {{Code}}", voice_id="Joanna"), in_app])
async def test_what_goes_in_comes_out_and_versions_follow(stub: Stub, make: Any) -> None:
    wanted = make()
    made = await create(stub, wanted)
    kept = await get(stub, made)
    for name in ("push", "voice", "in_app"):
        assert getattr(kept, name) == getattr(wanted, name)
    second = await stub.UpdateTemplate(
        pb.UpdateTemplateRequest(template=wanted, create_new_version=True)
    )
    assert (second.template.version, second.template.active) == (2, False)
    listed = await stub.ListTemplates(
        pb.ListTemplatesRequest(template_type=made.template_type, prefix=made.template_name)
    )
    assert [one.template_name for one in listed.templates] == [made.template_name]
    gone = pb.DeleteTemplateRequest(
        template_name=made.template_name, template_type=made.template_type
    )
    await stub.DeleteTemplate(gone)
    with pytest.raises(aio.AioRpcError):
        await get(stub, made)


async def test_variables_are_read_wherever_they_stand_and_not_in_app(stub: Stub) -> None:
    assert (await create(stub, push())).variables == ["Code", "User.UserId"]
    assert (await create(stub, voice("<speak>{{Code}} <break/></speak>"))).variables == ["Code"]
    kept = await create(stub, in_app())
    assert kept.variables == []
    assert kept.in_app.content[0].header_config.header == "Literally {{this}}"


async def test_a_preview_renders_every_text_and_raw_content_stays_json(stub: Stub) -> None:
    name = 'A "quoted" one'
    request = pb.PreviewTemplateRequest(
        template=push(),
        endpoint=endpoint_pb2.Endpoint(user=endpoint_pb2.User(user_id=name)),
        substitutions={"Code": "7"},
    )
    shown = (await stub.PreviewTemplate(request)).rendered.push
    assert shown.default.title == f"Hi {name}"
    assert shown.default.url == "https://shop.example/7"
    assert json.loads(shown.apns.raw_content) == {
        "aps": {"alert": f"Hi {name}"},
        "n": [1, "7", None],
    }


async def test_every_bad_field_of_a_push_template_is_named(stub: Stub) -> None:
    android = template_pb2.AndroidPushTemplate
    bad = push(
        apns=template_pb2.ApnsPushTemplate(raw_content="{", title="{{#if"),
        gcm=android(title="x", action=channel_pb2.PUSH_ACTION_DEEP_LINK),
        adm=android(body="x" * 6001),
        baidu=android(sound="only"),
    )
    assert await fields(stub, bad) == {
        "template.push.apns.raw_content",
        "template.push.apns.title",
        "template.push.gcm.url",
        "template.push.adm.body",
        "template.push.baidu.body",
    }
    nothing = template_pb2.Template(template_name=f"p{new_id()}", template_type=PUSH)
    assert await fields(stub, nothing) == {"template.push.default"}


@pytest.mark.parametrize(
    ("body", "language", "wrong"),
    [
        ("", "", {"template.voice.body"}),
        ("x" * 10_001, "english", {"template.voice.body", "template.voice.language_code"}),
        ("<speak>no end", "", {"template.voice.body"}),
        ("<speak><!DOCTYPE x></speak>", "", {"template.voice.body"}),
        ("<speaker/>", "", {"template.voice.body"}),
    ],
)
async def test_every_bad_field_of_a_voice_template_is_named(
    stub: Stub, body: str, language: str, wrong: set[str]
) -> None:
    assert await fields(stub, voice(body, language_code=language)) == wrong


async def test_every_bad_field_of_an_in_app_template_is_named(stub: Stub) -> None:
    bad = in_app("x" * 65)
    bad.in_app.content.add()
    bad.default_substitutions["a"] = "b"
    assert await fields(stub, bad) == {
        "template.default_substitutions",
        "template.in_app.content",
        "template.in_app.content[0].header_config.header",
    }


async def test_templates_kept_before_there_were_other_types_are_read(
    stub: Stub, mongo_uri: str, database_prefix: str
) -> None:
    name = f"s{new_id()}"
    sms = template_pb2.Template(
        template_name=name,
        template_type=template_pb2.TEMPLATE_TYPE_SMS,
        sms=template_pb2.SmsTemplateContent(body="Hi"),
    )
    await create(stub, sms)
    client = new_client(mongo_uri, "test")
    versions = client[f"{database_prefix}templates"]["versions"]
    before = {"$set": {"parts": {"body": "Before"}}, "$unset": {"facts": 1, "document": 1}}
    done = await versions.update_one({"_id": f"SMS/{name}/1"}, before)
    assert done.modified_count == 1
    assert (await get(stub, sms)).sms.body == "Before"
    client.close()
