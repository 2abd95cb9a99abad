"""From the syntax tree to one Python function per program, generated and compiled once.

Only names made here and constants in `repr` form enter the generated source; every piece of text
the author of a template wrote is one of those constants, so a template is data, never code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from types import CodeType
from typing import Final, cast

from libs.handlebars import runtime, values
from libs.handlebars.expressions import ExpressionCompiler, Scope
from libs.handlebars.functions import FUNCTIONS
from libs.handlebars.names import (
    BLOCKS,
    as_path,
    defined_partials,
    inline_partials,
    syntax_error,
)
from libs.handlebars.nodes import (
    Block,
    Call,
    Content,
    Mustache,
    Partial,
    Program,
    Statement,
)

Main = Callable[[values.Resolve, runtime.State | None], str]

# Longer programs collect their pieces in chunks and consult the clock after each.
_FAST_UP_TO: Final = 60
_CHUNK: Final = 60


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a template renders with; `stateful` says whether `main` needs a State."""

    main: Main
    stateful: bool
    features: runtime.Features


def compile_program(program: Program, source: str, *, escape: bool) -> Compiled:
    """The template's functions; raises TemplateSyntaxError for what can never render."""
    compiler = _Compiler(source, escape=escape)
    return compiler.compiled(program)


class _Compiler(ExpressionCompiler):
    def __init__(self, source: str, *, escape: bool) -> None:
        super().__init__()
        # Conservative: a template without these characters cannot use the feature.
        self._features = runtime.Features(data="@" in source, depths=".." in source)
        self._escape = escape
        self._functions: list[str] = []
        self._partials: set[str] = set()

    def compiled(self, program: Program) -> Compiled:
        self._partials = set(defined_partials(program))
        scope = Scope(main=True, root=True, params=((),))
        body = self._body(program, scope)
        prologue = []
        if inlines := self._inlines(program, scope):
            # As in the reference, a partial of the template itself has no contexts around it.
            prologue.append(f"b = x = (); s.partials = {inlines}")
        if self._stateful:
            prologue.append("c = s.root; d = s.frame; b = (); x = s.depths")
        self._define("main", "r, s", prologue + body)
        exec(self._code(), self._namespace)  # noqa: S102 - see the module's docstring
        main = cast(Main, self._namespace["main"])
        return Compiled(main, self._stateful, self._features)

    def _code(self) -> CodeType:
        return compile("\n".join(self._functions), "<template>", "exec", dont_inherit=True)

    def _define(self, name: str, arguments: str, lines: Iterable[str]) -> None:
        self._functions.append("\n ".join([f"def {name}({arguments}):", *lines]))

    # Programs

    def _body(self, program: Program, scope: Scope) -> list[str]:
        # Python takes ten times as long to compile the fast form of a variable as the plain one.
        scope = replace(scope, fast=len(program.body) <= _FAST_UP_TO)
        pieces = [piece for node in program.body if (piece := self._statement(node, scope))]
        if len(pieces) <= _FAST_UP_TO:
            return [f"return {_joined(pieces)}"]
        self._stateful = True
        lines = ["o = []"]
        for i in range(0, len(pieces), _CHUNK):
            lines += [f"o += ({', '.join(pieces[i : i + _CHUNK])},)", "s.tick()"]
        return [*lines, "return ''.join(o)"]

    def _ref(self, program: Program | None, scope: Scope, *, root: bool = False) -> str:
        """An expression for the program's function, with the inline partials it defines."""
        self._stateful = True
        if program is None:
            return "None"
        inner = scope.inner(program, root=root)
        body = self._body(program, inner)
        name = f"p{len(self._functions)}"
        self._define(name, "s, c, d, b, x", body)
        inlines = self._inlines(program, inner)
        return f"defining({name}, {inlines})" if inlines else name

    def _inlines(self, program: Program, scope: Scope) -> str:
        found = inline_partials(program)
        pairs = [f"({self._constant(name)}, {self._ref(body, scope)})," for name, body in found]
        return f"inlined(({''.join(pairs)}), b, x)" if pairs else ""

    def _statement(self, node: Statement, scope: Scope) -> str:
        """A Python expression for one statement's text, empty for no output."""
        if isinstance(node, Content):
            return repr(node.value) if node.value else ""
        if isinstance(node, Mustache):
            return self._mustache(node, scope)
        if isinstance(node, Block) and not node.decorator:
            return self._block(node, scope)
        return self._partial(node, scope) if isinstance(node, Partial) else ""

    def _mustache(self, node: Mustache, scope: Scope) -> str:
        value = self._call(node.call, scope, subexpression=False)
        escaping = node.escaped and self._escape
        if scope.fast and value.startswith(("r(", "s.resolve(")):
            # Most values are short plain words: both tests are cheaper than a call of e or t.
            plain = f"(v := {value}).__class__ is S" + (" and v.isalnum()" if escaping else "")
            return f"(v if {plain} else {'e' if escaping else 't'}(v))"
        return f"{'e' if escaping else 't'}({value})"

    # Blocks

    def _block(self, block: Block, scope: Scope) -> str:
        call = block.call
        name = self._function_name(call, scope, subexpression=False)
        if name is None:
            value = self._path(as_path(call.path), scope, tested=True)
            return self._walked("section", value, block, scope)
        if name in ("if", "unless"):
            return self._branches(self._condition(call, name, scope), block, scope)
        if name in BLOCKS:
            if len(call.params) != 1:
                raise syntax_error(f"#{name} requires exactly one argument", call.at)
            value = self._expression(call.params[0], scope, tested=True)
            method = "each" if name == "each" else "within"
            return self._walked(method, value, block, scope)
        if name in FUNCTIONS and FUNCTIONS[name].test:
            return self._branches(self._invoked(name, call, scope), block, scope)
        return f"t({self._call(call, scope, subexpression=False)})"

    def _branches(self, test: str, block: Block, scope: Scope) -> str:
        yes = self._branch(block.program, scope)
        no = self._branch(block.inverse, scope)
        return f"({yes} if {test} else {no})"

    def _branch(self, program: Program | None, scope: Scope) -> str:
        if program is None:
            return "''"
        context = "c" if scope.root else "(NULL if c is None else c)"
        return f"{self._ref(program, scope, root=True)}(s, {context}, d, (None, b), x)"

    def _walked(self, method: str, value: str, block: Block, scope: Scope) -> str:
        body = self._ref(block.program, scope)
        # The inverse of a block keeps its context; a section's own may be entered with `true`.
        inverse = self._ref(block.inverse, scope, root=True)
        return f"s.{method}({value}, {body}, {inverse}, (c, d, b, x))"

    # Partials

    def _partial(self, node: Partial, scope: Scope) -> str:
        call = node.call
        if len(call.params) > 1:
            raise syntax_error("a partial takes at most one context", call.at)
        self._stateful = True
        context = self._expression(call.params[0], scope) if call.params else "c"
        if call.hash:
            pairs = [
                f"({self._constant(key)}, {self._expression(value, scope)}),"
                for key, value in call.hash.items()
            ]
            context = f"merged({context}, ({''.join(pairs)}))"
        name = self._partial_name(node, scope)
        block = self._ref(node.program, scope)
        indent = self._constant(node.indent)
        return f"s.partial({name}, {context}, (c, d, b, x), {indent}, {block})"

    def _partial_name(self, node: Partial, scope: Scope) -> str:
        callee = node.call.path
        if isinstance(callee, Call):
            return f"t({self._expression(callee, scope)})"
        name = callee.original
        known = name in self._partials or name == "@partial-block"
        if not known and node.program is None:
            raise syntax_error(f"The partial {name} could not be found", node.call.at)
        return self._constant(name)


def _joined(pieces: list[str]) -> str:
    """One f-string: adjacent literals, which Python makes one string-building instruction."""
    parts = [piece if piece[0] in "\"'" else 'f"{' + piece + '}"' for piece in pieces]
    return f"({' '.join(parts)})" if parts else "''"
