"""What the names in a template mean before anything is known of the data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from libs.handlebars.errors import TemplateSyntaxError
from libs.handlebars.nodes import Block, Call, Literal, Partial, Path, Position, Program

# Built into the reference.
BLOCKS: Final = frozenset({"if", "unless", "each", "with"})
BUILT_IN: Final = BLOCKS | {"log", "lookup"}
_SCOPED = re.compile(r"^\.|this\b", re.ASCII)


def is_scoped(path: Path) -> bool:
    return _SCOPED.search(path.original) is not None


def as_path(callee: Path | Literal | Call) -> Path:
    """A literal in the place of a name is a name."""
    if isinstance(callee, Literal):
        return Path((callee.original,), depth=0, data=False, original=callee.original, at=callee.at)
    if isinstance(callee, Call):
        raise syntax_error("only a partial may be named by an expression", callee.at)
    return callee


def is_simple(path: Path) -> bool:
    return len(path.parts) == 1 and not path.depth and not is_scoped(path)


def inline_partials(program: Program) -> list[tuple[str, Program]]:
    """The inline partials a program defines, by name; raises TemplateSyntaxError."""
    found = []
    for node in program.body:
        if not isinstance(node, Block) or not node.decorator:
            continue
        name = node.call.params[0] if len(node.call.params) == 1 else None
        if as_path(node.call.path).original != "inline" or node.program is None:
            raise syntax_error("only inline may decorate a template", node.call.at)
        if not isinstance(name, Literal):
            raise syntax_error(
                'an inline partial needs one literal name: {{#*inline "n"}}', node.call.at
            )
        found.append((name.original, node.program))
    return found


def syntax_error(message: str, at: Position) -> TemplateSyntaxError:
    return TemplateSyntaxError(message, at.line, at.column)


def defined_partials(program: Program) -> Iterable[str]:
    """The names of all inline partials anywhere in a program."""
    for name, body in inline_partials(program):
        yield name
        yield from defined_partials(body)
    for node in program.body:
        if isinstance(node, Block | Partial):
            branches = [node.program, node.inverse if isinstance(node, Block) else None]
            for branch in filter(None, branches):
                yield from defined_partials(branch)
