"""The syntax tree of a template, in the vocabulary of the Handlebars reference parser."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, frozen=True)
class Position:
    """A place in the source; line and column count from 1."""

    line: int
    column: int


@dataclass(slots=True, frozen=True)
class Strip:
    """Whether a tag swallows the whitespace before (`open`) and after (`close`) it."""

    open: bool = False
    close: bool = False


NO_STRIP = Strip()


@dataclass(slots=True)
class Path:
    """A reference such as `../User.[Last Name]` or `@index`; `data` marks the `@` form."""

    parts: tuple[str, ...]
    depth: int
    data: bool
    original: str
    at: Position


@dataclass(slots=True)
class Literal:
    """A string, number, boolean, null or undefined written in the template."""

    value: str | float | int | bool | None
    original: str
    at: Position


@dataclass(slots=True)
class Call:
    """A name with arguments: the inside of every tag and of `(...)`."""

    path: Path | Literal | Call
    params: list[Expression]
    hash: dict[str, Expression]
    at: Position


Expression = Path | Literal | Call


@dataclass(slots=True)
class Content:
    """Literal text; `value` is what whitespace control leaves of `original`."""

    original: str
    value: str
    right_stripped: bool = False
    left_stripped: bool = False


@dataclass(slots=True)
class Comment:
    """A comment; it renders nothing but may stand alone on its line."""

    strip: Strip


@dataclass(slots=True)
class Mustache:
    """`{{x}}`, `{{&x}}` or `{{{x}}}`."""

    call: Call
    escaped: bool
    strip: Strip


@dataclass(slots=True)
class Program:
    """A run of statements: the template itself or one branch of a block."""

    body: list[Statement]
    block_params: tuple[str, ...] = ()
    chained: bool = False


@dataclass(slots=True)
class Block:
    """`{{#x}}..{{else}}..{{/x}}`; an inline partial when `decorator` is set."""

    call: Call
    program: Program | None
    inverse: Program | None
    decorator: bool = False
    open_strip: Strip = NO_STRIP
    inverse_strip: Strip = NO_STRIP
    close_strip: Strip = NO_STRIP


@dataclass(slots=True)
class Partial:
    """`{{> n}}`, or with `program` the block form `{{#> n}}..{{/n}}`."""

    call: Call
    strip: Strip
    indent: str = ""
    program: Program | None = None
    close_strip: Strip = field(default=NO_STRIP)


Statement = Content | Comment | Mustache | Block | Partial
