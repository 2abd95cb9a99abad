"""Whose value wins, what is missing, what is too long, and which endpoint values are read."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.messaging.v1 import message_pb2

from libs.endpoint_values import endpoint_reader
from services.messaging.consumer.decoding import recipients_of, words_of, work_of
from services.messaging.domain.ledger import Reason
from services.messaging.domain.rendering import Content, Rendered, RenderingFailed, Source, Values

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ENDPOINT = endpoint_pb2.Endpoint(
    endpoint_id="e1",
    address="+4915112345678",
    channel_type=channel_pb2.CHANNEL_TYPE_SMS,
    attributes={
        "Interests": channel_pb2.StringList(values=["chess", "tea"]),
        "FirstName": channel_pb2.StringList(values=["Attribute"]),
        "Color": channel_pb2.StringList(values=["red"]),
    },
    metrics={"Visits": 7.0},
    demographic=endpoint_pb2.Demographic(locale="de_DE"),
    location=endpoint_pb2.Location(city="Köln", latitude=50.9),
    user=endpoint_pb2.User(
        user_id="u1",
        user_attributes={
            "FirstName": channel_pb2.StringList(values=["Ann"]),
            "Last Name": channel_pb2.StringList(values=["Lee"]),
        },
    ),
    opt_out=endpoint_pb2.OPT_OUT_NONE,
    endpoint_status=endpoint_pb2.ENDPOINT_STATUS_ACTIVE,
).SerializeToString()


def said(
    text: str,
    recipient: dict[str, object] | None = None,
    message: dict[str, str] | None = None,
    defaults: dict[str, str] | None = None,
    *,
    skip: bool = False,
) -> str:
    content = Content(
        Source("SMS", text, substitutions=message, defaults=defaults, skip_on_missing=skip)
    )
    endpoint = endpoint_reader(content.variables)(ENDPOINT)
    return content.render(Values(recipient, endpoint), NOW).text


@pytest.mark.parametrize(
    ("recipient", "message", "expected"),
    [
        ({"FirstName": "Own"}, {"FirstName": "Message"}, "Own"),
        ({}, {"FirstName": "Message"}, "Message"),
        ({}, {}, "Ann"),
    ],
)
def test_recipient_beats_message_beats_endpoint(
    recipient: dict[str, object], message: dict[str, str], expected: str
) -> None:
    assert said("{{FirstName}}", recipient, message, {"FirstName": "Default"}) == expected


def test_defaults_come_last() -> None:
    assert said("{{Nick}}", {}, {}, {"Nick": "Default"}) == "Default"
    assert said("x{{Nick}}") == "x"


def test_long_names_reach_every_part_of_the_endpoint() -> None:
    text = (
        "{{User.UserAttributes.FirstName}} {{User.UserAttributes.[Last Name].[0]}} "
        "{{Attributes.Interests}} {{Attributes.Interests.[1]}} {{Metrics.Visits}} "
        "{{Demographic.Locale}} {{Location.City}} {{User.UserId}} {{Id}} {{Address}} "
        "{{ChannelType}} {{OptOut}} {{EndpointStatus}}"
    )
    assert said(text) == ("Ann Lee chess tea 7 de_DE Köln u1 e1 +4915112345678 SMS NONE ACTIVE")


def test_a_dotted_substitution_wins_over_the_same_place_in_the_endpoint() -> None:
    name = "User.UserAttributes.FirstName"
    assert said("{{User.UserAttributes.FirstName}}", {name: "Own"}) == "Own"
    assert said("{{Attributes.Color}}", {}, {"Attributes.Color": "blue"}) == "blue"


def test_whole_lists_can_be_walked() -> None:
    assert said("{{#each Attributes.Interests}}{{this}};{{/each}}") == "chess;tea;"


def test_short_names_look_at_user_attributes_before_attributes() -> None:
    assert said("{{FirstName}} {{Color}}") == "Ann red"


def test_a_missing_value_is_empty_or_a_reason_to_skip() -> None:
    assert said("Hi {{Nick}}!") == "Hi !"
    with pytest.raises(RenderingFailed) as caught:
        said("Hi {{Nick}} {{Attributes.Nope}}!", skip=True)
    assert caught.value.reason is Reason.MISSING_VARIABLE
    assert caught.value.detail == "no value for Attributes.Nope, Nick"
    assert said("Hi {{#if Nick}}x{{/if}}{{Color}}", skip=True) == "Hi red"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("x" * 1600, True),
        ("x" * 1601, False),
        ("€" * 800, True),
        ("€" * 801, False),
        ("Ж" * 630, True),
        ("Ж" * 631, False),
    ],
)
def test_texts_have_a_greatest_length(text: str, *, fits: bool) -> None:
    content = Content(Source("SMS", "{{{T}}}", substitutions={"T": text}))
    if fits:
        assert content.render(Values(), NOW).text == text
        return
    with pytest.raises(RenderingFailed) as caught:
        content.render(Values(), NOW)
    assert caught.value.reason is Reason.CONTENT_TOO_LONG


@pytest.mark.parametrize(
    ("text", "parts"), [("x" * 160, 1), ("x" * 161, 2), ("Ж" * 70, 1), ("Ж" * 71, 2)]
)
def test_parts_are_counted(text: str, parts: int) -> None:
    assert Content(Source("SMS", text)).render(Values(), NOW).parts == parts


def test_an_empty_text_is_no_message() -> None:
    with pytest.raises(RenderingFailed) as caught:
        said("{{Nick}}")
    assert caught.value.reason is Reason.RENDERING_FAILURE


def test_a_template_that_is_none_fails_at_once() -> None:
    with pytest.raises(RenderingFailed) as caught:
        Content(Source("SMS", "{{#if x}}"))
    assert caught.value.reason is Reason.RENDERING_FAILURE


def email(**changes: object) -> Content:
    given: dict[str, object] = {"text": "t {{N}}", "subject": "s {{N}}", "html": "<p>{{N}}</p>"}
    return Content(Source("EMAIL", **{**given, **changes}))  # type: ignore[arg-type]


def test_only_html_is_escaped() -> None:
    rendered = email(headers=(("X-A", "{{N}}"),)).render(Values({"N": "<&>"}), NOW)
    assert rendered == Rendered("t <&>", "s <&>", "<p>&lt;&amp;&gt;</p>", (("X-A", "<&>"),))


def test_overrides_replace_the_bodies_and_the_subject() -> None:
    rendered = email().render(Values({"N": "<n>"}), NOW, "own {{N}}", "mine {{N}}")
    assert rendered == Rendered("", "mine <n>", "own &lt;n&gt;")
    plain = email(html="").render(Values({"N": "<n>"}), NOW, "own {{N}}")
    assert plain == Rendered("own <n>", "s <n>", "")


def test_mails_have_a_greatest_size() -> None:
    big = {"N": "x" * (11 * 1024 * 1024)}
    with pytest.raises(RenderingFailed):
        email().render(Values(big), NOW)
    with pytest.raises(RenderingFailed) as caught:
        email(headers=(("X-A", "{{N}}"),)).render(Values({"N": "x" * 871}), NOW)
    assert caught.value.reason is Reason.CONTENT_TOO_LONG


@given(
    st.dictionaries(st.sampled_from(["A", "B"]), st.text(min_size=1)),
    st.dictionaries(st.sampled_from(["A", "B"]), st.text(min_size=1)),
    st.dictionaries(st.sampled_from(["A", "B"]), st.text(min_size=1)),
    st.dictionaries(st.sampled_from(["A", "B"]), st.text(min_size=1)),
)
@settings(deadline=None)
def test_layers_win_in_their_order(
    own: dict[str, str],
    message: dict[str, str],
    attributes: dict[str, str],
    defaults: dict[str, str],
) -> None:
    source = Source("EMAIL", "{{{A}}}|{{{B}}}", substitutions=message, defaults=defaults)
    endpoint = {"Attributes": {name: [value] for name, value in attributes.items()}}
    rendered = Content(source).render(Values(own, endpoint), NOW).text
    layers = (own, message, attributes, defaults)
    first = [next((layer[n] for layer in layers if n in layer), "") for n in "AB"]
    assert rendered == "|".join(first)


def test_only_what_is_asked_for_is_read() -> None:
    assert endpoint_reader(())(ENDPOINT) is None
    assert endpoint_reader([("FirstName",)])(b"") is None
    assert endpoint_reader([("Color",)])(ENDPOINT) == {
        "Attributes": {"Color": ["red"]},
        "User": {"UserId": "u1", "UserAttributes": {}},
    }
    everything = endpoint_reader([("Attributes",)])(ENDPOINT)
    assert everything is not None
    assert set(everything) > {"Attributes", "Metrics", "Location", "Demographic", "User"}


def test_batches_are_decoded() -> None:
    batch = message_pb2.SendBatch(
        batch_id="b",
        dispatch_id="d",
        origin=message_pb2.Origin(application_id="app", campaign_id="c", activity_id="a"),
        channel_type=channel_pb2.CHANNEL_TYPE_SMS,
        message_type=channel_pb2.MESSAGE_TYPE_TRANSACTIONAL,
        content_id="x",
        treatment_id="1",
        messages_per_second=5,
        context={"k": "v"},
        recipients=[
            message_pb2.SendRecipient(
                message_id="m", address="+1", substitutions={"a": "b"}, context={"r": "1"}
            )
        ],
    )
    work = work_of(batch)
    assert (work.channel_type, work.message_type, work.origin.campaign_id) == (
        "SMS",
        "TRANSACTIONAL",
        "c",
    )
    assert work.expire_time is None
    (recipient,) = recipients_of(batch, endpoint_reader(()))
    assert (recipient.message_id, recipient.client_id) == ("m", "+1")
    assert recipient.substitutions == {"a": "b"}


def test_contents_are_decoded() -> None:
    body = message_pb2.MessageContent(
        sms=message_pb2.SmsContent(body="Hi {{A}}", sender_id="SHOP"),
        substitutions={"A": "x"},
        skip_on_missing_variable=True,
    ).SerializeToString()
    words = words_of("SMS", body)
    assert words.sender_id == "SHOP"
    assert words.content.variables == {("A",)}
    assert words.content.render(Values(), NOW).text == "Hi x"
