"""A message template: compiled once, rendered as often as there are recipients."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from libs.handlebars.compiler import Compiled, compile_program
from libs.handlebars.errors import RenderLimitError
from libs.handlebars.parser import parse
from libs.handlebars.runtime import Limits, State, output_limit
from libs.handlebars.values import Resolve
from libs.handlebars.variables import root_variables

DEFAULT_LIMITS: Final = Limits()


class Template:
    """A compiled template; immutable, so that any number of tasks and threads may render it."""

    __slots__ = ("_features", "_main", "_stateful", "variables")

    def __init__(self, compiled: Compiled, variables: frozenset[tuple[str, ...]]) -> None:
        self._main = compiled.main
        self._stateful = compiled.stateful
        self._features = compiled.features
        self.variables = variables

    def render(
        self,
        resolve: Resolve,
        *,
        now: datetime,
        new_uuid: Callable[[], UUID] = uuid4,
        limits: Limits = DEFAULT_LIMITS,
    ) -> str:
        """The template's text for one recipient.

        `resolve` gives the value of a root path, None for a missing one; if it has a method
        `probe`, that is asked instead where a value is only tested, as by `#if`. `now` is the
        aware time of `{{now}}`, `new_uuid` the source of `{{uuid}}`. Raises RenderError for data
        the template cannot take and RenderLimitError past a bound.
        """
        if self._stateful:
            state = State(resolve, now, new_uuid, limits, self._features)
            rendered = self._bounded(resolve, state)
        else:
            rendered = self._main(resolve, None)
        if len(rendered) > limits.surely_fits:
            _check_bytes(rendered, limits)
        return rendered

    def _bounded(self, resolve: Resolve, state: State) -> str:
        try:
            return self._main(resolve, state)
        except RecursionError as error:
            raise RenderLimitError("the template nests too deeply") from error


def _check_bytes(rendered: str, limits: Limits) -> None:
    if len(rendered.encode("utf-8", "surrogatepass")) > limits.output_bytes:
        raise output_limit(limits)


def compile_template(source: str, *, escape: bool) -> Template:
    """Compile a template; with `escape` (HTML) `{{x}}` escapes, without (text) nothing does.

    Raises TemplateSyntaxError with the place of the first error. A function or partial that does
    not exist is such an error too: the reference would raise it at the first render.
    """
    program = parse(source)
    return Template(compile_program(program, source, escape=escape), root_variables(program))
