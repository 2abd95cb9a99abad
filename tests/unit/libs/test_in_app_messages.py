"""What is allowed in an in-app message; every bad field is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from touchpoint.common.v1 import in_app_pb2 as pb

from libs.errors import Violations
from libs.in_app import check_in_app


def _content() -> pb.InAppMessageContent:
    button = pb.DefaultButtonConfiguration(
        text="Look",
        button_action=pb.IN_APP_BUTTON_ACTION_LINK,
        link="https://shop.example",
        text_color="#fff",
        background_color="#00112233",
        border_radius=4,
    )
    return pb.InAppMessageContent(
        background_color="#FFFFFF",
        image_url="https://shop.example/a.png",
        header_config=pb.InAppMessageHeaderConfig(
            header="Sale", alignment=pb.IN_APP_ALIGNMENT_CENTER, text_color="#000"
        ),
        body_config=pb.InAppMessageBodyConfig(
            body="Today", alignment=pb.IN_APP_ALIGNMENT_LEFT, text_color="#000000"
        ),
        primary_btn=pb.InAppMessageButton(
            default_config=button,
            ios=pb.OverrideButtonConfiguration(button_action=pb.IN_APP_BUTTON_ACTION_CLOSE),
        ),
    )


def _message(
    count: int = 1, layout: pb.InAppLayout.ValueType = pb.IN_APP_LAYOUT_TOP_BANNER
) -> pb.InAppMessage:
    content = [_content() for _ in range(count)]
    return pb.InAppMessage(layout=layout, content=content, custom_config={"a": "b"})


def _fields(message: pb.InAppMessage) -> set[str]:
    found = Violations()
    check_in_app(found, message, "m")
    return {one.field for one in found.found}


@given(st.integers(min_value=0, max_value=8), st.sampled_from(pb.InAppLayout.values()))
def test_only_a_carousel_has_more_than_one_content(
    count: int, layout: pb.InAppLayout.ValueType
) -> None:
    most = 5 if layout == pb.IN_APP_LAYOUT_CAROUSEL else 1
    wrong = _fields(_message(count, layout))
    assert ("m.content" in wrong) == (not 1 <= count <= most)
    assert ("m.layout" in wrong) == (layout == pb.IN_APP_LAYOUT_UNSPECIFIED)
    assert wrong <= {"m.content", "m.layout"}


def test_every_bad_field_is_named() -> None:
    message = _message()
    content = message.content[0]
    content.background_color = "white"
    content.image_url = "ftp://shop.example/a.png"
    content.header_config.CopyFrom(pb.InAppMessageHeaderConfig(header="x" * 65))
    content.body_config.CopyFrom(pb.InAppMessageBodyConfig(body=" ", text_color="#12"))
    content.primary_btn.default_config.CopyFrom(
        pb.DefaultButtonConfiguration(
            text="x" * 65,
            button_action=pb.IN_APP_BUTTON_ACTION_DEEP_LINK,
            text_color="#12345",
            background_color="red",
            border_radius=-1,
        )
    )
    content.primary_btn.android.SetInParent()
    content.primary_btn.ios.button_action = pb.IN_APP_BUTTON_ACTION_LINK
    content.secondary_btn.web.button_action = 99  # type: ignore[assignment]  # no action of ours
    assert {one.removeprefix("m.content[0].") for one in _fields(message)} == {
        "background_color",
        "image_url",
        "header_config.header",
        "header_config.alignment",
        "header_config.text_color",
        "body_config.body",
        "body_config.alignment",
        "body_config.text_color",
        "primary_btn.default_config.text",
        "primary_btn.default_config.link",
        "primary_btn.default_config.text_color",
        "primary_btn.default_config.background_color",
        "primary_btn.default_config.border_radius",
        "primary_btn.android.button_action",
        "primary_btn.ios.link",
        "secondary_btn.default_config",
        "secondary_btn.web.button_action",
    }


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        ("", True),
        ("http://a.example/x.jpg", True),
        ("https://[::1", False),
        ("https://", False),
        ("a.png", False),
        ("javascript:alert(1)", False),
    ],
)
def test_pictures_are_web_addresses(address: str, *, fine: bool) -> None:
    message = _message()
    message.content[0].image_url = address
    assert (_fields(message) == set()) is fine


@given(st.text(alphabet="0123456789abcdefABCDEF", max_size=10))
def test_colours_have_three_six_or_eight_digits(digits: str) -> None:
    message = _message()
    message.content[0].background_color = f"#{digits}"
    assert (_fields(message) == set()) == (len(digits) in {3, 6, 8})


def test_a_message_has_a_largest_size() -> None:
    message = _message()
    message.custom_config["a"] = "x" * 200_001
    assert _fields(message) == {"m"}
