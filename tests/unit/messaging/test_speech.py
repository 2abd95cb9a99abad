"""What is spoken: plain text and SSML, and how values get into it."""

from datetime import UTC, datetime
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.ssml import is_ssml
from services.messaging.domain.ledger import Reason
from services.messaging.domain.rendering import Content, Rendered, RenderingFailed, Source, Values
from services.messaging.domain.speech import MOST_SPOKEN, MOST_SSML, spoken

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_plain_text_is_spoken_as_it_is() -> None:
    assert spoken(Rendered(text=" Hi & bye ")) == ("Hi & bye", False)
    assert not is_ssml("Hi <speak>")


def test_of_ssml_the_inside_is_spoken() -> None:
    ssml = '<speak version="1.1">A <break time="1s"/> B</speak>'
    assert is_ssml(ssml)
    assert spoken(Rendered(html=ssml)) == ('A <break time="1s"/> B', True)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=60))
def test_values_never_break_ssml(name: str) -> None:
    content = Content(Source("VOICE", html="<speak>Hi {{Name}}, <break/>bye</speak>"))
    inside, _ = spoken(content.render(Values({"Name": name}), NOW))
    root = Xml.fromstring(f"<speak>{inside}</speak>")  # noqa: S314 - made above
    assert "".join(root.itertext()) == f"Hi {name}, bye"


@pytest.mark.parametrize(
    ("rendered", "reason"),
    [
        (Rendered(text=" "), Reason.RENDERING_FAILURE),
        (Rendered(text="x" * (MOST_SPOKEN + 1)), Reason.CONTENT_TOO_LONG),
        (Rendered(html=f"<speak>{'x' * (MOST_SPOKEN + 1)}</speak>"), Reason.CONTENT_TOO_LONG),
        (Rendered(html=f"<speak>{'<break/>' * MOST_SSML}</speak>"), Reason.CONTENT_TOO_LONG),
        (Rendered(html="<speak>no end"), Reason.RENDERING_FAILURE),
        (Rendered(html="<speak/><speak/>"), Reason.RENDERING_FAILURE),
        (Rendered(html="<speaker></speaker>"), Reason.RENDERING_FAILURE),
        (Rendered(html="<speak/>"), Reason.RENDERING_FAILURE),
        (Rendered(html="<speak><!-- x --></speak>"), Reason.RENDERING_FAILURE),
    ],
)
def test_what_cannot_be_spoken_is_refused(rendered: Rendered, reason: Reason) -> None:
    with pytest.raises(RenderingFailed) as caught:
        spoken(rendered)
    assert caught.value.reason is reason
