"""Templates of the newer types, and the calls that keep and read them."""

import json
from typing import Any

from touchpoint.common.v1 import channel_pb2, in_app_pb2
from touchpoint.templates.v1 import template_pb2
from touchpoint.templates.v1 import templates_service_pb2 as pb
from touchpoint.templates.v1 import templates_service_pb2_grpc as rpc

from libs.ids import new_id

PUSH, VOICE = template_pb2.TEMPLATE_TYPE_PUSH, template_pb2.TEMPLATE_TYPE_VOICE
INAPP = template_pb2.TEMPLATE_TYPE_INAPP
Stub = rpc.TemplatesServiceStub
RAW = {"aps": {"alert": "Hi {{User.UserId}}"}, "n": [1, "{{Code}}", None]}


def push(**changes: Any) -> template_pb2.Template:
    content = template_pb2.PushTemplateContent(
        default=template_pb2.DefaultPushTemplate(
            title="Hi {{User.UserId}}",
            body="News",
            action=channel_pb2.PUSH_ACTION_URL,
            url="https://shop.example/{{Code}}",
            sound="default",
        ),
        apns=template_pb2.ApnsPushTemplate(raw_content=json.dumps(RAW)),
    )
    content.MergeFrom(template_pb2.PushTemplateContent(**changes))
    return template_pb2.Template(template_name=f"p{new_id()}", template_type=PUSH, push=content)


def voice(body: str, **changes: Any) -> template_pb2.Template:
    content = template_pb2.VoiceTemplateContent(body=body, **changes)
    return template_pb2.Template(template_name=f"v{new_id()}", template_type=VOICE, voice=content)


def in_app(header: str = "Literally {{this}}") -> template_pb2.Template:
    message = in_app_pb2.InAppMessage(layout=in_app_pb2.IN_APP_LAYOUT_TOP_BANNER)
    message.content.add(
        background_color="#FFFFFF",
        header_config=in_app_pb2.InAppMessageHeaderConfig(
            header=header, alignment=in_app_pb2.IN_APP_ALIGNMENT_LEFT, text_color="#000000"
        ),
    )
    message.custom_config["theme"] = "dark"
    return template_pb2.Template(template_name=f"i{new_id()}", template_type=INAPP, in_app=message)


async def create(stub: Stub, template: template_pb2.Template) -> template_pb2.Template:
    return (await stub.CreateTemplate(pb.CreateTemplateRequest(template=template))).template


async def get(stub: Stub, made: template_pb2.Template, version: int = 0) -> template_pb2.Template:
    request = pb.GetTemplateRequest(
        template_name=made.template_name, template_type=made.template_type, version=version
    )
    return (await stub.GetTemplate(request)).template
