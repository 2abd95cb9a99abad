"""Tokens of a template, by the same ordered rules as the reference lexer of Handlebars 4.7."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from libs.handlebars.errors import TemplateSyntaxError
from libs.handlebars.nodes import Position

# JavaScript's \s: Python's differs by the information separators, NEL and the byte order mark.
SPACE = "\\t\\n\\x0b\\x0c\\r \\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff"
_S = f"[{SPACE}]"
_ID = rf"""[^{SPACE}!"#%-,./;->@\[-^`{{-~]+"""
_LITERAL_END = rf"(?=[~}}{SPACE})])"

_TAG_RULES: tuple[tuple[str, str], ...] = (
    ("OPEN_SEXPR", r"\("),
    ("CLOSE_SEXPR", r"\)"),
    ("OPEN_RAW_BLOCK", r"\{\{\{\{"),
    ("CLOSE_RAW_BLOCK", r"\}\}\}\}"),
    ("OPEN_PARTIAL", r"\{\{~?>"),
    ("OPEN_PARTIAL_BLOCK", r"\{\{~?#>"),
    ("OPEN_BLOCK", r"\{\{~?#\*?"),
    ("OPEN_ENDBLOCK", r"\{\{~?/"),
    ("INVERSE", rf"\{{\{{~?\^{_S}*~?\}}\}}|\{{\{{~?{_S}*else{_S}*~?\}}\}}"),
    ("OPEN_INVERSE", r"\{\{~?\^"),
    ("OPEN_INVERSE_CHAIN", rf"\{{\{{~?{_S}*else(?![A-Za-z0-9_])"),
    ("OPEN_UNESCAPED", r"\{\{~?\{"),
    ("OPEN", r"\{\{~?&"),
    ("LONG_COMMENT", r"\{\{~?!--"),
    ("COMMENT", r"\{\{~?![\s\S]*?\}\}"),
    ("OPEN", r"\{\{~?\*?"),
    ("EQUALS", r"="),
    ("ID", rf"\.\.|\.(?=[=~}}{SPACE}/.)|])"),
    ("SEP", r"[/.]"),
    ("SPACE", rf"{_S}+"),
    ("CLOSE_UNESCAPED", r"\}~?\}\}"),
    ("CLOSE", r"~?\}\}"),
    ("STRING", r"\"(?:\\[\"]|[^\"])*\"" + r"|'(?:\\[']|[^'])*'"),
    ("DATA", r"@"),
    ("BOOLEAN", rf"(?:true|false){_LITERAL_END}"),
    ("UNDEFINED", rf"undefined{_LITERAL_END}"),
    ("NULL", rf"null{_LITERAL_END}"),
    ("NUMBER", rf"-?[0-9]+(?:\.[0-9]+)?{_LITERAL_END}"),
    ("OPEN_BLOCK_PARAMS", rf"as{_S}+\|"),
    ("CLOSE_BLOCK_PARAMS", r"\|"),
    ("ID", rf"{_ID}(?=[=~}}{SPACE}/.)|])"),
    ("ID", r"\[(?:\\\]|[^\]])*\]"),
)
_TAG = re.compile("|".join(f"(?P<r{i}>{rule})" for i, (_, rule) in enumerate(_TAG_RULES)))
# Bounds what one template can cost to compile; the longest message has room for no more words.
MAX_TAGS = 20_000
_ESCAPED = re.compile(r"[\s\S]{2,}?(?=\{\{|\\\{\{|\\\\\{\{|\Z)")
_LONG_COMMENT = re.compile(r"[\s\S]*?--~?\}\}")
_RAW_END = re.compile(rf"\{{\{{\{{\{{/({_ID})(?=[=}}{SPACE}/.])\}}\}}\}}\}}")
_CLOSING = frozenset({"CLOSE", "CLOSE_UNESCAPED", "INVERSE", "COMMENT", "CLOSE_RAW_BLOCK"})


@dataclass(slots=True)
class Token:
    """One lexeme: its kind, its text (quotes and raw block braces removed) and its place."""

    kind: str
    text: str
    at: int


class Lexer:
    """Turns one source into tokens; the states are those of the reference lexer."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._lines = [0, *(m.end() for m in re.finditer(r"\r\n?|\n", source))]
        self._tokens: list[Token] = []
        self._tags = 0

    def position(self, offset: int) -> Position:
        line = bisect_right(self._lines, offset)
        return Position(line, offset - self._lines[line - 1] + 1)

    def error(self, message: str, offset: int) -> TemplateSyntaxError:
        at = self.position(offset)
        return TemplateSyntaxError(message, at.line, at.column)

    def tokens(self) -> list[Token]:
        """All tokens, ending in EOF; raises TemplateSyntaxError on text no rule accepts."""
        nul = self._source.find("\0")
        if nul >= 0:
            raise self.error("a template cannot contain the character U+0000", nul)
        offset = 0
        while offset < len(self._source):
            offset = self._content(offset)
        self._tokens.append(Token("EOF", "", len(self._source)))
        return self._tokens

    def _emit(self, kind: str, text: str, at: int) -> None:
        self._tokens.append(Token(kind, text, at))

    def _content(self, start: int) -> int:
        brace = self._source.find("{{", start)
        if brace < 0:
            self._emit("CONTENT", self._source[start:], start)
            return len(self._source)
        text = self._source[start:brace]
        escaped = text.endswith("\\") and not text.endswith("\\\\")
        if text.endswith("\\"):
            text = text[:-1]
        if text:
            self._emit("CONTENT", text, start)
        return self._escaped(brace) if escaped else self._tag(brace)

    def _escaped(self, start: int) -> int:
        match = _ESCAPED.match(self._source, start)
        if match is None:
            raise self.error("nothing follows the escaping backslash", start)
        self._emit("CONTENT", match.group(), start)
        return match.end()

    def _tag(self, offset: int) -> int:
        self._tags += 1
        if self._tags > MAX_TAGS:
            raise self.error(f"the template has more than {MAX_TAGS} tags", offset)
        while True:
            match = _TAG.match(self._source, offset)
            if match is None:
                raise self.error(self._unexpected(offset), offset)
            kind = _TAG_RULES[int(str(match.lastgroup)[1:])][0]
            if kind == "LONG_COMMENT":
                return self._long_comment(offset)
            if kind != "SPACE":
                self._emit(kind, _text(kind, match.group()), offset)
            offset = match.end()
            if kind == "CLOSE_RAW_BLOCK":
                return self._raw(offset)
            if kind in _CLOSING:
                return offset

    def _unexpected(self, offset: int) -> str:
        if offset >= len(self._source):
            return "the template ends inside a tag"
        return f"unexpected character {self._source[offset]!r} in a tag"

    def _long_comment(self, start: int) -> int:
        match = _LONG_COMMENT.match(self._source, start)
        if match is None:
            raise self.error("the comment is never closed by --}}", start)
        self._emit("COMMENT", match.group(), start)
        return match.end()

    def _raw(self, start: int) -> int:
        """Read a raw block's text to its own end; raw blocks inside it are text."""
        depth, offset = 1, start
        while True:
            brace = self._source.find("{{{{", offset)
            if brace < 0:
                raise self.error("the raw block is never closed", start)
            if brace > offset:
                self._emit("CONTENT", self._source[offset:brace], offset)
            end = _RAW_END.match(self._source, brace)
            nested = self._source[brace + 4 : brace + 5] != "/"
            depth += -1 if end else int(nested)
            if end and not depth:
                self._emit("END_RAW_BLOCK", end.group(1), brace)
                return end.end()
            offset = end.end() if end else brace + 4
            self._emit("CONTENT", self._source[brace:offset], brace)


def _text(kind: str, lexeme: str) -> str:
    if kind != "STRING":
        return lexeme
    quote = lexeme[0]
    return lexeme[1:-1].replace("\\" + quote, quote)
