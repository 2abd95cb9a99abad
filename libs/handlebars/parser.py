"""Recursive descent over the tokens, accepting the grammar of Handlebars 4.7 and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Collection

from libs.handlebars.errors import TemplateSyntaxError
from libs.handlebars.lexer import Lexer, Token
from libs.handlebars.literals import LITERALS, name_of, printed
from libs.handlebars.nodes import (
    Block,
    Call,
    Comment,
    Content,
    Expression,
    Literal,
    Mustache,
    Partial,
    Path,
    Program,
    Statement,
    Strip,
)
from libs.handlebars.whitespace import control_whitespace

# Each level costs a few frames of the compiler and of a render; Python allows a thousand.
MAX_BLOCK_DEPTH = 60
MAX_CALL_DEPTH = 30

_OPENERS = frozenset(
    {
        "OPEN",
        "OPEN_UNESCAPED",
        "OPEN_BLOCK",
        "OPEN_INVERSE",
        "OPEN_PARTIAL",
        "OPEN_PARTIAL_BLOCK",
        "OPEN_RAW_BLOCK",
        "CONTENT",
        "COMMENT",
    }
)


def parse(source: str) -> Program:
    """The tree of a template, whitespace control applied; raises TemplateSyntaxError."""
    program = _Parser(source).template()
    control_whitespace(program)
    return program


class _Parser:
    def __init__(self, source: str) -> None:
        self._lexer = Lexer(source)
        self._tokens = self._lexer.tokens()
        self._index = 0
        self._blocks = 0
        self._calls = 0

    def template(self) -> Program:
        program = self._program()
        self._take("EOF")
        return program

    @property
    def _kind(self) -> str:
        return self._tokens[self._index].kind

    def _next(self) -> Token:
        token = self._tokens[self._index]
        self._index += 1
        return token

    def _take(self, *kinds: str) -> Token:
        token = self._tokens[self._index]
        if token.kind not in kinds:
            raise self._unexpected(token, kinds)
        return self._next()

    def _unexpected(self, token: Token, kinds: Collection[str]) -> TemplateSyntaxError:
        found = "the end of the template" if token.kind == "EOF" else repr(token.text[:40])
        wanted = " or ".join(sorted(kinds))
        return self._lexer.error(f"unexpected {found}, expected {wanted}", token.at)

    def _program(self) -> Program:
        self._blocks += 1
        if self._blocks > MAX_BLOCK_DEPTH:
            at = self._tokens[self._index].at
            raise self._lexer.error(f"blocks nest deeper than {MAX_BLOCK_DEPTH} levels", at)
        body: list[Statement] = []
        while self._kind in _OPENERS:
            body.append(self._statement())
        self._blocks -= 1
        return Program(body)

    def _statement(self) -> Statement:
        kind = self._kind
        if kind == "CONTENT":
            text = self._next().text
            return Content(text, text)
        if kind == "COMMENT":
            text = self._next().text
            return Comment(_strip(text, text))
        readers: dict[str, Callable[[], Statement]] = {
            "OPEN": self._mustache,
            "OPEN_UNESCAPED": self._mustache,
            "OPEN_BLOCK": self._block,
            "OPEN_INVERSE": self._inverted_block,
            "OPEN_PARTIAL": self._partial,
            "OPEN_PARTIAL_BLOCK": self._partial_block,
            "OPEN_RAW_BLOCK": self._raw_block,
        }
        return readers[kind]()

    def _mustache(self) -> Mustache:
        opening = self._next()
        if "*" in opening.text:
            raise self._lexer.error("only {{#*inline}} may decorate a template", opening.at)
        call = self._call()
        unescaped = opening.kind == "OPEN_UNESCAPED"
        closing = self._take("CLOSE_UNESCAPED" if unescaped else "CLOSE")
        # The flag character sits behind an optional ~, exactly where the reference looks.
        escaped = (opening.text[3:4] or opening.text[2:3]) not in ("{", "&")
        return Mustache(call, escaped, _strip(opening.text, closing.text))

    def _block(self) -> Block:
        opening = self._next()
        call, block_params, strip = self._opened(opening)
        program = self._program()
        program.block_params = block_params
        block = Block(call, program, None, decorator="*" in opening.text, open_strip=strip)
        inverse = self._kind in ("INVERSE", "OPEN_INVERSE_CHAIN")
        if inverse and block.decorator:
            raise self._lexer.error("an inline partial has no else", self._tokens[self._index].at)
        if inverse:
            block.inverse, block.inverse_strip = self._inverse_chain()
        block.close_strip = self._close(call)
        _close_chain(block, block.close_strip)
        return block

    def _inverted_block(self) -> Block:
        opening = self._next()
        call, block_params, strip = self._opened(opening)
        inverse = self._program()
        inverse.block_params = block_params
        block = Block(call, None, inverse, open_strip=strip)
        if self._kind == "INVERSE":
            text = self._next().text
            block.inverse_strip = _strip(text, text)
            block.program = self._program()
        block.close_strip = self._close(call)
        return block

    def _inverse_chain(self) -> tuple[Program, Strip]:
        opening = self._next()
        if opening.kind == "INVERSE":
            return self._program(), _strip(opening.text, opening.text)
        call, block_params, strip = self._opened(opening)
        program = self._program()
        program.block_params = block_params
        block = Block(call, program, None, open_strip=strip)
        if self._kind in ("INVERSE", "OPEN_INVERSE_CHAIN"):
            block.inverse, block.inverse_strip = self._inverse_chain()
            block.close_strip = block.inverse_strip
            _close_chain(block, block.close_strip)
        return Program([block], chained=True), strip

    def _opened(self, opening: Token) -> tuple[Call, tuple[str, ...], Strip]:
        call = self._call()
        names: list[str] = []
        if self._kind == "OPEN_BLOCK_PARAMS":
            self._next()
            while not names or self._kind == "ID":
                names.append(name_of(self._take("ID").text))
            self._take("CLOSE_BLOCK_PARAMS")
        closing = self._take("CLOSE")
        return call, tuple(names), _strip(opening.text, closing.text)

    def _close(self, call: Call) -> Strip:
        opening = self._take("OPEN_ENDBLOCK")
        name = self._helper_name()
        closing = self._take("CLOSE")
        self._check_close(call, name.original, opening)
        return _strip(opening.text, closing.text)

    def _check_close(self, call: Call, name: str, closing: Token) -> None:
        opened = "" if isinstance(call.path, Call) else call.path.original
        if opened != name:
            raise self._lexer.error(f"{opened} is closed by {name}", closing.at)

    def _raw_block(self) -> Block:
        self._next()
        call = self._call()
        self._take("CLOSE_RAW_BLOCK")
        body: list[Statement] = []
        while self._kind == "CONTENT":
            text = self._next().text
            body.append(Content(text, text))
        closing = self._take("END_RAW_BLOCK")
        self._check_close(call, closing.text, closing)
        return Block(call, Program(body), None)

    def _partial(self) -> Partial:
        opening = self._next()
        call = self._call(partial=True)
        closing = self._take("CLOSE")
        return Partial(call, _strip(opening.text, closing.text))

    def _partial_block(self) -> Partial:
        opening = self._next()
        call = self._call(partial=True)
        closing = self._take("CLOSE")
        program = self._program()
        strip = _strip(opening.text, closing.text)
        return Partial(call, strip, program=program, close_strip=self._close(call))

    def _call(self, *, partial: bool = False) -> Call:
        at = self._lexer.position(self._tokens[self._index].at)
        path = self._subexpression() if partial and self._kind == "OPEN_SEXPR" else None
        callee = path or self._helper_name()
        params: list[Expression] = []
        while self._starts_param():
            params.append(self._param())
        pairs: dict[str, Expression] = {}
        while self._kind == "ID":
            key = name_of(self._next().text)
            self._take("EQUALS")
            pairs[key] = self._param()
        return Call(callee, params, pairs, at)

    def _starts_param(self) -> bool:
        if self._kind == "ID":
            return self._tokens[self._index + 1].kind != "EQUALS"
        return self._kind in ("DATA", "OPEN_SEXPR") or self._kind in LITERALS

    def _param(self) -> Expression:
        return self._subexpression() if self._kind == "OPEN_SEXPR" else self._helper_name()

    def _subexpression(self) -> Call:
        opening = self._take("OPEN_SEXPR")
        self._calls += 1
        if self._calls > MAX_CALL_DEPTH:
            message = f"expressions nest deeper than {MAX_CALL_DEPTH} levels"
            raise self._lexer.error(message, opening.at)
        call = self._call()
        self._take("CLOSE_SEXPR")
        self._calls -= 1
        return call

    def _helper_name(self) -> Path | Literal:
        token = self._tokens[self._index]
        if token.kind in LITERALS:
            self._next()
            value = LITERALS[token.kind](token.text)
            return Literal(value, printed(token, value), self._lexer.position(token.at))
        if token.kind not in ("DATA", "ID"):
            raise self._unexpected(token, {"ID", "DATA", *LITERALS})
        data = token.kind == "DATA"
        if data:
            self._next()
        return self._path(token, data=data)

    def _path(self, start: Token, *, data: bool) -> Path:
        parts: list[str] = []
        depth, original, separator = 0, "@" if data else "", ""
        while True:
            text = self._take("ID").text
            part = name_of(text)
            original += separator + part
            if part == text and part in ("..", ".", "this"):
                if parts:
                    raise self._lexer.error(f"invalid path: {original}", start.at)
                depth += part == ".."
            else:
                parts.append(part)
            if self._kind != "SEP":
                return Path(tuple(parts), depth, data, original, self._lexer.position(start.at))
            separator = self._next().text


def _strip(opening: str, closing: str) -> Strip:
    return Strip(opening[2:3] == "~", closing[-3:-2] == "~")


def _close_chain(block: Block, strip: Strip) -> None:
    """Give the first `{{else x}}` of a chain the closing flags of the tag that ends it."""
    if block.inverse is not None and block.inverse.chained:
        first = block.inverse.body[0]
        if isinstance(first, Block):
            first.close_strip = strip
