"""What is spoken in a call: plain text, or SSML (spec 6.6; W3C, SSML 1.1)."""

from typing import Final

from libs.ssml import speak_element
from services.messaging.domain.ledger import Reason
from services.messaging.domain.rendering import Rendered, RenderingFailed

MOST_SPOKEN: Final = 3000
MOST_SSML: Final = 6000


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
    try:
        root = speak_element(ssml)
    except ValueError as error:
        raise RenderingFailed(Reason.RENDERING_FAILURE, str(error)) from error
    words = "".join(root.itertext()).strip()
    if not words:
        raise RenderingFailed(Reason.RENDERING_FAILURE, "there is nothing to say")
    _check_length(len(words), MOST_SPOKEN)
    return ssml[ssml.index(">") + 1 : ssml.rindex("</")]


def _check_length(length: int, most: int) -> None:
    if length > most:
        why = f"{length} characters, at most {most} are spoken"
        raise RenderingFailed(Reason.CONTENT_TOO_LONG, why)
