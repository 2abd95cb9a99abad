"""What is spoken in a call: plain text, or SSML (spec 6.6; W3C, SSML 1.1)."""

from typing import Final
from xml.etree import ElementTree as Xml

from services.messaging.domain.ledger import Reason
from services.messaging.domain.rendering import Rendered, RenderingFailed

MOST_SPOKEN: Final = 3000
MOST_SSML: Final = 6000
_OPEN: Final = "<speak"


def is_ssml(text: str) -> bool:
    """Whether a text is SSML."""
    return text.lstrip().startswith(_OPEN)


def spoken(rendered: Rendered) -> tuple[str, bool]:
    """What is spoken, and whether it is SSML: then what stands inside `<speak>`.

    Values in SSML were escaped when it was rendered. Raises RenderingFailed.
    """
    if rendered.html:
        return _inside(rendered.html.strip()), True
    text = rendered.text.strip()
    if not text:
        raise RenderingFailed(Reason.RENDERING_FAILURE, "there is nothing to say")
    _check_length(len(text), MOST_SPOKEN)
    return text, False


def _inside(ssml: str) -> str:
    _check_length(len(ssml), MOST_SSML)
    if "<!" in ssml:
        raise RenderingFailed(Reason.RENDERING_FAILURE, "SSML may have no declarations")
    try:
        root = Xml.fromstring(ssml)  # noqa: S314 - what could be expanded is refused above
    except Xml.ParseError as error:
        raise RenderingFailed(Reason.RENDERING_FAILURE, f"is no SSML: {error}") from error
    if root.tag.rpartition("}")[2] != "speak":
        raise RenderingFailed(Reason.RENDERING_FAILURE, "is no single <speak> element")
    words = "".join(root.itertext()).strip()
    if not words:
        raise RenderingFailed(Reason.RENDERING_FAILURE, "there is nothing to say")
    _check_length(len(words), MOST_SPOKEN)
    return ssml[ssml.index(">") + 1 : ssml.rindex("</")]


def _check_length(length: int, most: int) -> None:
    if length > most:
        why = f"{length} characters, at most {most} are spoken"
        raise RenderingFailed(Reason.CONTENT_TOO_LONG, why)
