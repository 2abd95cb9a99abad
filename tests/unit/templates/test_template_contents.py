"""What is allowed in push and voice templates; every bad field is named."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidFields, Violations
from libs.json_object import DEEPEST, json_object
from libs.ssml import is_ssml
from services.templates.domain.contents import PUSH_PARTS, check_content
from services.templates.domain.ssml import ssml_fault
from services.templates.domain.template import Content, Template, activated, check, first_version
from tests.unit.templates.samples import NOW

MOST = {name: 6_000 if name == "adm" else 4_000 for name in PUSH_PARTS}
WORDS = st.text("ab {}<>&\"'", max_size=30)
TEXT = st.text(max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | st.integers() | FINITE | TEXT
JSON = st.recursive(
    LEAVES,
    lambda one: st.lists(one, max_size=3) | st.dictionaries(TEXT, one, max_size=3),
    max_leaves=8,
)


def _fields(
    kind: str, parts: Mapping[str, str], facts: Mapping[str, str] | None = None
) -> set[str]:
    found = Violations()
    check_content(found, Template("t", kind, Content(parts, (), facts or {})))
    return {one.field.removeprefix(f"template.{kind.lower()}.") for one in found.found}


@given(st.sampled_from(PUSH_PARTS), st.integers(-2, 2), st.integers(0, 100))
def test_all_texts_of_a_part_together_are_limited(name: str, over: int, title: int) -> None:
    parts = {f"{name}.title": "t" * title, f"{name}.body": "b" * (MOST[name] - title + over)}
    assert _fields("PUSH", parts) == ({f"{name}.body"} if over > 0 else set())


def test_what_is_too_long_is_named_even_if_it_is_no_template() -> None:
    parts = {"default.title": "Hi"}
    assert _fields("PUSH", parts, {"default.sound": "s" * 4_000}) == {"default.sound"}
    assert _fields("VOICE", {"body": "Hi"}, {"voice_id": "J" * 65}) == {"voice_id"}


@pytest.mark.parametrize("name", PUSH_PARTS)
@pytest.mark.parametrize(
    ("action", "url", "wrong"),
    [
        ("OPEN_APP", "", ""),
        ("DEEP_LINK", "", "url"),
        ("URL", "", "url"),
        ("URL", "https://shop.example/{{Code}}", ""),
        ("99", "", "action"),
    ],
)
def test_actions_that_lead_somewhere_need_an_address(
    name: str, action: str, url: str, wrong: str
) -> None:
    parts = {f"{name}.title": "Hi"} | ({f"{name}.url": url} if url else {})
    found = _fields("PUSH", parts, {f"{name}.action": action})
    assert found == ({f"{name}.{wrong}"} if wrong else set())


def test_raw_content_overrides_so_that_nothing_else_is_needed() -> None:
    assert _fields("PUSH", {"gcm.raw_content": "{}"}, {"gcm.action": "URL"}) == set()


def test_a_part_without_words_and_a_template_without_parts_are_refused() -> None:
    assert _fields("PUSH", {}) == {"default"}
    assert _fields("PUSH", {}, {"apns.sound": "default"}) == {"apns.body"}
    assert _fields("PUSH", {"default.title": "x", "baidu.url": "https://a.example"}) == {
        "baidu.body"
    }


@given(st.dictionaries(TEXT, JSON, max_size=3))
def test_any_object_is_raw_content_and_read_as_it_is(document: dict[str, object]) -> None:
    text = json.dumps(document)
    assert json_object(text) == document


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "[]",
        '"{}"',
        "null",
        "{'a': 1}",
        "{{Raw}}",
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        '{"\\udfff": 1}',
        '{"a": ' + "[" * 100_000,
    ],
)
def test_what_is_no_json_object_is_no_raw_content(text: str) -> None:
    assert json_object(text) is None
    if text:
        assert "apns.raw_content" in _fields("PUSH", {"apns.raw_content": text})


@given(st.integers(0, 2_000), st.sampled_from([("[", "]"), ('{"a":', "}")]))
def test_raw_content_is_nested_only_so_deep(inner: int, braces: tuple[str, str]) -> None:
    before, after = braces
    text = '{"a":' + before * inner + "1" + after * inner + "}"
    assert (json_object(text) is not None) == (1 + inner <= DEEPEST)


@pytest.mark.parametrize(
    "body",
    [
        "Your code is {{Code}}",
        "5 < 6 & 7",
        "<speak>Hi</speak>",
        "\n <speak>{{#if Name}}<p>{{Name}}</p>{{else}}<p>you</p>{{/if}}</speak> ",
        '<speak><prosody rate="{{Rate}}">{{{Markup}}} &amp; more</prosody></speak>',
        '<speak>{{#if (gt Count 1)}}many<break time="1s"/>{{/if}}</speak>',
        "<speak>{{!-- a }} b <p> --}}Hi</speak>",
        '<speak xmlns="http://www.w3.org/2001/10/synthesis" version="1.1">Hi</speak>',
    ],
)
def test_plain_text_and_well_formed_ssml_are_spoken(body: str) -> None:
    assert ssml_fault(body) == ""


@pytest.mark.parametrize(
    "body",
    [
        "<speak>",
        "<speak>a</speak>b",
        "<speak>a</speak><speak>b</speak>",
        "<speak>a & b</speak>",
        "<speak>&nbsp;</speak>",
        "<speak><p>{{Name}}</speak></p>",
        "<speaker>a</speaker>",
        '<speak><!DOCTYPE x [<!ENTITY a "b">]>&a;</speak>',
        "<speak><!-- a --></speak>",
    ],
)
def test_ssml_that_is_not_well_formed_is_refused(body: str) -> None:
    assert ssml_fault(body)
    assert _fields("VOICE", {"body": body}) == {"body"}


@given(WORDS)
def test_only_what_begins_with_speak_is_held_to_be_ssml(text: str) -> None:
    assert not is_ssml(text)
    assert ssml_fault(text) == ""
    assert is_ssml(f" <speak>{text}</speak>")


@pytest.mark.parametrize("code", ["", "en-US", "arb", "cmn-CN", "en-GB-WLS"])
def test_languages_are_written_as_the_voices_have_them(code: str) -> None:
    assert _fields("VOICE", {"body": "Hi"}, {"language_code": code}) == set()


@pytest.mark.parametrize("code", ["english", "en_US", "EN-us", "en-", "en-US\n", "e"])
def test_what_is_no_language_is_refused(code: str) -> None:
    assert _fields("VOICE", {"body": "Hi"}, {"language_code": code}) == {"language_code"}


@given(st.integers(9_995, 10_005))
def test_a_voice_template_has_up_to_10_000_characters(length: int) -> None:
    assert _fields("VOICE", {"body": "x" * length}) == ({"body"} if length > 10_000 else set())


def test_only_an_in_app_template_may_not_have_defaults() -> None:
    for kind in ("EMAIL", "SMS", "PUSH", "VOICE", "INAPP"):
        found = check(Template("t", kind, Content(), default_substitutions={"a": "b"})).found
        named = {one.field for one in found}
        assert named == ({"template.default_substitutions"} if kind == "INAPP" else set())


@given(st.text(max_size=12) | st.sampled_from(["0", "2", "-1", "²", "٣", "9" * 5_000]))
def test_only_a_version_that_was_made_can_be_asked_for(wanted: str) -> None:
    head, _ = first_version(Template("t", "SMS", Content({"body": "x"})), NOW)
    if wanted == "latest" or (wanted.isascii() and wanted.isdecimal() and int(wanted[-9:]) == 1):
        assert activated(head, wanted).active == 1
    else:
        with pytest.raises(InvalidFields) as caught:
            activated(head, wanted)
        assert [one.field for one in caught.value.violations] == ["version"]
