"""What the text of a name or literal stands for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from libs.handlebars.lexer import Token

LITERALS: Final[dict[str, Callable[[str], str | float | int | bool | None]]] = {
    "STRING": lambda text: text,
    "NUMBER": lambda text: float(text) if "." in text else int(text),
    "BOOLEAN": lambda text: text == "true",
    "UNDEFINED": lambda _: None,
    "NULL": lambda _: None,
}
_BRACKETED = re.compile(r"\[[^\n\r\u2028\u2029]*\]", re.DOTALL)


def name_of(token: str) -> str:
    """A name without the brackets that let it hold spaces."""
    return token[1:-1] if _BRACKETED.fullmatch(token) else token


def printed(token: Token, value: object) -> str:
    """The literal as JavaScript prints it, for a literal in a name's place is looked up by it."""
    if token.kind == "NUMBER" and isinstance(value, float) and value.is_integer():
        return str(int(value))
    return token.text if token.kind != "NUMBER" else str(value)
