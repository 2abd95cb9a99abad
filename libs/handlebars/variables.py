"""Which variables a template reads from its root data, found without rendering it."""

from __future__ import annotations

from dataclasses import dataclass, field

from libs.handlebars.functions import FUNCTIONS
from libs.handlebars.names import (
    BLOCKS,
    BUILT_IN,
    as_path,
    inline_partials,
    is_scoped,
    is_simple,
)
from libs.handlebars.nodes import (
    Block,
    Call,
    Expression,
    Literal,
    Mustache,
    Partial,
    Path,
    Program,
    Statement,
)

# A context is the root data less the names a partial's arguments shadow, or None for other data.
_Context = frozenset[str] | None
_ROOT: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Scope:
    contexts: tuple[_Context, ...]
    params: frozenset[str] = frozenset()
    partials: dict[str, list[_Definition]] = field(default_factory=dict, hash=False)

    def inner(self, program: Program, *entered: _Context) -> _Scope:
        params = self.params | frozenset(program.block_params)
        return _Scope((*entered, *self.contexts), params, self.partials)


@dataclass(frozen=True, slots=True)
class _Definition:
    body: Program
    contexts: tuple[_Context, ...]


def root_variables(program: Program) -> frozenset[tuple[str, ...]]:
    """The root paths a template may ask `resolve` for, whichever branches are taken."""
    reader = _Reader()
    reader.program(program, _Scope((_ROOT,)), outer=())
    return frozenset(reader.found)


class _Reader:
    def __init__(self) -> None:
        self.found: set[tuple[str, ...]] = set()
        # A recursive partial is read once for each kind of surroundings.
        self._read: set[tuple[int, tuple[_Context, ...]]] = set()

    def program(self, program: Program, scope: _Scope, outer: tuple[_Context, ...]) -> None:
        partials = dict(scope.partials)
        for name, body in inline_partials(program):
            partials[name] = [*partials.get(name, []), _Definition(body, outer)]
        inner = _Scope(scope.contexts, scope.params, partials)
        for node in program.body:
            self._statement(node, inner)

    def _statement(self, node: Statement, scope: _Scope) -> None:
        if isinstance(node, Mustache):
            self._call(node.call, scope)
        elif isinstance(node, Block) and not node.decorator:
            self._block(node, scope)
        elif isinstance(node, Partial):
            self._partial(node, scope)

    def _block(self, node: Block, scope: _Scope) -> None:
        self._call(node.call, scope)
        path = as_path(node.call.path)
        name = path.parts[0] if is_simple(path) else ""
        keeps = name in ("if", "unless") or name in FUNCTIONS
        if node.program is not None:
            entered = () if keeps else (self._entered(node.call, name, scope),)
            self.program(node.program, scope.inner(node.program, *entered), scope.contexts)
        if node.inverse is not None:
            self.program(node.inverse, scope.inner(node.inverse), scope.contexts)

    def _entered(self, call: Call, name: str, scope: _Scope) -> _Context:
        target = call.params[0] if name in BLOCKS and call.params else call.path
        return self._context(target, scope) if name != "each" else None

    def _context(self, node: Expression, scope: _Scope) -> _Context:
        """What a context expression leads to: the root for `this` and `@root`, else other data."""
        if not isinstance(node, Path):
            return None
        if node.data and node.parts == ("root",):
            return _ROOT
        return self._at(node.depth, scope) if not node.parts else None

    def _at(self, depth: int, scope: _Scope) -> _Context:
        return scope.contexts[depth] if depth < len(scope.contexts) else None

    def _partial(self, node: Partial, scope: _Scope) -> None:
        call = node.call
        for argument in (*call.params, *call.hash.values()):
            self._expression(argument, scope)
        context = self._context(call.params[0], scope) if call.params else scope.contexts[0]
        if context is not None:
            context |= frozenset(call.hash)
        names = [call.path.original] if not isinstance(call.path, Call) else list(scope.partials)
        if isinstance(call.path, Call):
            self._call(call.path, scope)
        for definition in (found for name in names for found in scope.partials.get(name, ())):
            self._once(definition.body, (context, *definition.contexts), scope)
        if node.program is not None:
            self._once(node.program, (context, *scope.contexts), scope)

    def _once(self, body: Program, contexts: tuple[_Context, ...], scope: _Scope) -> None:
        key = (id(body), contexts)
        if key not in self._read:
            self._read.add(key)
            self.program(body, _Scope(contexts, scope.params, scope.partials), contexts[1:])

    def _expression(self, node: Expression, scope: _Scope) -> None:
        if isinstance(node, Call):
            self._call(node, scope)
        elif isinstance(node, Path):
            self._path(node, scope)

    def _call(self, call: Call, scope: _Scope) -> None:
        for argument in (*call.params, *call.hash.values()):
            self._expression(argument, scope)
        path = as_path(call.path)
        name = path.parts[0] if is_simple(path) else ""
        function = name in FUNCTIONS or name in BUILT_IN
        if not function and not isinstance(call.path, Call):
            self._path(path if isinstance(call.path, Literal) else call.path, scope)

    def _path(self, path: Path, scope: _Scope) -> None:
        if not path.parts:
            return
        if not path.depth and not is_scoped(path) and path.parts[0] in scope.params:
            return
        if path.data:
            if path.parts[0] == "root" and path.parts[1:]:
                self.found.add(path.parts[1:])
            return
        context = self._at(path.depth, scope)
        if context is not None and path.parts[0] not in context:
            self.found.add(path.parts)
