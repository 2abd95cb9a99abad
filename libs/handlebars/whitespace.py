"""Whitespace control (`~`) and standalone tags, step for step as the reference does it."""

from __future__ import annotations

import re

from libs.handlebars.lexer import SPACE
from libs.handlebars.nodes import (
    Block,
    Comment,
    Content,
    Mustache,
    Partial,
    Program,
    Statement,
    Strip,
)

_S = f"[{SPACE}]"
_LEADING = re.compile(rf"\A{_S}+")
_LEADING_LINE = re.compile(r"\A[ \t]*\r?\n?")
_NEXT_INNER = re.compile(rf"\A{_S}*?\r?\n")
_NEXT_LAST = re.compile(rf"\A{_S}*?(?:\r?\n|\Z)")


class _Verdict:
    """What a statement tells its parent: `~` flags, and where it may stand alone."""

    __slots__ = ("close", "close_alone", "inline_alone", "open", "open_alone")

    def __init__(self, strip: Strip, *, inline: bool = False) -> None:
        self.open = strip.open
        self.close = strip.close
        self.open_alone = False
        self.close_alone = False
        self.inline_alone = inline


def control_whitespace(program: Program) -> None:
    """Strip, in place, the whitespace a template's tags take with them."""
    _program(program, root=True)


def _program(program: Program, *, root: bool = False) -> None:
    body = program.body
    for i, current in enumerate(body):
        verdict = _statement(current)
        if verdict is None:
            continue
        before = _is_prev_whitespace(body, i, root=root)
        after = _is_next_whitespace(body, i, root=root)
        if verdict.close:
            _omit_right(body, i + 1, multiple=True)
        if verdict.open:
            _omit_left(body, i - 1, multiple=True)
        if verdict.inline_alone and before and after:
            _strip_inline(body, i, current)
        if verdict.open_alone and before:
            _omit_right(_first_body(current), 0)
            _omit_left(body, i - 1)
        if verdict.close_alone and after:
            _omit_right(body, i + 1)
            last = _last_body(current)
            _omit_left(last, len(last) - 1)


def _strip_inline(body: list[Statement], i: int, current: Statement) -> None:
    _omit_right(body, i + 1)
    if _omit_left(body, i - 1) and isinstance(current, Partial) and current.program is None:
        previous = body[i - 1]
        if isinstance(previous, Content):
            current.indent = previous.original[len(previous.original.rstrip(" \t")) :]


def _statement(node: Statement) -> _Verdict | None:
    if isinstance(node, Content):
        return None
    if isinstance(node, Mustache):
        return _Verdict(node.strip)
    if isinstance(node, Comment):
        return _Verdict(node.strip, inline=True)
    if isinstance(node, Partial) and node.program is None:
        return _Verdict(node.strip, inline=True)
    return _block(node)


def _first_body(node: Statement) -> list[Statement]:
    if isinstance(node, Block):
        first = node.program or node.inverse
        return first.body if first else []
    return node.program.body if isinstance(node, Partial) and node.program else []


def _last_body(node: Statement) -> list[Statement]:
    if isinstance(node, Block):
        last = node.inverse or node.program
        return last.body if last else []
    return node.program.body if isinstance(node, Partial) and node.program else []


def _block(node: Block | Partial) -> _Verdict:
    inverse = node.inverse if isinstance(node, Block) else None
    for branch in (node.program, inverse):
        if branch is not None:
            _program(branch)
    if node.program is None:
        program, inverse = inverse, None
    else:
        program = node.program
    if program is None:
        raise AssertionError("a block has at least one branch")
    open_strip = node.open_strip if isinstance(node, Block) else node.strip
    verdict = _Verdict(Strip(open_strip.open, node.close_strip.close))
    first, last = _chain_ends(inverse) if inverse else (program, program)
    verdict.open_alone = _is_next_whitespace(program.body, -1)
    verdict.close_alone = _is_prev_whitespace(first.body, len(first.body))
    if open_strip.close:
        _omit_right(program.body, 0, multiple=True)
    if inverse and isinstance(node, Block):
        _between(node, program, first, last)
    elif node.close_strip.open:
        _omit_left(program.body, len(program.body) - 1, multiple=True)
    return verdict


def _chain_ends(inverse: Program) -> tuple[Program, Program]:
    """The first and last branches of `{{else x}}..{{else}}..`, which hide inside programs."""
    first = last = inverse
    if inverse.chained:
        head = inverse.body[0]
        if isinstance(head, Block) and head.program:
            first = head.program
        while last.chained:
            tail = last.body[-1]
            if not isinstance(tail, Block) or tail.program is None:
                break
            last = tail.program
    return first, last


def _between(node: Block, program: Program, first: Program, last: Program) -> None:
    if node.inverse_strip.open:
        _omit_left(program.body, len(program.body) - 1, multiple=True)
    if node.inverse_strip.close:
        _omit_right(first.body, 0, multiple=True)
    if node.close_strip.open:
        _omit_left(last.body, len(last.body) - 1, multiple=True)
    end = len(program.body)
    if _is_prev_whitespace(program.body, end) and _is_next_whitespace(first.body, -1):
        _omit_left(program.body, end - 1)
        _omit_right(first.body, 0)


def _at(body: list[Statement], i: int) -> Statement | None:
    return body[i] if 0 <= i < len(body) else None


def _is_prev_whitespace(body: list[Statement], i: int, *, root: bool = False) -> bool:
    previous = _at(body, i - 1)
    if previous is None:
        return root
    if not isinstance(previous, Content):
        return False
    # Only what follows the last line break can matter, so a long text costs one scan back.
    blank = previous.original.rstrip(_SPACES)
    if "\n" in previous.original[len(blank) :]:
        return True
    return not blank and root and _at(body, i - 2) is None


def _is_next_whitespace(body: list[Statement], i: int, *, root: bool = False) -> bool:
    following = _at(body, i + 1)
    if following is None:
        return root
    if not isinstance(following, Content):
        return False
    last = root and _at(body, i + 2) is None
    return (_NEXT_LAST if last else _NEXT_INNER).match(following.original) is not None


def _omit_right(body: list[Statement], i: int, *, multiple: bool = False) -> None:
    current = _at(body, i)
    if not isinstance(current, Content) or (not multiple and current.right_stripped):
        return
    original = current.value
    current.value = (_LEADING if multiple else _LEADING_LINE).sub("", original)
    current.right_stripped = current.value != original


def _omit_left(body: list[Statement], i: int, *, multiple: bool = False) -> bool:
    current = _at(body, i)
    if not isinstance(current, Content) or (not multiple and current.left_stripped):
        return False
    original = current.value
    current.value = original.rstrip(_SPACES if multiple else " \t")
    current.left_stripped = current.value != original
    return current.left_stripped


_SPACES = (
    "\t\n\x0b\x0c\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
