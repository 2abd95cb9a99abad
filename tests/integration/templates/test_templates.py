"""Templates over real RPCs: versions, the active one, previews, and what is refused."""

import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.templates.v1 import template_pb2
from touchpoint.templates.v1 import templates_service_pb2 as pb
from touchpoint.templates.v1 import templates_service_pb2_grpc as rpc

from libs.ids import new_id
from tests.support.running import refusal

EMAIL, SMS = template_pb2.TEMPLATE_TYPE_EMAIL, template_pb2.TEMPLATE_TYPE_SMS
Stub = rpc.TemplatesServiceStub


def _sms(name: str, body: str, **defaults: str) -> template_pb2.Template:
    return template_pb2.Template(
        template_name=name,
        template_type=SMS,
        sms=template_pb2.SmsTemplateContent(body=body),
        default_substitutions=defaults,
    )


def _email(name: str, html: str) -> template_pb2.Template:
    content = template_pb2.EmailTemplateContent(subject="Hi {{FirstName}}", html_part=html)
    return template_pb2.Template(template_name=name, template_type=EMAIL, email=content)


async def _create(stub: Stub, template: template_pb2.Template) -> template_pb2.Template:
    answer = await stub.CreateTemplate(pb.CreateTemplateRequest(template=template))
    return answer.template


async def _get(stub: Stub, name: str, version: int = 0) -> template_pb2.Template:
    request = pb.GetTemplateRequest(template_name=name, template_type=SMS, version=version)
    return (await stub.GetTemplate(request)).template


async def test_a_saved_version_is_used_only_once_it_is_activated(stub: Stub) -> None:
    """X7 of the specification."""
    name = new_id()
    first = await _create(stub, _sms(name, "one {{FirstName}}"))
    assert (first.version, first.active, list(first.variables)) == (1, True, ["FirstName"])
    second = await stub.UpdateTemplate(
        pb.UpdateTemplateRequest(template=_sms(name, "two"), create_new_version=True)
    )
    assert (second.template.version, second.template.active) == (2, False)
    assert (await _get(stub, name)).sms.body == "one {{FirstName}}"
    await stub.UpdateTemplateActiveVersion(
        pb.UpdateTemplateActiveVersionRequest(
            template_name=name, template_type=SMS, version="latest"
        )
    )
    assert (await _get(stub, name)).sms.body == "two"
    assert (await _get(stub, name, 1)).sms.body == "one {{FirstName}}"
    assert not (await _get(stub, name, 1)).active


async def test_an_update_without_new_version_overwrites_the_latest(stub: Stub) -> None:
    name = new_id()
    await _create(stub, _sms(name, "one"))
    await stub.UpdateTemplate(pb.UpdateTemplateRequest(template=_sms(name, "one again")))
    assert (await _get(stub, name)).sms.body == "one again"
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.UpdateTemplate(
            pb.UpdateTemplateRequest(template=_sms(name, "x"), version=1, create_new_version=True)
        )
    assert refusal(caught.value).fields == {"version"}
    await stub.UpdateTemplate(
        pb.UpdateTemplateRequest(template=_sms(name, "two"), create_new_version=True)
    )
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.UpdateTemplate(pb.UpdateTemplateRequest(template=_sms(name, "x"), version=1))
    assert refusal(caught.value).fields == {"version"}


async def test_names_are_unique_within_their_type(stub: Stub) -> None:
    name = new_id()
    await _create(stub, _sms(name, "x"))
    await _create(stub, _email(name, "<p>x</p>"))
    with pytest.raises(aio.AioRpcError) as caught:
        await _create(stub, _sms(name, "y"))
    assert refusal(caught.value).reason == "RESOURCE_EXISTS"


async def test_every_bad_field_is_named_syntax_included(stub: Stub) -> None:
    bad = _email("-bad name", "{{#if x}}never closed")
    bad.template_description = "d" * 501
    bad.email.headers.append(channel_pb2.MessageHeader(name="X-A", value="two\r\nlines"))
    with pytest.raises(aio.AioRpcError) as caught:
        await _create(stub, bad)
    assert refusal(caught.value).fields == {
        "template.template_name",
        "template.template_description",
        "template.email.html_part",
        "template.email.headers[0].value",
    }


async def test_the_preview_follows_the_order_of_values(stub: Stub) -> None:
    endpoint = endpoint_pb2.Endpoint(
        user=endpoint_pb2.User(
            user_attributes={"FirstName": channel_pb2.StringList(values=["Ana & Co"])}
        ),
        metrics={"spend": 12.5},
    )
    template = _email("x", "<b>{{FirstName}}</b> {{Metrics.spend}} {{Code}} {{Gone}} {{Shop}}")
    template.default_substitutions["Shop"] = "ours"
    template.default_substitutions["FirstName"] = "there"
    answer = await stub.PreviewTemplate(
        pb.PreviewTemplateRequest(
            template=template, endpoint=endpoint, substitutions={"Code": "<1>"}
        )
    )
    assert answer.rendered.email.html_part == "<b>Ana &amp; Co</b> 12.5 &lt;1&gt;  ours"
    assert answer.rendered.email.subject == "Hi Ana & Co"
    assert list(answer.missing_variables) == ["Gone"]


async def test_the_preview_of_a_text_counts_its_parts(stub: Stub) -> None:
    name = new_id()
    await _create(stub, _sms(name, "{{Word}}", Word="x" * 161))
    stored = pb.GetTemplateRequest(template_name=name, template_type=SMS)
    answer = await stub.PreviewTemplate(pb.PreviewTemplateRequest(stored=stored))
    assert answer.sms_part_count == 2


async def test_lists_are_paged_by_name_and_filtered(stub: Stub) -> None:
    prefix = new_id()[:8]
    names = [f"{prefix}-{n}" for n in range(5)]
    for name in names:
        await _create(stub, _sms(name, "x"))
        await _create(stub, _email(name, "<p>x</p>"))
    for kind, expected in ((SMS, 5), (template_pb2.TEMPLATE_TYPE_UNSPECIFIED, 10)):
        seen: list[str] = []
        token = ""
        while True:
            page = await stub.ListTemplates(
                pb.ListTemplatesRequest(
                    prefix=prefix, template_type=kind, page_size=3, page_token=token
                )
            )
            seen += [f"{t.template_name}/{t.template_type}" for t in page.templates]
            token = page.next_page_token
            if not token:
                break
        assert len(seen) == len(set(seen)) == expected
        assert seen == sorted(seen, key=lambda s: s.split("/")[0])


async def test_the_active_version_goes_only_with_all(stub: Stub) -> None:
    name = new_id()
    await _create(stub, _sms(name, "one"))
    await stub.UpdateTemplate(
        pb.UpdateTemplateRequest(template=_sms(name, "two"), create_new_version=True)
    )
    delete = pb.DeleteTemplateRequest(template_name=name, template_type=SMS, version=1)
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.DeleteTemplate(delete)
    assert refusal(caught.value).reason == "STATE_CONFLICT"
    delete.version = 2
    await stub.DeleteTemplate(delete)
    listed = await stub.ListTemplateVersions(
        pb.ListTemplateVersionsRequest(template_name=name, template_type=SMS)
    )
    assert [t.version for t in listed.templates] == [1]
    delete.version = 0
    await stub.DeleteTemplate(delete)
    with pytest.raises(aio.AioRpcError) as caught:
        await _get(stub, name)
    assert refusal(caught.value).code == "NOT_FOUND"
