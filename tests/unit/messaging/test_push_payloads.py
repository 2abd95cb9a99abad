"""What push services are told: golden examples, limits, raw content, rules before rendering."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.adapters.apns import identified
from services.messaging.domain.families import PUSH_TYPES
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import OutboundPush
from services.messaging.domain.push import Notification, payload_of
from services.messaging.domain.push.check import check
from services.messaging.domain.push.words import PushWords
from services.messaging.domain.rendering import Content, RenderingFailed, Source, Values

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CAMPAIGN = {"campaign_id": "c", "campaign_activity_id": "a", "treatment_id": "0"}
FULL = Notification(
    title="Hi",
    body="News",
    action="DEEP_LINK",
    url="shop://sale",
    sound="default",
    badge=3,
    category="sale",
    thread_id="t",
    collapse_key="k",
    time_to_live=60,
    priority="high",
    media_url="https://shop.example/a.mp4",
    image_url="https://shop.example/a.png",
    context={"order": "7"},
    campaign=CAMPAIGN,
)


def told(channel_type: str, one: Notification) -> tuple[Any, dict[str, str]]:
    made = payload_of(channel_type, one, "token", NOW)
    if channel_type == "BAIDU":
        form = {name: values[0] for name, values in parse_qs(made.body.decode()).items()}
        return json.loads(form["msg"]), form
    return json.loads(made.body), dict(made.headers)


def test_a_repeat_to_apple_has_the_same_ids_and_replaces_the_first() -> None:
    first = identified(OutboundPush("m1", "token", b"{}"))
    assert first == identified(OutboundPush("m1", "token", b"{}"))
    assert first["apns-collapse-id"] == "m1"
    other = identified(OutboundPush("m2", "token", b"{}"))
    assert first.keys() == other.keys()
    assert not first.items() & other.items()


def test_a_collapse_id_of_the_authors_own_stays() -> None:
    own = OutboundPush("m1", "token", b"{}", (("apns-collapse-id", "match-3"),))
    assert identified(own)["apns-collapse-id"] == "match-3"


def test_apple_is_told_everything_where_it_reads_it() -> None:
    body, headers = told("APNS", FULL)
    assert body == {
        "aps": {
            "alert": {"title": "Hi", "body": "News"},
            "sound": "default",
            "category": "sale",
            "thread-id": "t",
            "badge": 3,
            "mutable-content": 1,
        },
        "data": {
            "pinpoint": {"order": "7", "deeplink": "shop://sale", "campaign": CAMPAIGN},
            "media-url": "https://shop.example/a.mp4",
        },
    }
    assert headers == {
        "apns-push-type": "alert",
        "apns-priority": "10",
        "apns-expiration": str(int(NOW.timestamp()) + 60),
        "apns-collapse-id": "k",
    }


@pytest.mark.parametrize(
    ("channel_type", "changes", "wanted"),
    [
        ("APNS", {}, ("alert", "10")),
        ("APNS", {"priority": "5"}, ("alert", "5")),
        ("APNS", {"priority": "normal"}, ("alert", "5")),
        ("APNS", {"silent_push": True, "priority": "10"}, ("background", "5")),
        ("APNS_VOIP", {}, ("voip", "10")),
        ("APNS", {"push_type": "complication"}, ("complication", "10")),
    ],
)
def test_apples_type_and_priority(
    channel_type: str, changes: dict[str, Any], wanted: tuple[str, str]
) -> None:
    _, headers = told(channel_type, Notification(**changes))
    assert (headers["apns-push-type"], headers["apns-priority"]) == wanted
    assert "apns-expiration" not in headers
    once = payload_of("APNS", Notification(time_to_live=0), "t", NOW)
    assert dict(once.headers)["apns-expiration"] == "0"


def test_firebase_is_told_texts_alone() -> None:
    body, _ = told("GCM", FULL)
    message = body["message"]
    assert message["token"] == "token"
    assert message["android"] == {"priority": "HIGH", "ttl": "60s", "collapse_key": "k"}
    assert message["data"] == {
        "pinpoint.order": "7",
        "pinpoint.notification.title": "Hi",
        "pinpoint.notification.body": "News",
        "pinpoint.notification.imageUrl": "https://shop.example/a.png",
        "pinpoint.notification.sound": "default",
        "pinpoint.deeplink": "shop://sale",
        **{f"pinpoint.campaign.{name}": value for name, value in CAMPAIGN.items()},
    }


def test_amazon_is_told_the_checksum_of_what_it_carries() -> None:
    body, _ = told("ADM", FULL)
    joined = ",".join(f"{name}:{body['data'][name]}" for name in sorted(body["data"]))
    digest = hashlib.md5(joined.encode(), usedforsecurity=False).digest()
    assert body["md5"] == base64.b64encode(digest).decode()
    assert (body["consolidationKey"], body["expiresAfter"]) == ("k", 60)


def test_baidu_is_told_a_form() -> None:
    message, form = told("BAIDU", FULL)
    assert (form["channel_id"], form["msg_type"], form["msg_expires"]) == ("token", "1", "60")
    assert (message["title"], message["description"]) == ("Hi", "News")


@pytest.mark.parametrize("channel_type", PUSH_TYPES)
def test_a_silent_push_carries_its_data_and_shows_nothing(channel_type: str) -> None:
    one = Notification(title="no", body="no", silent_push=True, data={"a": "b"})
    body, _ = told(channel_type, one)
    text = json.dumps(body)
    assert '"no"' not in text
    assert "jsonBody" in text


@given(st.text(max_size=300), st.text(max_size=300), st.sampled_from(PUSH_TYPES))
def test_whatever_is_said_is_json_that_says_it(title: str, body: str, channel_type: str) -> None:
    encodable = all(not 0xD800 <= ord(sign) <= 0xDFFF for sign in title + body)
    if encodable:
        made, _ = told(channel_type, Notification(title=title, body=body))
        assert all(part in _texts(made) for part in (title, body) if part)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    ("channel_type", "fits"), [("APNS", 4000), ("GCM", 4000), ("BAIDU", 3900), ("ADM", 6000)]
)
def test_what_is_larger_than_the_service_takes_is_not_sent(channel_type: str, fits: int) -> None:
    payload_of(channel_type, Notification(body="x" * fits), "t", NOW)
    with pytest.raises(RenderingFailed) as caught:
        payload_of(channel_type, Notification(body="x" * (fits + 300)), "t", NOW)
    assert caught.value.reason is Reason.CONTENT_TOO_LONG


@pytest.mark.parametrize(
    ("raw", "silent"),
    [
        ("[]", False),
        ("{", False),
        ('{"data": {}}', False),
        ('{"aps": {"content-available": 2}}', False),
        ('{"aps": {"content-available": true}}', False),
        ('{"aps": {"content-available": 1, "alert": "x"}}', True),
    ],
)
def test_raw_content_that_apple_would_refuse_is_not_sent(raw: str, silent: bool) -> None:  # noqa: FBT001
    with pytest.raises(RenderingFailed):
        payload_of("APNS", Notification(raw_content=raw, silent_push=silent), "t", NOW)


@pytest.mark.parametrize(
    "raw",
    [
        {"message": {"data": {"a": "b"}, "token": "another"}},
        {"fcmV1Message": {"message": {"data": {"a": "b"}}}},
        {"data": {"a": "b"}},
    ],
)
def test_every_form_of_a_raw_message_to_firebase_is_one_of_v1(raw: dict[str, Any]) -> None:
    body, _ = told("GCM", Notification(raw_content=json.dumps(raw)))
    assert body == {"message": {"data": {"a": "b"}, "token": "token"}}


@given(st.text(min_size=1, max_size=40))
def test_values_never_break_the_json_of_raw_content(value: str) -> None:
    raw = json.dumps({"aps": {"alert": "Hi {{Name}}", "content-available": 1}, "n": [1, None]})
    words = PushWords(Notification(raw_content=raw))
    content = Content(Source("APNS", headers=words.texts))
    rendered = content.render(Values({"Name": value}), NOW)
    made = json.loads(words.rendered(rendered, {}).raw_content)
    assert made == {"aps": {"alert": f"Hi {value}", "content-available": 1}, "n": [1, None]}


@given(st.text(max_size=40))
def test_a_json_body_reaches_the_app_as_it_is_with_its_texts_rendered(value: str) -> None:
    body = json.dumps({"a": {"b": ["{{Name}}", 1]}, "c": None})
    words = PushWords(Notification(silent_push=True, json_body=body, data={"x": "y"}))
    content = Content(Source("APNS", headers=words.texts))
    rendered = content.render(Values({"Name": value}), NOW)
    made = words.rendered(rendered, {})
    assert json.loads(made.json_body) == {"a": {"b": [value, 1]}, "c": None}
    assert made.data == {"x": "y"}


def test_a_json_body_takes_the_place_of_data() -> None:
    one = Notification(silent_push=True, json_body='{"a": {"b": 1}}', data={"x": "y"})
    body, _ = told("APNS", one)
    assert json.loads(body["data"]["pinpoint"]["jsonBody"]) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("channel_type", "one", "fields"),
    [
        ("APNS", Notification(collapse_key="é" * 33), {"collapse_key"}),
        ("APNS", Notification(push_type="loud", priority="urgent"), {"push_type", "priority"}),
        ("APNS", Notification(silent_push=True, title="x", badge=1), {"title", "badge"}),
        ("APNS", Notification(authentication="PASSWORD"), {"authentication"}),
        ("GCM", Notification(authentication="KEY"), {"authentication"}),
        ("GCM", Notification(time_to_live=2_419_201), {"time_to_live"}),
        ("BAIDU", Notification(time_to_live=604_801), {"time_to_live"}),
        ("ADM", Notification(time_to_live=59, md5="x"), {"time_to_live", "md5"}),
        ("GCM", Notification(action="URL"), {"url"}),
        ("GCM", Notification(raw_content="[1]"), {"raw_content"}),
        ("GCM", Notification(action="URL", url="https://a.example", time_to_live=0), set()),
    ],
)  # fmt: skip
def test_every_bad_field_is_named(channel_type: str, one: Notification, fields: set[str]) -> None:
    assert {found.field for found in check(channel_type, one).found} == fields
