"""Random templates for the comparison with the reference, the same for the same seed."""

from __future__ import annotations

import random

from tests.unit.handlebars.reference_cases import CONTEXT, Case

_PATHS = [
    *("name", "html", "empty", "zero", "one", "yes", "no", "nothing", "list", "none", "mixed"),
    *("people", "map", "object", "object.inner", "object.inner.deep", "missing", "missing.x"),
    *("this", ".", "this.name", "./name", "../name", "../../name", "..", "[Last Name]"),
    *("list.[0]", "people.[0].name", "@root.name", "@index", "@key", "@first", "@last"),
    *("@../index", "@../key", "pets", "age", "deep", "a", "item", "item.name", "i", "length"),
]
_GAPS = ["", "", "", " ", "\n", "  \n", "\n  ", " x ", "x", "\n\n", "text\n"]


class TemplateMaker:
    """Random templates of the whole grammar, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def template(self) -> str:
        inline = '{{#*inline "p"}}' + self._body(2) + "{{/inline}}"
        return (inline if self._random.random() < 0.3 else "") + self._body(3)

    def _pick(self, *options: str) -> str:
        return self._random.choice(options)

    def _body(self, depth: int) -> str:
        pieces = [self._pick(*_GAPS)]
        for _ in range(self._random.randint(1, 4)):
            pieces += [self._statement(depth), self._pick(*_GAPS)]
        return "".join(pieces)

    def _tilde(self) -> str:
        return "~" if self._random.random() < 0.15 else ""

    def _tag(self, inside: str) -> str:
        return "{{" + self._tilde() + inside + self._tilde() + "}}"

    def _expression(self, depth: int = 1) -> str:
        if depth and self._random.random() < 0.2:
            return self._pick(
                f"(upper {self._expression(0)})",
                f"(eq {self._expression(0)} {self._expression(0)})",
                f"(lookup {self._expression(0)} {self._expression(0)})",
                f"(not {self._expression(0)})",
            )
        if self._random.random() < 0.15:
            return self._pick('"s"', "'name'", "0", "1", "-2.5", "true", "false", "null")
        return self._pick(*_PATHS)

    def _statement(self, depth: int) -> str:
        kinds = [self._mustache, self._mustache, self._comment]
        if depth:
            kinds += [lambda: self._block(depth - 1), lambda: self._block(depth - 1)]
            kinds += [lambda: self._partial(depth - 1)]
        return self._random.choice(kinds)()

    def _mustache(self) -> str:
        path = self._pick(*_PATHS)
        return self._pick(
            self._tag(path),
            self._tag(path),
            "{{{" + path + "}}}",
            self._tag("&" + path),
            self._tag("upper " + self._expression()),
            self._tag(f"lookup {self._expression()} {self._expression()}"),
            self._tag(f"eq {self._expression()} {self._expression()} yes='<y>'"),
        )

    def _comment(self) -> str:
        return self._pick(self._tag("! note "), self._tag("!-- {{x}} --"), r"\{{name}}")

    def _block(self, depth: int) -> str:
        name, call = self._opening()
        params = ""
        if name in ("each", "with") and self._random.random() < 0.3:
            params = " as |item i|" if name == "each" else " as |item|"
        pieces = [self._tag(f"#{call}{params}"), self._body(depth)]
        if self._random.random() < 0.3:
            pieces += [self._tag("else if " + self._expression()), self._body(depth)]
        if self._random.random() < 0.5:
            pieces += [self._tag(self._pick("else", "^")), self._body(depth)]
        return "".join([*pieces, self._tag("/" + name)])

    def _opening(self) -> tuple[str, str]:
        name = self._pick("if", "unless", "each", "each", "with", "eq", "section")
        if name == "eq":
            return name, f"eq {self._expression()} {self._expression()}"
        if name == "section":
            path = self._pick("list", "object", "yes", "no", "people", "missing", "name", "pets")
            return path, path
        return name, f"{name} {self._expression()}"

    def _partial(self, depth: int) -> str:
        arguments = self._pick("", "", " object", " this", " name='n'", " . age=one", " people.[0]")
        if self._random.random() < 0.2:
            return self._tag("#> p" + arguments) + self._body(depth) + self._tag("/p")
        if self._random.random() < 0.1:
            return self._tag("> @partial-block")
        return '{{#*inline "p"}}' + self._body(0) + "{{/inline}}" + self._tag("> p" + arguments)


def random_cases(count: int) -> list[Case]:
    return [
        Case(TemplateMaker(seed).template(), CONTEXT, escape=seed % 4 != 0) for seed in range(count)
    ]
