"""The Python expression of each expression in a template: paths, literals and calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from libs.handlebars import contexts, runtime, values
from libs.handlebars.functions import FUNCTIONS, Function
from libs.handlebars.names import BLOCKS, BUILT_IN, as_path, is_scoped, is_simple, syntax_error
from libs.handlebars.nodes import Call, Expression, Literal, Path, Program

_NAMES: Final[dict[str, object]] = {
    "__builtins__": {},
    "S": str,
    "e": values.escaped,
    "t": values.text,
    "truthy": values.truthy,
    "present": values.present,
    "script": values.truthy_script,
    "unrooted": values.unrooted,
    "look": values.look,
    "peek": values.peek,
    "dynamic": contexts.look_in,
    "up": contexts.upper_context,
    "data": contexts.data_value,
    "param": contexts.block_param,
    "merged": contexts.merged,
    "defining": runtime.defining,
    "inlined": runtime.inlined,
    "NULL": runtime.NULL_CONTEXT,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known of a program while it is compiled."""

    main: bool = False
    # The context is certainly the root one.
    root: bool = False
    # Block parameter names, innermost program first.
    params: tuple[tuple[str, ...], ...] = ()
    # Variables are written out in their fast form.
    fast: bool = True

    def inner(self, program: Program, *, root: bool) -> Scope:
        return Scope(root=root and self.root, params=(program.block_params, *self.params))

    def block_param(self, path: Path) -> tuple[int, int] | None:
        if path.depth or not path.parts or is_scoped(path):
            return None
        for level, names in enumerate(self.params):
            if path.parts[0] in names:
                return level, names.index(path.parts[0])
        return None


class ExpressionCompiler:
    """Names each constant and writes each expression; generated code sees these names only.

    The names: `s` the State, `r` its resolve in the main program, `c` the context, `d` the data
    frame, `b` the block parameters, `x` the enclosing contexts, `K0`.. constants, `f_..` functions.
    """

    def __init__(self) -> None:
        self._namespace = dict(_NAMES)
        self._constants: dict[object, str] = {}
        # Whether anything but `r` is needed.
        self._stateful = False

    def _constant(self, value: object) -> str:
        key = (type(value), value)
        if key not in self._constants:
            self._constants[key] = f"K{len(self._constants)}"
            self._namespace[self._constants[key]] = value
        return self._constants[key]

    def _expression(self, node: Expression, scope: Scope, *, tested: bool = False) -> str:
        if isinstance(node, Literal):
            return self._constant(node.value)
        if isinstance(node, Call):
            return self._call(node, scope, subexpression=True, tested=tested)
        return self._path(node, scope, tested=tested)

    def _path(self, path: Path, scope: Scope, *, tested: bool = False) -> str:
        look = "peek" if tested else "look"
        if (found := scope.block_param(path)) is not None:
            self._stateful = True
            value = f"param(b, {found[0]}, {found[1]})"
            rest = path.parts[1:]
            return f"{look}({value}, {self._constant(rest)})" if rest else value
        if path.data and path.parts:
            return self._data(path, scope, tested=tested)
        if path.depth:
            self._stateful = True
            context = f"up(x, {path.depth})"
        elif scope.root and path.parts:
            return self._read(path.parts, scope, tested=tested)
        else:
            self._stateful = True
            context = "c"
        return f"{look}({context}, {self._constant(path.parts)})" if path.parts else context

    def _read(self, parts: tuple[str, ...], scope: Scope, *, tested: bool) -> str:
        if tested:
            self._stateful = True
            return f"s.probe({self._constant(parts)})"
        return f"{'r' if scope.main else 's.resolve'}({self._constant(parts)})"

    def _data(self, path: Path, scope: Scope, *, tested: bool) -> str:
        if path.parts[0] == "root" and not path.depth and len(path.parts) > 1:
            return self._read(path.parts[1:], scope, tested=tested)
        self._stateful = True
        return f"data(d, {path.depth}, {self._constant(path.parts)})"

    def _call(self, call: Call, scope: Scope, *, subexpression: bool, tested: bool = False) -> str:
        """The value of `name args`, where name may be a function or, without args, data."""
        name = self._function_name(call, scope, subexpression=subexpression)
        if name is None:
            return self._path(as_path(call.path), scope, tested=tested)
        if name in ("if", "unless"):
            return self._choice(self._condition(call, name, scope), call, scope)
        if name in BUILT_IN:
            return self._known(call, name, scope)
        function = FUNCTIONS[name]
        if function.test:
            return self._choice(self._invoked(name, call, scope), call, scope)
        return self._invoked(name, call, scope)

    def _function_name(self, call: Call, scope: Scope, *, subexpression: bool) -> str | None:
        path = as_path(call.path)
        if is_simple(path) and scope.block_param(path) is not None:
            return None
        if is_simple(path) and (path.parts[0] in FUNCTIONS or path.parts[0] in BUILT_IN):
            return path.parts[0]
        if subexpression or call.params or call.hash:
            raise syntax_error(f'Missing helper: "{path.original}"', call.at)
        return None

    def _known(self, call: Call, name: str, scope: Scope) -> str:
        if name == "log":
            return "None"
        if name in BLOCKS:
            raise syntax_error(f"{name} is a block: {{{{#{name} x}}}}..{{{{/{name}}}}}", call.at)
        if len(call.params) != 2:
            raise syntax_error("lookup requires exactly two arguments", call.at)
        obj, key = (self._expression(param, scope) for param in call.params)
        return f"dynamic({obj}, {key})"

    def _choice(self, test: str, call: Call, scope: Scope) -> str:
        """The inline form of a condition: `yes=` and `no=`, by default true and false."""
        answers = {"yes": "True", "no": "False"}
        for key in answers.keys() & call.hash.keys():
            answers[key] = self._expression(call.hash[key], scope)
        return f"({answers['yes']} if {test} else {answers['no']})"

    def _invoked(self, name: str, call: Call, scope: Scope) -> str:
        function = FUNCTIONS[name]
        self._stateful = True
        self._namespace[f"f_{name}"] = function.call
        arguments = ["s"] if function.stateful else []
        named: dict[str, str] = {}
        given = [self._expression(param, scope, tested=function.test) for param in call.params]
        if function.variadic:
            arguments += given
        else:
            named = dict(zip(function.parameters, given, strict=False))
        named |= self._named(function, call, scope)
        arguments += [f"{parameter}={value}" for parameter, value in named.items()]
        return f"s.ran(f_{name}({', '.join(arguments)}))"

    def _named(self, function: Function, call: Call, scope: Scope) -> dict[str, str]:
        """Named arguments the function knows; as in the reference, it never sees the others."""
        known = {name: name for name in function.parameters} | dict(function.named)
        return {
            known[key]: self._expression(value, scope)
            for key, value in call.hash.items()
            if key in known
        }

    def _condition(self, call: Call, name: str, scope: Scope) -> str:
        if len(call.params) != 1:
            raise syntax_error(f"#{name} requires exactly one argument", call.at)
        value = self._expression(call.params[0], scope, tested=True)
        test = f"truthy({value})"
        if "includeZero" in call.hash:
            zero = self._expression(call.hash["includeZero"], scope, tested=True)
            test = f"(present({value}) if script({zero}) else {test})"
        return f"(not {test})" if name == "unless" else test
