"""What is spoken: plain text, or SSML (spec 6.6; W3C, SSML 1.1)."""

import re
from typing import Final
from xml.etree import ElementTree as Xml

_OPEN: Final = "<speak"
# Comments come first: they may hold braces.
_EXPRESSION: Final = re.compile(
    r"\{\{~?!--.*?--~?\}\}|\{\{\{.*?\}\}\}|\{\{.*?\}\}",
    re.DOTALL,
)


def is_ssml(body: str) -> bool:
    """Whether a body is SSML; values in it are escaped."""
    return body.lstrip().startswith(_OPEN)


def ssml_fault(body: str) -> str:
    """What is wrong with SSML; empty for plain text and for SSML that is well-formed.

    Expressions count as a word, so that they may stand for text and for values of attributes.
    """
    if not is_ssml(body):
        return ""
    text = _EXPRESSION.sub("x", body).strip()
    if "<!" in text:
        return "SSML may have no declarations or comments"
    try:
        root = Xml.fromstring(text)  # noqa: S314 - what could be expanded is refused above
    except Xml.ParseError as error:
        return f"is no well-formed SSML: {error}"
    return "" if root.tag.rpartition("}")[2] == "speak" else "must be one <speak> element"
