"""What is spoken in a call as SSML (spec 6.6; W3C, SSML 1.1)."""

from typing import Final
from xml.etree import ElementTree as Xml

_OPEN: Final = "<speak"


def is_ssml(text: str) -> bool:
    """Whether a text is SSML; values in it are escaped."""
    return text.lstrip().startswith(_OPEN)


def speak_element(text: str) -> Xml.Element:
    """The `<speak>` element that a text is. Raises ValueError that says why it is none."""
    if "<!" in text:
        raise ValueError("SSML may have no declarations or comments")
    try:
        root = Xml.fromstring(text)  # noqa: S314 - what could be expanded is refused above
    except Xml.ParseError as error:
        raise ValueError(f"is no well-formed SSML: {error}") from error
    if root.tag.rpartition("}")[2] != "speak":
        raise ValueError("must be one <speak> element")
    return root
