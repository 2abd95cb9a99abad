"""Templates of every type, made by hypothesis."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from hypothesis import strategies as st
from touchpoint.common.v1 import channel_pb2, in_app_pb2
from touchpoint.templates.v1 import template_pb2 as pb

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
# Without braces, which begin expressions, and without U+0000, which no template may have.
WORDS = st.text(st.characters(exclude_characters="{}\\\0", exclude_categories=["Cs"]), max_size=20)
SOME = WORDS.filter(lambda text: bool(text.strip()))
_ACTIONS = st.sampled_from([0, channel_pb2.PUSH_ACTION_OPEN_APP])
_RAW = st.dictionaries(WORDS, WORDS, max_size=3).map(json.dumps)


def _part(kind: Callable[..., Message], *more: str) -> st.SearchStrategy[Any]:
    names = ("body", "url", "sound", *more)
    fields = {name: _RAW if name == "raw_content" else WORDS for name in names}
    return st.builds(kind, title=SOME, action=_ACTIONS, **fields)


_ANDROID = _part(
    pb.AndroidPushTemplate, "image_icon_url", "image_url", "small_image_icon_url", "raw_content"
)
PUSH = st.fixed_dictionaries(
    {"default": _part(pb.DefaultPushTemplate)},
    optional={
        "apns": _part(pb.ApnsPushTemplate, "media_url", "raw_content"),
        "gcm": _ANDROID,
        "adm": _ANDROID,
        "baidu": _ANDROID,
    },
).map(lambda parts: pb.PushTemplateContent(**parts))
VOICE = st.builds(
    pb.VoiceTemplateContent,
    body=SOME.filter(lambda text: not text.lstrip().startswith("<speak")),
    language_code=st.sampled_from(["", "en-US", "arb"]),
    voice_id=st.sampled_from(["", "Joanna"]),
)


def _in_app(header: str, config: dict[str, str]) -> in_app_pb2.InAppMessage:
    words = in_app_pb2.InAppMessageHeaderConfig(
        header=header, alignment=in_app_pb2.IN_APP_ALIGNMENT_RIGHT, text_color="#abc"
    )
    content = [in_app_pb2.InAppMessageContent(header_config=words)]
    layout = in_app_pb2.IN_APP_LAYOUT_OVERLAYS
    return in_app_pb2.InAppMessage(layout=layout, content=content, custom_config=config)


IN_APP = st.builds(_in_app, SOME, st.dictionaries(WORDS, WORDS, max_size=3))


def _named(kind: pb.TemplateType.ValueType, **content: Message) -> pb.Template:
    return pb.Template(template_name="t", template_type=kind, **content)  # type: ignore[arg-type]


TEMPLATES = st.one_of(
    PUSH.map(lambda push: _named(pb.TEMPLATE_TYPE_PUSH, push=push)),
    VOICE.map(lambda voice: _named(pb.TEMPLATE_TYPE_VOICE, voice=voice)),
    IN_APP.map(lambda message: _named(pb.TEMPLATE_TYPE_INAPP, in_app=message)),
    SOME.map(lambda text: _named(pb.TEMPLATE_TYPE_SMS, sms=pb.SmsTemplateContent(body=text))),
    st.builds(pb.EmailTemplateContent, subject=SOME, html_part=SOME, text_part=WORDS).map(
        lambda email: _named(pb.TEMPLATE_TYPE_EMAIL, email=email)
    ),
)
