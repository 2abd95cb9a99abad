"""SSML before it is rendered: with the expressions of a template in it."""

import re
from typing import Final

from libs.ssml import is_ssml, speak_element

# Comments come first: they may hold braces.
_EXPRESSION: Final = re.compile(
    r"\{\{~?!--.*?--~?\}\}|\{\{\{.*?\}\}\}|\{\{.*?\}\}",
    re.DOTALL,
)


def ssml_fault(body: str) -> str:
    """What is wrong with SSML; empty for plain text and for SSML that is well-formed.

    Expressions count as a word, so that they may stand for text and for values of attributes.
    """
    if not is_ssml(body):
        return ""
    try:
        speak_element(_EXPRESSION.sub("x", body).strip())
    except ValueError as error:
        return str(error)
    return ""
